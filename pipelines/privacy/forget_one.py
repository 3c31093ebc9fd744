"""Forgets one person at once, and proves it: the rows that are left, place by place."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table

from pipelines.privacy import forgotten
from pipelines.settings import customer_key, settings
from serving.bundle.format import Bundle, load
from serving.errors import BundleError, NightshelfError, RegistryError
from serving.live import registry
from serving.live.changes import State, with_changes
from serving.live.identity import normalise, pseudonym

SERVICE_EVENTS = "events of the service"


@dataclass
class ErasureReport:
    """How many rows of a person each place held before and holds still."""

    before: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """All that is left."""
        return self.left.total()

    def table(self) -> Table:
        """One line for each place."""
        table = Table()
        table.add_column("place", overflow="fold")
        for heading in ("rows before", "rows left"):
            table.add_column(heading, justify="right")
        for place in sorted(self.left):
            table.add_row(place, f"{self.before[place]:,}", f"{self.left[place]:,}")
        return table


def forget(customer: str) -> ErasureReport:
    """What was left of a person, by the shop's own id, in the store, in the lake and in bundles.

    Raises NightshelfError where the id is empty. A bundle that learned of the person keeps its arrays, whose
    digests prove it whole; from now on each that is opened has a stranger there, and the next night's knows
    nothing.
    """
    if not normalise(customer):
        raise NightshelfError("the customer's id is empty: give it as the shop writes it")
    who, found = pseudonym(customer, customer_key()), ErasureReport()
    store = forgotten.open_store()
    found.before[SERVICE_EVENTS] = store.forget(who)
    times = {who: store.pending_erasures()[who]}
    gone = forgotten.from_times(times)
    found.before.update(forgotten.scrub(gone))  # the next night does it once more, after all that ran now
    found.left = forgotten.count_remaining(gone)
    found.left[SERVICE_EVENTS] = store.count_events(who)
    _search_bundles(who, times, found)
    store.close()
    return found


def _search_bundles(who: str, times: dict[str, int], found: ErasureReport) -> None:
    for place, bundle in _bundles().items():
        found.before[place] = int(bundle.customer(who) is not None)
        found.left[place] = int(with_changes(bundle, State(forgotten=times)).customer(who) is not None)


def _bundles() -> dict[str, Bundle]:
    """Those that the service has on disk, and the champion of the registry."""
    found = {f"bundle {folder.name} on disk": folder for folder in _folders()}
    bundles = {}
    for place, folder in found.items():
        try:
            bundles[place] = load(folder)
        except BundleError:
            continue  # no service answers from it either
    try:
        version, champion = registry.load_champion(settings())
    except RegistryError:
        return bundles
    return bundles | {f"bundle of version {version}": champion}


def _folders() -> list[Path]:
    folder = settings().state / "bundles"
    return (
        [one for one in folder.iterdir() if one.is_dir() and not one.name.startswith(".")]
        if folder.exists()
        else []
    )
