"""The endpoints that write. When they answer, the write is on disk and the next answer reflects it."""

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

from serving.bundle.format import Bundle
from serving.errors import Problem, StoreError
from serving.http import responses, shapes
from serving.http.endpoints import product_row
from serving.http.requests import Event, Events, ForgetRequest, ProductChange
from serving.http.responses import Json
from serving.http.webhooks import Webhook
from serving.live import orders
from serving.live.changes import CHANGEABLE, Changes
from serving.live.events import Event as StoredEvent
from serving.live.events import TooManyEventsError
from serving.live.room import StoreFullError
from serving.live.served import Served, StoreAlone
from serving.live.store import MICROSECONDS_PER_SECOND, now_microseconds

T = TypeVar("T")


async def change_product(served: Served, change: ProductChange) -> Annotated[Json, shapes.Changed]:
    """Changes a product's stock, price or visibility from now on. The change outlives the current model."""
    product_row(served.bundle, change.product)
    columns = {"stock": "in_stock", "price": "price", "hidden": "hidden"}
    values = {columns[name]: getattr(change, name) for name in change.model_fields_set & columns.keys()}
    if values.get("in_stock") is not None:
        values["in_stock"] = values["in_stock"] > 0
    changes = _require_changes(served)
    await _in_thread(lambda: changes.update_product(change.product, values))
    current = changes.state.products[change.product]
    return responses.with_version(
        served, product=change.product, **{name: current[name] for name in CHANGEABLE}
    )


async def add_events(served: Served | StoreAlone, request: Events) -> Annotated[Json, shapes.Accepted]:
    """Stores purchases, views, cart additions and dismissals. The customers' next answers reflect them.

    A later model may know the products that this one doesn't know, so their events are stored, but not many.
    """
    changes, now, accepted = _require_changes(served), now_microseconds(), request.events
    known = [event for event in accepted if _is_known(served, event.product)]
    if len(known) < len(accepted) and not changes.room.take_unknown(len(accepted) - len(known)):
        accepted = known
    await _in_thread(lambda: changes.add_events([_stored_event(served, event, now) for event in accepted]))
    refused = len(request.events) - len(accepted)
    return responses.with_version(served, accepted=len(accepted), unknown=refused)


async def receive_order(
    served: Served | StoreAlone, webhook: Webhook
) -> Annotated[Json, shapes.OrderReceived]:
    """Stores an order that a shop's webhook sends, in place of its earlier version, at once as purchases."""
    if (order := webhook.order) is None:
        return responses.with_version(served, order="ignored")
    changes = _require_changes(served)
    outcome = await _in_thread(lambda: orders.put(changes.store, order, changes.room))
    return responses.with_version(served, order=outcome)


async def forget_customer(
    served: Served | StoreAlone, request: ForgetRequest
) -> Annotated[Json, shapes.Forgotten]:
    """Forgets a customer: at once in all answers, and in the lake with the next nightly run."""
    changes = _require_changes(served)
    removed = await _in_thread(lambda: changes.forget(request.customer))
    return responses.with_version(served, forgotten=True, events=removed)


def _stored_event(served: Served | StoreAlone, event: Event, now: int) -> StoredEvent:
    time = None if event.time is None else min(int(event.time.timestamp() * MICROSECONDS_PER_SECOND), now)
    price = None if served.bundle is None else _price(served.bundle, event.product)
    return StoredEvent(event.customer, event.product, event.kind, time, event.id, price)


def _is_known(served: Served | StoreAlone, product: str) -> bool:
    """Returns whether the model knows a product; before the first model, any may be one."""
    return served.bundle is None or served.bundle.product(product) is not None


def _price(bundle: Bundle, product: str) -> float | None:
    row = bundle.product(product)
    price: float | None = None if row is None else responses.card(bundle, row)["price"]
    return price


def _require_changes(served: Served | StoreAlone) -> Changes:
    if served.changes is None:
        raise Problem(503, "no_store", "this service was started without a store of changes and events")
    return served.changes


async def _in_thread(write: Callable[[], T]) -> T:
    """Returns the result of a write, which runs in a thread because it waits for the disk."""
    try:
        return await asyncio.to_thread(write)
    except StoreError as error:
        raise Problem(503, "no_store", str(error)) from None
    except TooManyEventsError as error:
        raise Problem(429, "too_many_events", str(error), "customer") from None
    except StoreFullError as error:
        raise Problem(503, "store_full", str(error)) from None
