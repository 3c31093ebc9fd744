"""What was bought at a shop under test, as kept by the shopper who did it."""

import datetime as dt
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

CUSTOMERS = 12
Row = tuple[str, str, str, float, float]  # order, customer's e-mail, product, quantity, unit price


@dataclass
class Line:
    """One line of an order."""

    product: str  # the SKU
    price: float  # of one piece, in the shop's currency
    quantity: int  # as the shop states it now
    returned: int = 0  # pieces that were refunded while the shop goes on stating them

    @property
    def kept(self) -> int:
        return self.quantity - self.returned


@dataclass
class Bought:
    """An order that was placed."""

    order: str
    customer: str  # the e-mail
    day: dt.date
    lines: dict[str, Line]  # by the shop's id of the line
    counts: bool = True  # False once it is cancelled, or refunded in full
    edited: bool = False
    lowered: bool = False  # whether the shop states fewer pieces of a line than it once did

    @property
    def refunded(self) -> bool:
        return any(line.returned for line in self.lines.values())

    @property
    def pieces(self) -> int:
        return sum(line.kept for line in self.lines.values())

    def update(self, lines: dict[str, Line]) -> None:
        """Adopts the quantities that the shop states after a change; a line may be missing."""
        for key in self.lines.keys() - lines.keys():
            self.lines[key].quantity = 0
        for key, line in lines.items():
            before = self.lines.setdefault(key, line)
            self.lowered |= line.quantity < before.quantity
            before.quantity = line.quantity
        self.edited = True

    def rows(self) -> Iterator[Row]:
        """Yields what should be learned of the order: its kept pieces by product."""
        kept: dict[str, list[float]] = {}
        for line in self.lines.values():
            kept.setdefault(line.product, [0, line.price])[0] += line.kept
        for product, (quantity, price) in kept.items():
            if self.counts and quantity:
                yield self.order, self.customer, product, float(quantity), price


Suits = Callable[[Bought], bool]


def any_order(_: Bought) -> bool:
    return True


@dataclass
class Shopper:
    """Buys at a shop and changes its orders, at random; a subclass says how each act is done."""

    rng: Random
    orders: dict[str, Bought] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)  # the number of acts by kind
    today: dt.date = dt.date.min  # of the shop's clock

    def acts(self) -> dict[str, int]:
        """Returns the names of the methods that act, each with its share."""
        raise NotImplementedError

    def act(self) -> None:
        """Does one act, and counts it unless no order suits it."""
        shares = self.acts()
        if not self.orders:
            shares = {"place": 1}
        name = self.rng.choices(list(shares), list(shares.values()))[0]
        if getattr(self, name)():
            self.done[name] = self.done.get(name, 0) + 1

    def rows(self) -> list[Row]:
        """Returns all that should be learned, in ascending order."""
        return sorted(row for order in self.orders.values() for row in order.rows())

    def one(self, suits: Suits, days: int | None = None) -> Bought | None:
        """Returns a random order that counts and suits, of the last so many days, or None."""
        suitable = [order for order in self.orders.values() if order.counts and suits(order)]
        suitable = [order for order in suitable if days is None or (self.today - order.day).days < days]
        return self.rng.choice(suitable) if suitable else None

    def line(self, order: Bought) -> str:
        """Returns the id of a random line of which pieces were kept."""
        return self.rng.choice([key for key, line in order.lines.items() if line.kept])

    def email(self) -> str:
        """Returns the e-mail of a random customer."""
        return f"customer{self.rng.randrange(CUSTOMERS)}@example.com"


def to_one(suits: Suits = any_order, days: int | None = None) -> Callable[..., Callable[[Any], bool]]:
    """Turns what a shopper does to an order into an act, which draws an order by Shopper.one.

    The act returns False without such an order.
    """

    def act_of(change: Callable[[Any, Bought], None]) -> Callable[[Any], bool]:
        @functools.wraps(change)
        def act(shopper: Any) -> bool:
            order = shopper.one(suits, days)
            if order is not None:
                change(shopper, order)
            return order is not None

        return act

    return act_of
