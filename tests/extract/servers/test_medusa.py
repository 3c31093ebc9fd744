"""The orders of a real Medusa server are learned as the shop has them, also while they change."""

from homes import SOAK, in_soak
from shop_nights import check, live_through

pytestmark = in_soak  # 668 MB of packages, three minutes to install

NIGHTS = 200 if SOAK else 3


def test_what_is_learned_equals_the_shop(medusa):
    shopper, shop, clock = medusa
    for _ in range(30):
        shopper.act()
    shop.pull(clock.today)
    check(shopper, shop)


def test_an_order_counts_once_it_is_paid_and_no_longer_once_it_is_cancelled(medusa):
    shopper, shop, clock = medusa
    clock.set(10)
    shopper.today = clock.today
    shopper.order_unpaid()
    shopper.place()
    shop.pull(clock.today)
    check(shopper, shop)
    assert set(shop.left_out()) == {"unpaid"}
    clock.set(1)
    shopper.today = clock.today
    shopper.pay_later()
    shop.pull(clock.today)
    check(shopper, shop)
    shopper.cancel()
    shopper.cancel()
    shop.pull(clock.today)
    check(shopper, shop)
    assert set(shop.left_out()) == {"cancelled"}


def test_nights_of_changing_orders_and_faults(medusa, seed):
    live_through(NIGHTS, *medusa, seed)
