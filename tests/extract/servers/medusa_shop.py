"""A shopper and an administrator of a Medusa shop, through its own store and admin APIs."""

from dataclasses import dataclass, field
from typing import Any

import httpx
from bought import Bought, Line, Shopper, to_one

CLIENT = httpx.Client(timeout=120, trust_env=False)
USER, PASSWORD = "admin@example.com", "a-password-for-tests"
PRODUCTS = 10
PAYMENT_DAYS = 30  # a payment alone doesn't change the order: the profile reads orders so long again
COUNTRY, CURRENCY = "de", "eur"
ADDRESS = {
    "first_name": "A",
    "last_name": "B",
    "address_1": "A street",
    "city": "A town",
    "postal_code": "1",
    "country_code": COUNTRY,
}
PAYMENTS = "fields=*payment_collections.payments,*payment_collections.payments.refunds"


@dataclass
class Api:
    """The shop's HTTP API, with the key of the administrator or of the store."""

    url: str
    auth: tuple[str, str] | None = None
    headers: dict[str, str] | None = None

    def get(self, path: str) -> Any:
        """Returns the only object of the response, or all if there are several."""
        return self._content(CLIENT.get(self.url + path, auth=self.auth, headers=self.headers))

    def post(self, path: str, **body: Any) -> Any:
        """Returns the only object of the response, or all if there are several."""
        return self._content(CLIENT.post(self.url + path, json=body, auth=self.auth, headers=self.headers))

    @staticmethod
    def _content(response: httpx.Response) -> Any:
        assert response.is_success, (
            f"{response.request.url.path} {response.status_code} {response.text[:500]}"
        )
        content = response.json()
        return next(iter(content.values())) if len(content) == 1 else content


@dataclass
class Store:
    """What an administrator set up in an empty shop."""

    secret: str
    publishable: str
    region: str
    shipping: str
    location: str
    variants: list[str]


def set_up(url: str) -> Store:
    """Makes keys, a region, shipping and products by the admin API."""
    token = Api(url).post("/auth/user/emailpass", email=USER, password=PASSWORD)
    admin = Api(url, headers={"Authorization": f"Bearer {token}"})
    channel = admin.get("/admin/sales-channels")["sales_channels"][0]["id"]
    profile = admin.get("/admin/shipping-profiles")["shipping_profiles"][0]["id"]
    publishable = admin.post("/admin/api-keys", title="store", type="publishable")
    admin.post(f"/admin/api-keys/{publishable['id']}/sales-channels", add=[channel])
    providers = ["pp_system_default"]
    region = admin.post(
        "/admin/regions",
        name="A region",
        currency_code=CURRENCY,
        countries=[COUNTRY],
        payment_providers=providers,
    )
    location = _location(admin, channel)
    return Store(
        secret=admin.post("/admin/api-keys", title="admin", type="secret")["token"],
        publishable=publishable["token"],
        region=region["id"],
        shipping=_shipping(admin, location, profile),
        location=location,
        variants=[
            variant for number in range(PRODUCTS) for variant in _product(admin, number, channel, profile)
        ],
    )


def _location(admin: Api, channel: str) -> str:
    address = {"address_1": "A street", "country_code": COUNTRY}
    location = str(admin.post("/admin/stock-locations", name="A warehouse", address=address)["id"])
    admin.post(f"/admin/stock-locations/{location}/fulfillment-providers", add=["manual_manual"])
    admin.post(f"/admin/stock-locations/{location}/sales-channels", add=[channel])
    return location


def _shipping(admin: Api, location: str, profile: str) -> str:
    sets = f"/admin/stock-locations/{location}/fulfillment-sets?fields=*fulfillment_sets"
    fulfilment = admin.post(sets, name="Shipping", type="shipping")["fulfillment_sets"][0]["id"]
    zone = admin.post(
        f"/admin/fulfillment-sets/{fulfilment}/service-zones",
        name="A zone",
        geo_zones=[{"type": "country", "country_code": COUNTRY}],
    )["service_zones"][0]["id"]
    option = admin.post(
        "/admin/shipping-options",
        name="Parcel",
        service_zone_id=zone,
        shipping_profile_id=profile,
        provider_id="manual_manual",
        price_type="flat",
        type={"label": "Parcel", "description": "Parcel", "code": "parcel"},
        prices=[{"currency_code": CURRENCY, "amount": 5}],
        rules=[],
    )
    return str(option["id"])


def _product(admin: Api, number: int, channel: str, profile: str) -> list[str]:
    """Makes a product with two variants, and returns their ids."""
    product = admin.post(
        "/admin/products",
        title=f"Product {number}",
        status="published",
        shipping_profile_id=profile,
        sales_channels=[{"id": channel}],
        options=[{"title": "size", "values": ["S", "L"]}],
        variants=[
            {
                "title": size,
                "sku": f"P{number}-{size}",
                "manage_inventory": False,
                "options": {"size": size},
                "prices": [{"currency_code": CURRENCY, "amount": number + 0.99}],
            }
            for size in "SL"
        ],
    )
    return [variant["id"] for variant in product["variants"]]


def _settled(order: Bought) -> bool:
    return order.pieces > 1 and not order.refunded


@dataclass
class MedusaShopper(Shopper):
    """Buys by the store API; edits, takes back, refunds and cancels by the admin API."""

    url: str = ""
    store: Store | None = None
    admin: Api = field(init=False)
    front: Api = field(init=False)
    unpaid: list[Bought] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert self.store
        self.admin = Api(self.url, auth=(self.store.secret, ""))
        self.front = Api(self.url, headers={"x-publishable-api-key": self.store.publishable})

    def acts(self) -> dict[str, int]:
        return {
            "place": 8,
            "order_unpaid": 1,
            "pay_later": 1,
            "leave_cart": 1,
            "capture": 2,
            "add_product": 2,
            "buy_fewer": 2,
            "take_back_piece": 2,
            "refund_amount": 1,
            "refund_all": 1,
            "cancel": 2,
        }

    def leave_cart(self) -> dict[str, Any]:
        """Fills a cart, and returns it."""
        assert self.store
        variants = self.rng.sample(self.store.variants, self.rng.randint(1, 4))
        return dict(
            self.front.post(
                "/store/carts",
                region_id=self.store.region,
                email=self.email(),
                shipping_address=ADDRESS,
                items=[{"variant_id": variant, "quantity": self.rng.randint(1, 4)} for variant in variants],
            )
        )

    def place(self) -> bool:
        assert self.store
        cart = self.leave_cart()
        self.front.post(f"/store/carts/{cart['id']}/shipping-methods", option_id=self.store.shipping)
        payment = self.front.post("/store/payment-collections", cart_id=cart["id"])["id"]
        sessions = f"/store/payment-collections/{payment}/payment-sessions"
        self.front.post(sessions, provider_id="pp_system_default")
        order = self.front.post(f"/store/carts/{cart['id']}/complete")["order"]
        self.orders[order["id"]] = Bought(order["id"], cart["email"], self.today, _lines(order))
        return True

    def order_unpaid(self) -> bool:
        """Makes a draft and turns it into an order that nobody has paid."""
        assert self.store
        variants = self.rng.sample(self.store.variants, self.rng.randint(1, 3))
        draft = self.admin.post(
            "/admin/draft-orders",
            region_id=self.store.region,
            email=self.email(),
            shipping_address=ADDRESS,
            items=[{"variant_id": variant, "quantity": self.rng.randint(1, 4)} for variant in variants],
        )
        order = self.admin.post(f"/admin/draft-orders/{draft['id']}/convert-to-order")
        lines = _lines(self.admin.get(f"/admin/orders/{order['id']}?fields=*items"))
        self.unpaid.append(Bought(order["id"], draft["email"], self.today, lines, counts=False))
        return True

    def pay_later(self) -> bool:
        """Marks an unpaid order as paid, which doesn't change the order itself."""
        order = next((order for order in self.unpaid if (self.today - order.day).days < PAYMENT_DAYS), None)
        if order is None:
            return False
        self.unpaid.remove(order)
        amount = sum(line.price * line.quantity for line in order.lines.values())
        payment = self.admin.post("/admin/payment-collections", order_id=order.order, amount=round(amount, 2))
        self.admin.post(f"/admin/payment-collections/{payment['id']}/mark-as-paid", order_id=order.order)
        order.counts = True
        self.orders[order.order] = order
        return True

    @to_one(lambda order: not order.edited)
    def capture(self, order: Bought) -> None:
        """Takes the payment of an order that was only authorised."""
        self._capture(order)

    @to_one(_settled)
    def add_product(self, order: Bought) -> None:
        """Adds pieces of a product to an order, and marks them as paid."""
        assert self.store
        item = {"variant_id": self.rng.choice(self.store.variants), "quantity": self.rng.randint(1, 3)}
        self._edit(order, "items", items=[item])

    @to_one(_settled)
    def buy_fewer(self, order: Bought) -> None:
        """Lowers the quantity of a line by one, and refunds its price."""
        line = self.line(order)
        self._edit(order, f"items/item/{line}", quantity=order.lines[line].quantity - 1)
        self._refund(order, order.lines[line].price)

    @to_one(_settled)
    def take_back_piece(self, order: Bought) -> None:
        """Ships a line, takes one piece back, and refunds its price."""
        line = self.line(order)
        self._capture(order)
        self._take_back(order.order, line, order.lines[line].quantity)
        order.lines[line].returned += 1
        self._refund(order, order.lines[line].price)

    @to_one()
    def refund_amount(self, order: Bought) -> None:
        """Refunds a cent for no piece in particular."""
        self._capture(order)
        self._refund(order, 0.01)

    @to_one()
    def refund_all(self, order: Bought) -> None:
        self._capture(order)
        for payment, rest in self._payments(order).items():
            if rest > 0:
                self.admin.post(f"/admin/payments/{payment}/refund", amount=rest)
        order.counts = False

    @to_one(lambda order: not order.refunded)  # the shop cancels nothing that it shipped
    def cancel(self, order: Bought) -> None:
        self.admin.post(f"/admin/orders/{order.order}/cancel")
        order.counts = False

    def _collections(self, order: Bought) -> list[dict[str, Any]]:
        found = self.admin.get(f"/admin/orders/{order.order}?{PAYMENTS}")
        return list(found["payment_collections"])

    def _payments(self, order: Bought) -> dict[str, float]:
        """Returns how much of each payment is left to refund."""
        return {
            payment["id"]: round(payment["amount"] - sum(r["amount"] for r in payment["refunds"]), 2)
            for collection in self._collections(order)
            for payment in collection["payments"]
        }

    def _capture(self, order: Bought) -> None:
        for collection in self._collections(order):
            for payment in collection["payments"]:
                if not payment["captured_at"]:
                    self.admin.post(f"/admin/payments/{payment['id']}/capture")

    def _edit(self, order: Bought, path: str, **change: Any) -> None:
        self._capture(order)
        self.admin.post("/admin/order-edits", order_id=order.order)
        self.admin.post(f"/admin/order-edits/{order.order}/{path}", **change)
        self.admin.post(f"/admin/order-edits/{order.order}/request")
        self.admin.post(f"/admin/order-edits/{order.order}/confirm")
        for collection in self._collections(order):
            if collection["status"] == "not_paid":
                paid = f"/admin/payment-collections/{collection['id']}/mark-as-paid"
                self.admin.post(paid, order_id=order.order)
        order.update(_lines(self.admin.get(f"/admin/orders/{order.order}?fields=*items")))

    def _take_back(self, order: str, line: str, quantity: int) -> None:
        assert self.store
        shipped = [{"id": line, "quantity": quantity}]
        location = self.store.location
        self.admin.post(f"/admin/orders/{order}/fulfillments", location_id=location, items=shipped)
        back = self.admin.post("/admin/returns", order_id=order, location_id=location)["return"]["id"]
        piece = [{"id": line, "quantity": 1}]
        self.admin.post(f"/admin/returns/{back}/request-items", items=piece)
        self.admin.post(f"/admin/returns/{back}/request")
        self.admin.post(f"/admin/returns/{back}/receive")
        self.admin.post(f"/admin/returns/{back}/receive-items", items=piece)
        self.admin.post(f"/admin/returns/{back}/receive/confirm")

    def _refund(self, order: Bought, amount: float) -> None:
        payment, rest = max(self._payments(order).items(), key=lambda item: item[1])
        if rest >= amount:
            self.admin.post(f"/admin/payments/{payment}/refund", amount=amount)


def _lines(order: dict[str, Any]) -> dict[str, Line]:
    return {
        item["id"]: Line(item["variant_sku"], item["unit_price"], item["quantity"]) for item in order["items"]
    }
