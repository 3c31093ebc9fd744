"""A shopper and an administrator of a Vendure shop, through its own two APIs."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from bought import Bought, Line, Shopper, to_one

FOLDER = Path(__file__).parent / "vendure"
CLIENT = httpx.Client(timeout=60, trust_env=False)  # one for all sessions: each carries its own token
USER, PASSWORD = "admin", "a password for tests"
SHOP, ADMIN = ((FOLDER / f"{name}.graphql").read_text() for name in ("shop", "admin"))
METHOD = "dummy-payment"
# A refund, and an edit that lowers a line, leave the time of the order's last change as it was: the profile
# reads orders so long again.
SILENT_DAYS = 60


@dataclass
class Api:
    """One of the shop's two GraphQL APIs, with the session of one user."""

    url: str
    document: str  # with the operations, by name
    token: str = ""

    def __call__(self, operation: str, **variables: Any) -> dict[str, Any]:
        """Returns the data of the response; fails on any error that the shop reports."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        body = {"query": self.document, "operationName": operation, "variables": variables}
        response = CLIENT.post(self.url, json=body, headers=headers)
        self.token = response.headers.get("vendure-auth-token", self.token)
        content = response.json()
        assert not content.get("errors"), content["errors"]
        failed = [part for part in content["data"].values() if "errorCode" in part]
        assert not failed, failed
        return dict(content["data"])

    def one(self, operation: str, **variables: Any) -> dict[str, Any]:
        """Returns the only field of the response's data."""
        return dict(next(iter(self(operation, **variables).values())))


def _settled(order: Bought) -> bool:
    return order.pieces > 1 and not order.lowered and not order.refunded


def _unlowered(order: Bought) -> bool:
    return order.pieces > 1 and not order.lowered


def _unreturned(order: Bought) -> bool:
    return order.pieces > 1 and not order.refunded


@dataclass
class VendureShopper(Shopper):
    """Buys by the shop API; edits, refunds and cancels by the admin API."""

    url: str = ""
    admin: Api = field(init=False)
    waiting: list[tuple[Api, str]] = field(default_factory=list)  # checkouts not paid yet, with the e-mail

    def __post_init__(self) -> None:
        self.admin = log_in(self.url)
        found = self.admin.one("Variants")["items"]
        self.variants = [variant["id"] for variant in found]

    def acts(self) -> dict[str, int]:
        return {
            "place": 8,
            "leave_cart": 2,
            "check_out_without_paying": 1,
            "pay_later": 1,
            "add_product": 2,
            "buy_fewer": 2,
            "cancel_piece": 1,
            "refund_piece": 2,
            "take_back_piece": 1,
            "refund_all": 1,
            "cancel": 2,
        }

    def leave_cart(self) -> Api:
        """Fills a cart, and returns the session that holds it."""
        session = Api(f"{self.url}/shop-api", SHOP)
        for variant in self.rng.sample(self.variants, self.rng.randint(1, 4)):
            session.one("AddItem", variant=variant, quantity=self.rng.randint(1, 4))
        return session

    def check_out_without_paying(self) -> bool:
        session, email = self.leave_cart(), self.email()
        session("CheckOut", email=email, method="1")
        self.waiting.append((session, email))
        return True

    def pay_later(self) -> bool:
        """Pays an earlier checkout, which changes only the payment."""
        if not self.waiting:
            return False
        self._pay(*self.waiting.pop(0))
        return True

    def place(self) -> bool:
        session, email = self.leave_cart(), self.email()
        session("CheckOut", email=email, method="1")
        self._pay(session, email)
        return True

    def _pay(self, session: Api, email: str) -> None:
        placed = session.one("Pay", method=METHOD)
        self.orders[placed["id"]] = Bought(placed["id"], email, self.today, _lines(placed))

    @to_one(_settled)
    def add_product(self, order: Bought) -> None:
        """Adds pieces of a product to an order, and pays for them."""
        item = {"productVariantId": self.rng.choice(self.variants), "quantity": self.rng.randint(1, 3)}
        self._move(order, "Modifying")
        self._modify(order, addItems=[item])
        self._move(order, "ArrangingAdditionalPayment")
        paid = {"orderId": order.order, "method": METHOD, "transactionId": "2", "metadata": {}}
        self.admin("PayMore", input=paid)
        self._move(order, "PaymentSettled")

    @to_one(_unreturned, days=SILENT_DAYS)
    def buy_fewer(self, order: Bought) -> None:
        """Lowers the quantity of a line by one, which the shop refunds."""
        line = self.line(order)
        self._move(order, "Modifying")
        fewer = {"orderLineId": line, "quantity": order.lines[line].quantity - 1}
        payment, rest = self._payment(order)
        refund = {"paymentId": payment, "amount": min(rest, round(order.lines[line].price * 100))}
        self._modify(order, adjustOrderLines=[fewer], refunds=[refund])
        self._move(order, "PaymentSettled")

    @to_one(_unreturned)
    def cancel_piece(self, order: Bought) -> None:
        """Cancels one piece of a line, without a refund."""
        self._cancel(order, [{"orderLineId": self.line(order), "quantity": 1}])

    @to_one(_unlowered, days=SILENT_DAYS)
    def refund_piece(self, order: Bought) -> None:
        """Refunds one piece of a line; the shop still states the line's full quantity."""
        line = self.line(order)
        self._refund(order, {line: 1})
        order.lines[line].returned += 1

    @to_one(_settled)
    def take_back_piece(self, order: Bought) -> None:
        """Refunds one piece of a line and cancels it, as the shop's dashboard does for goods sent back."""
        line = self.line(order)
        self._refund(order, {line: 1})
        self._cancel(order, [{"orderLineId": line, "quantity": 1}])

    @to_one(lambda order: not order.edited, days=SILENT_DAYS)
    def refund_all(self, order: Bought) -> None:
        _, rest = self._payment(order)
        self._refund(order, {key: line.kept for key, line in order.lines.items() if line.kept}, amount=rest)
        order.counts = False

    @to_one()
    def cancel(self, order: Bought) -> None:
        self._cancel(order, None)
        order.counts = False

    def _move(self, order: Bought, to: str) -> None:
        self.admin.one("Move", id=order.order, to=to)

    def _modify(self, order: Bought, **changes: Any) -> None:
        changed = self.admin.one("Modify", input={"dryRun": False, "orderId": order.order, **changes})
        order.update(_lines(changed))

    def _cancel(self, order: Bought, lines: list[dict[str, Any]] | None) -> None:
        changed = self.admin.one("Cancel", input={"orderId": order.order, "lines": lines, "reason": "a test"})
        order.update(_lines(changed))

    def _payment(self, order: Bought) -> tuple[str, int]:
        """Returns the payment with most left to refund, and how much that is."""
        payments = self.admin.one("Payments", id=order.order)["payments"]
        left = {part["id"]: part["amount"] - sum(r["total"] for r in part["refunds"]) for part in payments}
        return max(left.items(), key=lambda item: item[1])

    def _refund(self, order: Bought, lines: dict[str, int], **amount: int) -> None:
        refund = self.admin.one(
            "Refund",
            input={
                "paymentId": self._payment(order)[0],
                "lines": [{"orderLineId": line, "quantity": n} for line, n in lines.items()],
                "shipping": 0,
                "adjustment": 0,
                "reason": "a test",
                **amount,
            },
        )
        self.admin("Settle", id=refund["id"])


def log_in(url: str) -> Api:
    """Returns the admin API with the session of the administrator."""
    admin = Api(f"{url}/admin-api", ADMIN)
    admin("LogIn", name=USER, password=PASSWORD)
    return admin


def _lines(order: dict[str, Any]) -> dict[str, Line]:
    return {
        line["id"]: Line(line["productVariant"]["sku"], line["unitPriceWithTax"] / 100, line["quantity"])
        for line in order["lines"]
    }
