"""The orders of a real Vendure server are learned as the shop has them, also while they change."""

from homes import SOAK
from shop_nights import check, live_through

NIGHTS = 200 if SOAK else 5


def test_what_is_learned_equals_the_shop(vendure):
    shopper, shop, clock = vendure
    for _ in range(40):
        shopper.act()
    shop.pull(clock.today)
    check(shopper, shop)


def test_carts_are_not_read(vendure):
    shopper, shop, clock = vendure
    shopper.place()
    shopper.leave_cart()
    shopper.check_out_without_paying()
    shop.pull(clock.today)
    assert set(shop.lines()["order_id"]) <= _placed(shopper)


def test_what_the_shop_changes_without_saying_so_is_learned(vendure):
    """A refund and a late payment leave the time of the order's last change as it was."""
    shopper, shop, clock = vendure
    clock.set(40)
    shopper.today = clock.today
    shopper.place()
    old = next(iter(shopper.orders.values()))
    shopper.check_out_without_paying()
    clock.set(20)
    shopper.place()
    shop.pull(clock.today)
    clock.set(1)
    shopper.today = clock.today
    before = _changed_at(shopper, old)
    while not shopper.refund_piece():
        shopper.place()
    shopper.pay_later()
    shop.pull(clock.today)
    assert _changed_at(shopper, old) == before
    check(shopper, shop)


def test_nights_of_changing_orders_and_faults(vendure, seed):
    live_through(NIGHTS, *vendure, seed)


def _placed(shopper):
    return {order["id"] for order in shopper.admin.one("PlacedOrders")["items"]}


def _changed_at(shopper, order):
    return shopper.admin.one("ChangedAt", id=order.order)["updatedAt"]
