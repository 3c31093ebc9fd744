"""A shopper and an administrator of a Vendure shop, through its own two APIs."""

from dataclasses import dataclass, field
from typing import Any

import httpx
from bought import Bought, Line, Shopper

CLIENT = httpx.Client(timeout=60, trust_env=False)  # one for all sessions: each carries its own token
USER, PASSWORD = "admin", "a password for tests"
METHOD = "dummy-payment"
REFUND_DAYS = 60  # a refund alone doesn't change the order: the profile reads orders so long again
LOG_IN = """mutation($name: String!, $password: String!) {
  login(username: $name, password: $password) { __typename ... on ErrorResult { errorCode message } }
}"""
ORDER = "... on Order { id state lines { id quantity unitPriceWithTax productVariant { sku } } }"
FAILED = "... on ErrorResult { errorCode message }"
ADD = (
    "mutation($variant: ID!, $n: Int!) { addItemToOrder(productVariantId: $variant, quantity: $n) { %s %s } }"
)
ADD %= ORDER, FAILED
CHECK_OUT = f"""mutation($email: String!, $method: ID!) {{
  a: setCustomerForOrder(input: {{ firstName: "A", lastName: "B", emailAddress: $email }}) {{ {FAILED} }}
  b: setOrderShippingAddress(input: {{ streetLine1: "A street", countryCode: "GB" }}) {{ {FAILED} }}
  c: setOrderShippingMethod(shippingMethodId: [$method]) {{ {FAILED} }}
  d: transitionOrderToState(state: "ArrangingPayment") {{ {ORDER} {FAILED} }}
}}"""
PAY = 'mutation { addPaymentToOrder(input: { method: "%s", metadata: {} }) { %s %s } }' % (
    METHOD,
    ORDER,
    FAILED,
)
MOVE = "mutation($id: ID!, $to: String!) { transitionOrderToState(id: $id, state: $to) { %s %s } }"
MOVE %= ORDER, FAILED
MODIFY = "mutation($input: ModifyOrderInput!) { modifyOrder(input: $input) { %s %s } }" % (ORDER, FAILED)
PAY_MORE = "mutation($input: ManualPaymentInput!) { addManualPaymentToOrder(input: $input) { %s } }" % FAILED
CANCEL = "mutation($input: CancelOrderInput!) { cancelOrder(input: $input) { %s %s } }" % (ORDER, FAILED)
REFUND = (
    "mutation($input: RefundOrderInput!) { refundOrder(input: $input) { ... on Refund { id } %s } }" % FAILED
)
SETTLE = 'mutation($id: ID!) { settleRefund(input: { id: $id, transactionId: "1" }) { %s } }' % FAILED
PAYMENTS = "query($id: ID!) { order(id: $id) { payments { id amount refunds { total } } } }"


@dataclass
class Api:
    """One of the shop's two GraphQL APIs, with the session of one user."""

    url: str
    token: str = ""

    def __call__(self, query: str, **variables: Any) -> dict[str, Any]:
        """Returns the data of the response; fails on any error the shop reports."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        body = {"query": query, "variables": variables}
        response = CLIENT.post(self.url, json=body, headers=headers)
        self.token = response.headers.get("vendure-auth-token", self.token)
        content = response.json()
        assert not content.get("errors"), content["errors"]
        failed = [part for part in content["data"].values() if isinstance(part, dict) and "errorCode" in part]
        assert not failed, failed
        return dict(content["data"])

    def one(self, query: str, **variables: Any) -> dict[str, Any]:
        """Returns the only field of the response's data."""
        return dict(next(iter(self(query, **variables).values())))


@dataclass
class VendureShopper(Shopper):
    """Buys by the shop API; edits, refunds and cancels by the admin API."""

    url: str = ""
    admin: Api = field(init=False)
    waiting: list[tuple[Api, str]] = field(default_factory=list)  # checkouts not paid yet, with the e-mail

    def __post_init__(self) -> None:
        self.admin = log_in(self.url)
        found = self.admin.one("{ productVariants { items { id sku } } }")["items"]
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
        session = Api(f"{self.url}/shop-api")
        for variant in self.rng.sample(self.variants, self.rng.randint(1, 4)):
            session.one(ADD, variant=variant, n=self.rng.randint(1, 4))
        return session

    def check_out_without_paying(self) -> bool:
        session, email = self.leave_cart(), self.email()
        session(CHECK_OUT, email=email, method="1")
        self.waiting.append((session, email))
        return True

    def pay_later(self) -> bool:
        """Pays a checkout of earlier; nothing but the payment changes then."""
        if not self.waiting:
            return False
        self._pay(*self.waiting.pop(0))
        return True

    def place(self) -> bool:
        session, email = self.leave_cart(), self.email()
        session(CHECK_OUT, email=email, method="1")
        self._pay(session, email)
        return True

    def _pay(self, session: Api, email: str) -> None:
        placed = session.one(PAY)
        self.orders[placed["id"]] = Bought(placed["id"], email, self.today, _lines(placed))

    def add_product(self) -> bool:
        """Adds pieces of a product to an order, and pays for them."""
        order = self.one(_settled)
        if order is None:
            return False
        item = {"productVariantId": self.rng.choice(self.variants), "quantity": self.rng.randint(1, 3)}
        self._move(order, "Modifying")
        self._modify(order, addItems=[item])
        self._move(order, "ArrangingAdditionalPayment")
        paid = {"orderId": order.order, "method": METHOD, "transactionId": "2", "metadata": {}}
        self.admin(PAY_MORE, input=paid)
        self._move(order, "PaymentSettled")
        return True

    def buy_fewer(self) -> bool:
        """Lowers the quantity of a line by one, which the shop refunds."""
        order = self.one(_unreturned)
        if order is None:
            return False
        line = self._line(order)
        self._move(order, "Modifying")
        fewer = {"orderLineId": line, "quantity": order.lines[line].quantity - 1}
        payment, rest = self._payment(order)
        refund = {"paymentId": payment, "amount": min(rest, round(order.lines[line].price * 100))}
        self._modify(order, adjustOrderLines=[fewer], refunds=[refund])
        self._move(order, "PaymentSettled")
        return True

    def cancel_piece(self) -> bool:
        """Cancels one piece of a line, without a refund."""
        order = self.one(_unreturned)
        if order is None:
            return False
        self._cancel(order, [{"orderLineId": self._line(order), "quantity": 1}])
        return True

    def refund_piece(self) -> bool:
        """Refunds one piece of a line; the shop goes on stating the line's quantity."""
        order = self.one_of_late(REFUND_DAYS, _unlowered)
        if order is None:
            return False
        line = self._line(order)
        self._refund(order, {line: 1})
        order.lines[line].returned += 1
        return True

    def take_back_piece(self) -> bool:
        """Refunds one piece of a line and cancels it, as the shop's dashboard does for goods sent back."""
        order = self.one(_settled)
        if order is None:
            return False
        line = self._line(order)
        self._refund(order, {line: 1})
        self._cancel(order, [{"orderLineId": line, "quantity": 1}])
        return True

    def refund_all(self) -> bool:
        order = self.one_of_late(REFUND_DAYS, lambda order: not order.edited)
        if order is None:
            return False
        _, rest = self._payment(order)
        self._refund(order, {key: line.kept for key, line in order.lines.items() if line.kept}, amount=rest)
        order.counts = False
        return True

    def cancel(self) -> bool:
        order = self.one()
        if order is None:
            return False
        self._cancel(order, None)
        order.counts = False
        return True

    def _line(self, order: Bought) -> str:
        return self.rng.choice([key for key, line in order.lines.items() if line.kept])

    def _move(self, order: Bought, to: str) -> None:
        self.admin.one(MOVE, id=order.order, to=to)

    def _modify(self, order: Bought, **changes: Any) -> None:
        changed = self.admin.one(MODIFY, input={"dryRun": False, "orderId": order.order, **changes})
        order.update(_lines(changed))

    def _cancel(self, order: Bought, lines: list[dict[str, Any]] | None) -> None:
        changed = self.admin.one(CANCEL, input={"orderId": order.order, "lines": lines, "reason": "a test"})
        order.update(_lines(changed))

    def _payment(self, order: Bought) -> tuple[str, int]:
        """Returns the payment with most left to refund, and how much that is."""
        payments = self.admin.one(PAYMENTS, id=order.order)["payments"]
        left = {part["id"]: part["amount"] - sum(r["total"] for r in part["refunds"]) for part in payments}
        return max(left.items(), key=lambda item: item[1])

    def _refund(self, order: Bought, lines: dict[str, int], **amount: int) -> None:
        refund = self.admin.one(
            REFUND,
            input={
                "paymentId": self._payment(order)[0],
                "lines": [{"orderLineId": line, "quantity": n} for line, n in lines.items()],
                "shipping": 0,
                "adjustment": 0,
                "reason": "a test",
                **amount,
            },
        )
        self.admin(SETTLE, id=refund["id"])


def log_in(url: str) -> Api:
    """Returns the admin API with the session of the administrator."""
    admin = Api(f"{url}/admin-api")
    admin(LOG_IN, name=USER, password=PASSWORD)
    return admin


def _lines(order: dict[str, Any]) -> dict[str, Line]:
    return {
        line["id"]: Line(line["productVariant"]["sku"], line["unitPriceWithTax"] / 100, line["quantity"])
        for line in order["lines"]
    }


def _settled(order: Bought) -> bool:
    return order.pieces > 1 and not order.lowered and not order.refunded


def _unlowered(order: Bought) -> bool:
    return order.pieces > 1 and not order.lowered


def _unreturned(order: Bought) -> bool:
    return order.pieces > 1 and not order.refunded
