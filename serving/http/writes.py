"""The routes that change something: once they answer it is on disk, and the next answers reflect it."""

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

from serving.errors import Problem, StoreError
from serving.http import responses, shapes
from serving.http.endpoints import product_row
from serving.http.requests import Event, Events, ForgetRequest, ProductChange
from serving.http.responses import Json
from serving.live.changes import CHANGEABLE, Changes
from serving.live.served import Served
from serving.live.store import MICROSECONDS, now_microseconds
from serving.live.store import Event as Kept

T = TypeVar("T")


async def change_product(served: Served, asked: ProductChange) -> Annotated[Json, shapes.Changed]:
    """Changes stock, price or hidden of a product for every answer from now on, whichever model answers."""
    product_row(served.bundle, asked.product)
    given = {"stock": "in_stock", "price": "price", "hidden": "hidden"}
    values = {given[name]: getattr(asked, name) for name in asked.model_fields_set & given.keys()}
    if values.get("in_stock") is not None:
        values["in_stock"] = values["in_stock"] > 0
    changes = _changes(served)
    await _written(lambda: changes.change(asked.product, values))
    now = changes.state.products[asked.product]
    return responses.of(served, product=asked.product, **{name: now[name] for name in CHANGEABLE})


async def add_events(served: Served, asked: Events) -> Annotated[Json, shapes.Accepted]:
    """Keeps what customers did: purchases, views, carts, dismissals; their next answers reflect it."""
    now = now_microseconds()
    kept = [_kept(served, event, now) for event in asked.events]
    changes = _changes(served)
    await _written(lambda: changes.store.add(kept))
    return responses.of(served, accepted=len(kept))


async def forget_customer(served: Served, asked: ForgetRequest) -> Annotated[Json, shapes.Forgotten]:
    """Forgets a person: at once in every answer, and for good in the lake with the next night."""
    changes = _changes(served)
    gone = await _written(lambda: changes.forget(asked.customer))
    return responses.of(served, forgotten=True, events=gone)


def _kept(served: Served, event: Event, now: int) -> Kept:
    at = now if event.time is None else min(int(event.time.timestamp() * MICROSECONDS), now)
    row = served.bundle.product(event.product)
    price = None if row is None else responses.card(served.bundle, row)["price"]
    return Kept(event.customer, event.product, event.kind, at, event.id, price)


def _changes(served: Served) -> Changes:
    if served.changes is None:
        raise Problem(503, "no_store", "this service was started without a store of changes and events")
    return served.changes


async def _written(write: Callable[[], T]) -> T:
    """What writing gives, in a thread, since it waits for the disk."""
    try:
        return await asyncio.to_thread(write)
    except StoreError as error:
        raise Problem(503, "no_store", str(error)) from None
