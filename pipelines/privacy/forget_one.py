"""Forgets one customer at once, and counts the rows that remain in each location as proof."""

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table

from pipelines.privacy import forgotten, identity_rules
from pipelines.settings import customer_key, settings
from serving.bundle.files import load
from serving.bundle.format import Bundle
from serving.errors import BundleError, NightshelfError, RegistryError
from serving.live import erasures, events, registry
from serving.live.changes import with_changes
from serving.live.changeset import ChangeSet
from serving.live.identity import AUTO, Pseudonymiser

SERVICE_EVENTS = "events of the service"


@dataclass
class ErasureReport:
    """The number of the customer's rows by location, before and after the erasure."""

    before: Counter[str] = field(default_factory=Counter)
    remaining: Counter[str] = field(default_factory=Counter)
    pseudonyms: set[str] = field(default_factory=set, repr=False)  # all of the customer's

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

    All spellings of the id are erased, under the identity rule of each source and its earlier ones.
    A bundle trained on the customer's orders keeps its arrays, because its digests cover them. The service
    treats the customer as unknown, and the next nightly run trains a bundle without the customer.
    `pipelines.registry.deletion` deletes the versions that were trained on the orders.

    Raises NightshelfError if the id stands for nobody.
    """
    pseudonyms = _pseudonyms(customer)
    report = ErasureReport(pseudonyms=pseudonyms)
    store = forgotten.open_store()
    report.before[SERVICE_EVENTS] = sum(erasures.forget(store, pseudonym) for pseudonym in sorted(pseudonyms))
    pending = erasures.pending(store)
    times = {pseudonym: pending[pseudonym] for pseudonym in pseudonyms}
    customers = forgotten.from_times(times)
    report.before.update(forgotten.scrub(customers))  # the next nightly run repeats this for runs in progress
    report.remaining = forgotten.count_remaining(customers)
    report.remaining[SERVICE_EVENTS] = sum(events.count(store, pseudonym) for pseudonym in pseudonyms)
    shutil.rmtree(settings().fits, ignore_errors=True)
    _search_bundles(times, report)
    store.close()
    return report


def _pseudonyms(customer: str) -> set[str]:
    """Returns all pseudonyms of a customer; raises NightshelfError if the id stands for nobody."""
    rules = [rule for source in identity_rules.sources() for rule in identity_rules.used(source)]
    present = {rule.rule for rule in rules} | {AUTO}
    own = {Pseudonymiser(customer_key(), rule).of_request(customer) for rule in present} - {None}
    if not own:
        raise NightshelfError(
            "the id is empty or stands for nobody, as 0 and guest do: give the shop's own id of the customer"
        )
    earlier = {rule.pseudonym(customer) for rule in rules}
    return forgotten.all_pseudonyms({str(pseudonym) for pseudonym in (own | earlier) - {None}})


def _search_bundles(times: dict[str, int], report: ErasureReport) -> None:
    for location, bundle in _bundles().items():
        changed = with_changes(bundle, ChangeSet(forgotten=times))
        report.before[location] = sum(bundle.customer(pseudonym) is not None for pseudonym in times)
        report.remaining[location] = sum(changed.customer(pseudonym) is not None for pseudonym in times)


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
