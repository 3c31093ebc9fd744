"""The errors in the demo shop's listing: their shares, and the clean orders beneath them."""

import datetime as dt
import re
from collections import Counter, defaultdict
from itertools import islice

import numpy as np
import pytest

from pipelines.demo.dirt import (
    ANONYMOUS,
    DUPLICATES,
    EMPTY_LINES,
    PLACEHOLDER_PHONES,
    PLACEHOLDERS,
    SHAPE_SHARES,
    Dirt,
    Listing,
    Order,
)
from pipelines.demo.shop import Day, Shop
from serving.live.identity import canonical
from serving.settings import PROJECT

pytestmark = pytest.mark.fast

SHAPES = (r"\+7\(\d{3}\)\d{3}-\d{4}", r"\+7 \(\d{3}\) \d{3}-\d{4}", r"7\d{10}")
SIGMAS = 4.5


@pytest.fixture(scope="module")
def dirt() -> Dirt:
    shop = Shop(start=dt.date(2026, 9, 22), seed=7, customers=2000, products=400)
    print(f"seed {shop.seed}")
    return Dirt(shop)


@pytest.fixture(scope="module")
def days(dirt: Dirt) -> list[Day]:
    return list(islice(dirt.shop.days(), 30))


@pytest.fixture(scope="module")
def listings(dirt: Dirt, days: list[Day]) -> list[Listing]:
    return [dirt.listing(day) for day in days]


def distinct(listing: Listing) -> list[Order]:
    """The orders without duplicates, in the order of their first appearance."""
    return list({order["id"]: order for order in listing.orders}.values())


def within(count: int, share: float, of: int) -> bool:
    return abs(count - share * of) < SIGMAS * np.sqrt(of * share * (1 - share))


def test_a_day_is_always_listed_the_same(dirt: Dirt, days: list[Day], listings: list[Listing]) -> None:
    assert Dirt(dirt.shop).listing(days[3]) == listings[3]


def test_without_the_errors_the_listing_is_the_clean_orders(
    dirt: Dirt, days: list[Day], listings: list[Listing]
) -> None:
    ids = [product.id for product in dirt.shop.catalogue]
    for day, listing in zip(days, listings, strict=True):
        orders = distinct(listing)
        assert [order["id"] for order in orders] == day.ids.tolist()
        assert [order["createdAt"] for order in orders] == [f"{time}Z" for time in day.times]
        lines = [line for order in orders for line in order["basket"]]
        assert [line["goodsId"] for line in lines] == [ids[product] for product in day.products]
        assert [line["price"] for line in lines] == day.prices.tolist()
        quantities = np.array([line["quantity"] for line in lines])
        assert (quantities[quantities > 0] == day.quantities[quantities > 0]).all()
        assert [len(order["basket"]) for order in orders] == np.bincount(day.order).tolist()


def test_the_error_counts_match_the_listing(listings: list[Listing]) -> None:
    for listing in listings:
        orders = distinct(listing)
        assert listing.duplicates == len(listing.orders) - len(orders)
        assert listing.placeholders == sum(order["clientTel"] in PLACEHOLDER_PHONES for order in orders)
        assert listing.anonymous == sum(order["clientTel"] is None for order in orders)
        assert listing.empty_lines == sum(line["quantity"] == 0 for o in orders for line in o["basket"])


def test_the_shares_of_errors_are_as_configured(listings: list[Listing]) -> None:
    orders = sum(len(distinct(listing)) for listing in listings)
    lines = sum(len(order["basket"]) for listing in listings for order in distinct(listing))
    assert within(sum(listing.duplicates for listing in listings), DUPLICATES, orders)
    assert within(sum(listing.placeholders for listing in listings), PLACEHOLDERS, orders)
    assert within(sum(listing.anonymous for listing in listings), ANONYMOUS, orders)
    assert within(sum(listing.empty_lines for listing in listings), EMPTY_LINES, lines)


def test_duplicates_are_identical_and_only_they_break_the_time_order(listings: list[Listing]) -> None:
    for listing in listings:
        seen: dict[int, Order] = {}
        for order in listing.orders:
            assert seen.setdefault(order["id"], order) == order
        assert list(seen) == sorted(seen)


def test_phone_numbers_have_three_formats_with_the_configured_shares(listings: list[Listing]) -> None:
    phones = [order["clientTel"] for listing in listings for order in distinct(listing)]
    real = [phone for phone in phones if phone is not None and phone not in PLACEHOLDER_PHONES]
    shapes = Counter(shape for phone in real for shape in SHAPES if re.fullmatch(shape, phone))
    assert shapes.total() == len(real)
    for shape, share in zip(SHAPES, SHAPE_SHARES, strict=True):
        assert within(shapes[shape], share, len(real))


def test_a_customer_has_one_phone_number_in_several_formats(
    dirt: Dirt, days: list[Day], listings: list[Listing]
) -> None:
    spellings = defaultdict(set)
    for day, listing in zip(days, listings, strict=True):
        for customer, order in zip(day.customers.tolist(), distinct(listing), strict=True):
            phone = order["clientTel"]
            if phone is not None and phone not in PLACEHOLDER_PHONES:
                assert canonical(phone) == dirt.phones[customer]
                spellings[customer].add(phone)
    assert max(map(len, spellings.values())) == 3
    assert len(set(dirt.phones)) == dirt.shop.customers


def test_missing_goods_are_few_are_ordered_and_are_no_complements(dirt: Dirt, days: list[Day]) -> None:
    assert len(dirt.missing_goods) == 2  # 0.5 % of 400
    assert dirt.missing_goods & {p for day in days for p in day.products.tolist()}
    assert not dirt.missing_goods & {end for c in dirt.shop.truth.complements for end in (c.a, c.b)}


def test_the_customer_in_the_readme_orders_whatever_the_first_day():
    phone = re.search(r"customers/([^/]+)/", (PROJECT / "README.md").read_text())[1]
    for start in ("2026-09-23", "2027-01-05"):
        shop = Shop(start=dt.date.fromisoformat(start))
        customer = Dirt(shop).phones.index(canonical(phone))
        assert any(customer in day.customers for day in islice(shop.days(), 7))
