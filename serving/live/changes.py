"""What was changed since the bundle was learned, as every worker knows it: laid over the bundle's arrays."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from serving.bundle.format import PREPARED, Array, Bundle, positions
from serving.errors import StoreError
from serving.live.store import News, Store
from serving.settings import ServingSettings

CHANGEABLE = ("in_stock", "price", "hidden")
FORGOTTEN_UNTIL = "forgotten_until"  # in a manifest: whom the lake had forgotten when it was learned from
LOOK_SECONDS = 0.2  # after which a worker knows what another changed, at most
KEPT = ("trees", "forgotten", *PREPARED)  # made once for a bundle, and the same in its views
BY_POPULARITY = ("by_popularity", "most_popular")  # but where a view has its own popularity

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """All changes up to a number: products' by their id, the times of forgetting by pseudonym."""

    number: int = 0
    products: dict[str, dict[str, Any]] = field(default_factory=dict)
    forgotten: dict[str, int] = field(default_factory=dict)

    def and_then(self, news: News) -> "State":
        """The state after some more changes."""
        return State(news.number, self.products | news.products, self.forgotten | news.forgotten)


class Changes:
    """What the store holds, as this process knows it.

    Products' changes and the forgotten are held in memory and looked for every LOOK_SECONDS in the
    background; own ones are known at once. A customer's events are read when they are asked for, which takes
    0.1 ms from SQLite, so that no worker answers without what another has just been told. While the store
    gives no answer there are none: the bundle answers on, and no request waits.
    """

    def __init__(self, settings: ServingSettings) -> None:
        self.store = Store(settings.store_address)
        self.weights = {
            "purchase": settings.purchase_weight,
            "cart": settings.cart_weight,
            "view": settings.view_weight,
        }
        self.state = State()
        self.known = False  # whether the store has answered since the start
        self._up = False
        self._seen: tuple[Bundle, Bundle] | None = None
        self._looking = threading.Lock()
        self._laying = threading.Lock()  # never held while the database is waited for
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="changes", daemon=True)

    def start(self) -> None:
        """Looks in the background from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the looking and the connections."""
        self._stopping.set()
        self._thread.join(timeout=1)
        self.store.close()

    def look(self) -> None:
        """Looks once for what is new; raises StoreError where the store gives no answer."""
        with self._looking:
            if not self._up:
                self.store.prepare()
            if news := self.store.news(self.state.number):
                self._take(news)
            self._up = self.known = True

    def change(self, product: str, values: dict[str, Any]) -> None:
        """Changes a product, as the store does; it is known here when this returns."""
        self.store.change(product, values)
        self.look()

    def forget(self, customer: str) -> int:
        """How many events of a customer went; the customer is a stranger here when this returns."""
        gone = self.store.forget(customer)
        self.look()
        return gone

    def over(self, bundle: Bundle) -> Bundle:
        """The bundle with the changes laid over it, made once."""
        seen = self._seen
        if seen is None or seen[0] is not bundle:
            with self._laying:
                self._seen = seen = bundle, laid_over(bundle, self.state)
        return seen[1]

    def events(self, customer: str) -> Sequence[Any]:
        """The latest events of a customer since the last forgetting: product, kind and time."""
        if not self._up:
            return []
        try:
            found = self.store.of_customer(customer)
        except StoreError as error:
            self._lost(error)
            return []
        since = self.state.forgotten.get(customer, 0)
        return [event for event in found if event.at > since]

    def _take(self, news: News) -> None:
        with self._laying:
            self.state = self.state.and_then(news)
            if self._seen:
                bundle, changed = self._seen
                self._seen = bundle, renewed(bundle, changed, news)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except StoreError as error:
                self._lost(error)
            self._stopping.wait(LOOK_SECONDS)

    def _lost(self, error: StoreError) -> None:
        if self._up:
            log.warning("%s; the model answers without events until it is back", error)
        self._up = False


def laid_over(bundle: Bundle, state: State) -> Bundle:
    """The bundle with products' changes in its arrays; who was forgotten since it learned is a stranger."""
    return renewed(bundle, bundle, News(state.number, state.products, state.forgotten))


def renewed(bundle: Bundle, changed: Bundle, news: News) -> Bundle:
    """The bundle with some changes laid over it already, and some more; what they cost is by their number."""
    until = int(bundle.manifest.get(FORGOTTEN_UNTIL, 0))
    forgotten = changed.forgotten | {customer for customer, at in news.forgotten.items() if at > until}
    found = view(changed, **{name: _changed(bundle, changed, news, name) for name in CHANGEABLE})
    vars(found)["forgotten"] = forgotten
    return found


def view(bundle: Bundle, **arrays: Any) -> Bundle:
    """The same bundle with some other arrays; what was made of it once need not be made again."""
    stale = BY_POPULARITY if "popularity" in arrays else ()
    made = vars(bundle)
    found = replace(bundle, **arrays)
    vars(found).update({name: made[name] for name in KEPT if name in made and name not in stale})
    return found


def _changed(bundle: Bundle, changed: Bundle, news: News, name: str) -> Array:
    """One of the arrays of products, as changed; a change that was taken back leaves the bundle's own."""
    own: Array = getattr(bundle, name)
    array: Array = getattr(changed, name)
    values = {product: row[name] for product, row in news.products.items()}
    if array is own and all(value is None for value in values.values()):
        return array
    at, array = positions(bundle.products, list(values)), array.copy()
    for place, value in zip(at.tolist(), values.values(), strict=True):
        if place >= 0:
            array[place] = own[place] if value is None else value
    return array
