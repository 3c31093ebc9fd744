"""A shop whose API is written from its public documentation, with faults and with orders that change."""

import asyncio
import datetime as dt
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response

DAYS = 40
PRODUCTS = 12
FAULTS = ("busy", "error", "dropped", "cut off", "slow")


@dataclass
class Line:
    """One line of an order."""

    product: int
    pieces: int
    price: float
    returned: int = 0


@dataclass
class Order:
    """An order, as the shop has it."""

    number: int
    at: dt.datetime
    customer: int  # 0: a guest
    lines: list[Line]
    state: str = "paid"  # or cancelled, unpaid, refunded
    changed: dt.datetime = field(init=False)

    def __post_init__(self):
        self.changed = self.at

    @property
    def has_returns(self):
        return any(line.returned for line in self.lines)


@dataclass
class RecordedShop:
    """A shop; a subclass has the routes of its API.

    acts: how often a customer or the shop does something while requests are answered, about every other one.
    faults: the share of requests that fail in one of the ways of FAULTS.
    """

    seed: int
    acts: int = 0
    faults: float = 0
    orders: dict[int, Order] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    failed: Counter = field(default_factory=Counter)

    def __post_init__(self):
        self.rng = random.Random(self.seed)
        self.app = Starlette(routes=self.routes())

    def routes(self) -> list[Any]:
        raise NotImplementedError

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            self.requests.append(scope["path"])
            if self.acts and self.rng.random() < 0.5:
                self.acts -= 1
                self.act()
            if self.rng.random() < self.faults and await self.fail(scope, receive, send):
                return
        await self.app(scope, receive, send)

    async def fail(self, scope, receive, send):
        """Fails in one way; returns whether that was the response."""
        fault = self.rng.choice(FAULTS)
        self.failed[fault] += 1
        if fault == "slow":
            await asyncio.sleep(0.05)
            return False
        if fault in ("busy", "error"):
            response = self.busy() if fault == "busy" else Response("oh", 503)
            await response(scope, receive, send)
            return True
        length = [(b"content-length", b"99")] if fault == "dropped" else []
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": b'{"', "more_body": fault == "dropped"})
        if fault == "dropped":
            raise ConnectionError
        return True

    def busy(self) -> Response:
        """The response to too many requests."""
        return Response("", 429, {"Retry-After": "0"})

    def fill(self, count):
        """Adds orders of the last days, oldest first."""
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        ages = sorted((self.rng.uniform(1.5, DAYS) for _ in range(count)), reverse=True)
        for age in ages:
            self.place(now - dt.timedelta(days=age))
        for order in self.orders.values():
            order.state = self.rng.choices(["paid", "cancelled", "unpaid", "refunded"], [8, 1, 1, 1])[0]
        return self

    def place(self, at=None):
        number = 1000 + len(self.orders)
        products = self.rng.sample(range(1, PRODUCTS + 1), self.rng.randint(1, 3))
        lines = [Line(product, self.rng.randint(1, 4), 5.0 + product / 4) for product in products]
        at = (at or dt.datetime.now(dt.UTC)).replace(microsecond=0)
        customer = self.rng.choice([0, *range(1, 30)])
        self.orders[number] = Order(number, at, customer, lines)
        return self.orders[number]

    def act(self):
        """Places, cancels, refunds, pays or edits one order."""
        act = self.rng.choice(["place", "place", "cancel", "refund all", "refund piece", "pay", "edit"])
        if act == "place" or not self.orders:
            self.place()
            return
        order = self.rng.choice(list(self.orders.values()))
        order.changed = dt.datetime.now(dt.UTC).replace(microsecond=0)
        line = self.rng.choice(order.lines)
        if act == "cancel":
            order.state = "cancelled"
        elif act == "refund all":
            order.state = "refunded"
        elif act == "pay":
            order.state = "paid"
        elif act == "refund piece" and line.returned < line.pieces:
            line.returned += 1
        elif act == "edit" and not order.has_returns:
            line.pieces += 1

    def truth(self):
        """Returns what should be learned: pieces and price by order, customer and product."""
        kept = {}
        for order in self.orders.values():
            for line in order.lines if order.state == "paid" else ():
                if line.pieces > line.returned:
                    key = str(order.number), str(order.customer or ""), str(line.product)
                    kept[key] = (line.pieces - line.returned, line.price)
        return kept

    def states(self):
        """Returns the state of each order that should be left out."""
        return {str(order.number): order.state for order in self.orders.values() if order.state != "paid"}


def page_of(entries, page, size):
    return entries[(page - 1) * size : page * size]


def refused(request, header, value):
    """Returns the response to a request without the right credentials, or None."""
    return None if request.headers.get(header) == value else JSONResponse({"message": "no"}, 401)
