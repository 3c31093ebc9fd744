"""Forgets one customer at once, and counts the rows that remain in each location as proof."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table

from pipelines.privacy import forgotten
from pipelines.settings import customer_key, settings
from serving.bundle.files import load
from serving.bundle.format import Bundle
from serving.errors import BundleError, NightshelfError, RegistryError
from serving.live import registry
from serving.live.changes import with_changes
from serving.live.identity import normalise, pseudonym
from serving.live.store import ChangeSet

SERVICE_EVENTS = "events of the service"


@dataclass
class ErasureReport:
    """The number of the customer's rows by location, before and after the erasure."""

    before: Counter[str] = field(default_factory=Counter)
    remaining: Counter[str] = field(default_factory=Counter)

    @property
    def total_remaining(self) -> int:
        """The number of rows that remain in all locations."""
        return self.remaining.total()

    def table(self) -> Table:
        """Returns a table for the terminal, one line per location."""
        table = Table()
        table.add_column("location", overflow="fold")
        for heading in ("rows before", "rows left"):
            table.add_column(heading, justify="right")
        for location in sorted(self.remaining):
            table.add_row(location, f"{self.before[location]:,}", f"{self.remaining[location]:,}")
        return table


def forget(customer: str) -> ErasureReport:
    """Erases a customer, identified by the shop's own id, from store, lake and bundles; reports what remains.

    A bundle trained on the customer's orders keeps its arrays, because its digests cover them. The service
    treats the customer as unknown, and the next nightly run trains a bundle without the customer.

    Raises NightshelfError if the id is empty.
    """
    if not normalise(customer):
        raise NightshelfError("the customer's id is empty: give the shop's own id of the customer")
    pseudonymous_id, report = pseudonym(customer, customer_key()), ErasureReport()
    store = forgotten.open_store()
    report.before[SERVICE_EVENTS] = store.forget(pseudonymous_id)
    times = {pseudonymous_id: store.pending_erasures()[pseudonymous_id]}
    customers = forgotten.from_times(times)
    report.before.update(forgotten.scrub(customers))  # the next nightly run repeats this for runs in progress
    report.remaining = forgotten.count_remaining(customers)
    report.remaining[SERVICE_EVENTS] = store.count_events(pseudonymous_id)
    _search_bundles(pseudonymous_id, times, report)
    store.close()
    return report


def _search_bundles(pseudonymous_id: str, times: dict[str, int], report: ErasureReport) -> None:
    for location, bundle in _bundles().items():
        changed = with_changes(bundle, ChangeSet(forgotten=times))
        report.before[location] = int(bundle.customer(pseudonymous_id) is not None)
        report.remaining[location] = int(changed.customer(pseudonymous_id) is not None)


def _bundles() -> dict[str, Bundle]:
    """Returns the bundles on the service's disk and the registry's champion, by location."""
    bundles = {}
    for folder in _bundle_folders():
        try:
            bundles[f"bundle {folder.name} on disk"] = load(folder)
        except BundleError:
            continue  # no service can load it either
    try:
        version, champion = registry.load_champion(settings())
    except RegistryError:
        return bundles
    return bundles | {f"bundle of version {version}": champion}


def _bundle_folders() -> list[Path]:
    folder = settings().state / "bundles"
    if not folder.exists():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
