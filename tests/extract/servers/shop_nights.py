"""Nightly runs of a shop whose orders change between the pulls and during them."""

from concurrent.futures import ThreadPoolExecutor
from random import Random

BETWEEN, DURING = 4, 4  # acts at the shop, at most


def live_through(nights, shopper, shop, clock, seed):
    """Pulls after each of so many days, of which the last is today; each time raw/ must equal the shop.

    A first pull of the night runs while orders are placed, edited, refunded and cancelled, and through a
    proxy that breaks. The second one finds the shop at rest, and must leave raw/ as the shop is. Prints
    figures.
    """
    rng = Random(seed)
    for days_ago in range(nights - 1, -1, -1):
        clock.set(days_ago)
        shopper.today = clock.today
        _act(shopper, rng.randint(1, BETWEEN))
        shop.proxy.calm = False
        if shopper.orders:
            with ThreadPoolExecutor(1) as pool:
                acting = pool.submit(_act, shopper, rng.randint(1, DURING))
                shop.pull(clock.today)
                acting.result()
            shop.pull(clock.today)
            check(shopper, shop)
        if days_ago % 20 == 0:
            print(
                f"{nights - days_ago} nights", shopper.done, shop.proxy.drawn, f"{shop.failed} pulls failed"
            )


def check(shopper, shop):
    """Asserts that what is learned is what the customers kept: none lost, doubled or learned by mistake."""
    learned, bought = shop.rows(), shopper.rows()
    lost, vain = sorted({*bought} - {*learned}), sorted({*learned} - {*bought})
    assert not lost and not vain, f"lost {lost}, learned in vain {vain}"
    assert len(learned) == len(bought), "doubled"


def _act(shopper, times):
    for _ in range(times):
        shopper.act()
