"""Changes made through the service since the bundle was fitted, applied on top of the bundle's arrays."""

import logging
import threading
from collections.abc import Sequence
from time import monotonic
from typing import Any

from serving.bundle.format import Array, Bundle, find_rows
from serving.errors import StoreError
from serving.live import changeset, erasures, events
from serving.live.changeset import ChangeSet
from serving.live.events import VIEW_RETENTION_DAYS, Event
from serving.live.poller import Poller
from serving.live.room import Room
from serving.live.store import MICROSECONDS_PER_DAY, Store, now_microseconds
from serving.settings import ServingSettings

CHANGEABLE = ("in_stock", "price", "hidden")
# Manifest key: the time up to which forgotten customers were removed from the data the bundle was fitted on.
FORGOTTEN_UNTIL = "forgotten_until"
PRUNE_SECONDS = 3600.0
POLL_SECONDS = 0.2  # a worker knows another worker's change after at most this time

log = logging.getLogger(__name__)


class Changes:
    """The content of the store as this process knows it.

    Product changes and forgotten customers are held in memory; a background thread refreshes them every
    POLL_SECONDS, and this process's own changes are visible at once. A customer's events are read from the
    store on each request (0.1 ms with SQLite), so every worker sees an event as soon as it is recorded.
    While the store is unreachable, requests don't wait: the bundle answers without events.
    """

    def __init__(self, settings: ServingSettings) -> None:
        self.store = Store(settings.store_address)
        self.weights = {  # in orders, by kind of event
            "purchase": settings.purchase_weight,
            "cart": settings.cart_weight,
            "view": settings.view_weight,
        }
        self.room = Room(settings.event_limit)
        self.state = ChangeSet()
        self.loaded = False  # whether the store has answered since the start
        self._store_up = False
        self._prune_at = 0.0
        self._reported = ""  # the last message about the store that was logged
        self._applied: tuple[Bundle, Bundle] | None = None  # a bundle, and its copy with the changes
        self._refresh_lock = threading.Lock()
        self._apply_lock = threading.Lock()  # never held while waiting for the database
        self._poller = Poller("changes", POLL_SECONDS, self._poll)

    def start(self) -> None:
        """Starts to refresh in the background."""
        self._poller.start()

    def stop(self) -> None:
        """Stops the background refresh and closes the connections."""
        self._poller.stop()
        self.store.close()

    def refresh(self) -> None:
        """Reads new changes from the store; raises StoreError if the store doesn't answer."""
        with self._refresh_lock:
            if not self._store_up:
                self.store.prepare()
            self.store.require_whole()
            if new := changeset.since(self.store, self.state.number):
                self._merge(new)
            self._store_up = self.loaded = True
            self._reported = ""

    def update_product(self, product: str, values: dict[str, Any]) -> None:
        """Updates a product as `changeset.update_product` does; the change is visible here on return."""
        changeset.update_product(self.store, product, values)
        self.refresh()

    def add_events(self, new: Sequence[Event]) -> None:
        """Adds events as `events.add` does."""
        events.add(self.store, new, self.room)

    def forget(self, customer: str) -> int:
        """Forgets a customer and returns the number of deleted events; the id is unknown here on return."""
        deleted = erasures.forget(self.store, customer)
        self.refresh()
        return deleted

    def apply_to(self, bundle: Bundle) -> Bundle:
        """Returns a copy of the bundle with all changes applied; the copy is made once per bundle."""
        applied = self._applied
        if applied is None or applied[0] is not bundle:
            with self._apply_lock:
                self._applied = applied = bundle, with_changes(bundle, self.state)
        return applied[1]

    def events(self, customer: str) -> Sequence[Any]:
        """Returns a customer's latest events since the customer was last forgotten: product, kind and time.

        customer: a pseudonym. Returns nothing while the store is unreachable.
        """
        if not self._store_up:
            return []
        try:
            latest = events.latest(self.store, customer)
        except StoreError as error:
            self._store_lost(error)
            return []
        forgotten_at = self.state.forgotten.get(customer, 0)
        return [event for event in latest if event.at > forgotten_at]

    def _merge(self, new: ChangeSet) -> None:
        with self._apply_lock:
            self.state = self.state.merged(new)
            if self._applied:
                bundle, changed = self._applied
                self._applied = bundle, _with_more_changes(bundle, changed, new)

    def _poll(self) -> None:
        try:
            self.refresh()
            self._prune()
        except StoreError as error:
            self._store_lost(error)

    def _prune(self) -> None:
        """Deletes old visits once an hour, also where no nightly run does."""
        if monotonic() < self._prune_at:
            return
        self._prune_at = monotonic() + PRUNE_SECONDS
        events.prune(self.store, now_microseconds() - VIEW_RETENTION_DAYS * MICROSECONDS_PER_DAY)

    def _store_lost(self, error: StoreError) -> None:
        if self._store_up or str(error) != self._reported:
            without = "answers don't include customers' events" if self.loaded else "nothing is answered"
            log.warning("%s; until it is back, %s", error, without)
        self._store_up, self._reported = False, str(error)


def with_changes(bundle: Bundle, changes: ChangeSet) -> Bundle:
    """Returns a copy with the product changes, to which customers forgotten since the fit are unknown."""
    return _with_more_changes(bundle, bundle, changes)


def _with_more_changes(bundle: Bundle, changed: Bundle, new: ChangeSet) -> Bundle:
    """Adds changes to a copy that may hold earlier ones; the cost depends on the number of new changes."""
    until = int(bundle.manifest.get(FORGOTTEN_UNTIL, 0))
    forgotten = changed.forgotten | {customer for customer, at in new.forgotten.items() if at > until}
    copy = changed.with_arrays(**{name: _changed_array(bundle, changed, new, name) for name in CHANGEABLE})
    vars(copy)["forgotten"] = forgotten
    return copy


def _changed_array(bundle: Bundle, changed: Bundle, new: ChangeSet, name: str) -> Array:
    """Returns one product array with the changes; None as a new value restores the bundle's own value."""
    own: Array = getattr(bundle, name)
    array: Array = getattr(changed, name)
    values = {product: row[name] for product, row in new.products.items()}
    if array is own and all(value is None for value in values.values()):
        return array
    rows, array = find_rows(bundle.products, list(values)), array.copy()
    for row, value in zip(rows.tolist(), values.values(), strict=True):
        if row >= 0:
            array[row] = own[row] if value is None else value
    return array
