"""The orders contain the planted truth, as arithmetic shows."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import islice

import numpy as np
import pytest

from pipelines.demo.catalogue import STYLES
from pipelines.demo.shop import Day, Shop
from pipelines.demo.truth import CONFIDENCE, JITTER, LOYALTY, TASTE, season
from pipelines.demo.words import CATEGORIES

pytestmark = pytest.mark.fast

SEED = 7
START = dt.date(2026, 9, 22)
SIGMAS = 4.5  # with forty pairs, one of 3,500 seeds fails by chance


@dataclass(frozen=True)
class Sales:
    """Several days: one entry per line; `order` is the order's id."""

    shop: Shop
    days: list[Day]

    def lines(self, name: str) -> np.ndarray:
        return np.concatenate([getattr(day, name) for day in self.days])

    @property
    def day(self) -> np.ndarray:
        return np.concatenate([np.full(len(day.order), day.number) for day in self.days])

    @property
    def customer(self) -> np.ndarray:
        return np.concatenate([day.customers[day.order] for day in self.days])

    @property
    def order(self) -> np.ndarray:
        return np.concatenate([day.ids[day.order] for day in self.days])


def sales(shop: Shop, days: int) -> Sales:
    print(f"seed {shop.seed}")
    return Sales(shop, list(islice(shop.days(), days)))


@pytest.fixture(scope="module")
def months() -> Sales:
    return sales(Shop(start=START, seed=SEED), 60)


@pytest.fixture(scope="module")
def early() -> Sales:
    """Many orders before the first repeat purchase is due: only taste, popularity and complements."""
    return sales(Shop(start=START, seed=SEED, customers=10_000, orders_per_day=8000), 4)


def same(first: Day, second: Day) -> bool:
    return all(np.array_equal(getattr(first, f.name), getattr(second, f.name)) for f in fields(Day))


def test_the_same_seed_gives_the_same_days_however_many() -> None:
    shop = Shop(start=START, seed=SEED)
    ten, eleven = list(islice(shop.days(), 10)), list(islice(Shop(start=START, seed=SEED).days(), 11))
    assert all(map(same, ten, eleven[:10]))
    assert not same(eleven[10], ten[9])


def test_another_seed_gives_other_days() -> None:
    assert not same(next(Shop(start=START, seed=1).days()), next(Shop(start=START, seed=2).days()))


def test_order_ids_and_times_ascend_within_each_day(months: Sales) -> None:
    ids, times = months.lines("ids"), months.lines("times")
    assert (np.diff(ids) == 1).all()
    assert (np.diff(times) >= np.timedelta64(0)).all()
    dates = [np.datetime64(START) + day.number for day in months.days]
    assert all(
        (day.times.astype("M8[D]") == date).all() for day, date in zip(months.days, dates, strict=True)
    )


def test_sixty_days_hold_about_sixty_thousand_orders_of_two_and_a_half_to_three_products(
    months: Sales,
) -> None:
    orders = len(months.lines("ids"))
    assert 57_000 < orders < 63_000
    assert 2.5 < len(months.order) / orders < 3


def test_every_order_has_lines_with_distinct_products(months: Sales) -> None:
    assert set(months.order) == set(months.lines("ids"))
    lines = np.stack([months.order, months.lines("products")])
    assert np.unique(lines, axis=1).shape == lines.shape
    assert set(months.lines("quantities")) == {1, 2, 3}


def test_lines_have_the_prices_of_the_catalogue(months: Sales) -> None:
    prices = np.array([product.price for product in months.shop.catalogue])
    assert (months.lines("prices") == prices[months.lines("products")]).all()


def test_more_than_a_third_of_the_customers_return_and_some_order_far_more_often(months: Sales) -> None:
    orders = np.bincount(months.lines("customers"))
    orders = orders[orders > 0]
    assert (orders > 1).mean() > 0.3
    assert np.quantile(orders, 0.99) > 3 * np.median(orders)


def test_weekends_are_busier(months: Sales) -> None:
    orders = np.array([len(day.ids) for day in months.days])
    weekend = np.array([(START + dt.timedelta(days=day.number)).weekday() >= 5 for day in months.days])
    # (1.2 + 1.1) / 2 over the mean of the other five, 0.94
    assert orders[weekend].mean() / orders[~weekend].mean() == pytest.approx(1.15 / 0.94, rel=0.05)


def test_discoveries_come_from_the_customers_tastes(early: Sales) -> None:
    truth = early.shop.truth
    assert {len(tastes) > 0 for tastes in truth.tastes} == {True}
    added = np.isin(early.lines("products"), [pair.b for pair in truth.complements])
    customers, products = early.customer[~added].tolist(), early.lines("products")[~added].tolist()

    def share(customers: list[int]) -> float:
        return float(np.mean([p in truth.tastes[c] for c, p in zip(customers, products, strict=True)]))

    by_chance = share(np.random.default_rng(SEED).permutation(customers).tolist())
    # A product that is drawn twice for a basket is one line; that happens more often within a taste.
    assert share(customers) == pytest.approx(TASTE + (1 - TASTE) * by_chance, abs=0.02)
    assert by_chance < 0.15


def test_favourites_are_one_style_of_two_or_three_categories(early: Sales) -> None:
    favourites = early.shop.truth.favourites
    counts = (favourites >= 0).sum(axis=1)
    assert set(counts) == {2, 3}
    assert all(
        len({k // STYLES for k in row if k >= 0}) == n for row, n in zip(favourites, counts, strict=True)
    )


def complement_counts(early: Sales) -> Iterator[tuple[float, int, int, float]]:
    """For each pair: its probability, baskets with a, baskets with both, and the share of b without a."""
    orders, products = early.order, early.lines("products")
    everything = len(early.lines("ids"))
    for pair in early.shop.truth.complements:
        a, b = set(orders[products == pair.a]), set(orders[products == pair.b])
        yield pair.probability, len(a), len(a & b), len(b - a) / (everything - len(a))


def test_complements_have_the_planted_confidence(early: Sales) -> None:
    pairs = list(complement_counts(early))
    assert len(pairs) == 40
    for probability, with_a, with_both, without in pairs:
        expected = probability + (1 - probability) * without
        bound = SIGMAS * np.sqrt(expected * (1 - expected) / with_a)
        assert with_a > 100
        assert abs(with_both / with_a - expected) < bound


def test_complements_are_disjoint_and_their_probabilities_within_bounds(early: Sales) -> None:
    complements = early.shop.truth.complements
    assert len({end for pair in complements for end in (pair.a, pair.b)}) == 80
    assert all(CONFIDENCE[0] <= pair.probability <= CONFIDENCE[1] for pair in complements)


def bought_again(sales: Sales) -> tuple[np.ndarray, np.ndarray]:
    """For each consumable in the first day's baskets: days until it is bought again, and its cycle."""
    truth, products = sales.shop.truth, sales.shop.products
    key = sales.customer * products + sales.lines("products")
    lasting = (truth.cycles > 0) & (truth.last_day > len(sales.days))
    first = np.array([k for k in key[sales.day == 0] if lasting[k % products]])
    later, first_index = np.unique(key[sales.day > 0], return_index=True)
    next_day = dict(zip(later.tolist(), sales.day[sales.day > 0][first_index].tolist(), strict=True))
    return np.array([next_day.get(k, np.inf) for k in first.tolist()]), truth.cycles[first % products]


def test_consumables_are_bought_again_after_their_cycle() -> None:
    after, cycle = bought_again(sales(Shop(start=START, seed=SEED, customers=10_000), 25))
    early, on_time = after < cycle - JITTER, np.abs(after - cycle) <= JITTER
    # A customer who discovers the product again before it is due starts a new cycle, and is not counted.
    rediscovered = early.sum() / (cycle - JITTER - 1).sum() * (2 * JITTER + 1)
    expected = LOYALTY + (1 - LOYALTY) * rediscovered
    count = (~early).sum()
    assert count > 500
    bound = SIGMAS * np.sqrt(expected * (1 - expected) / count)
    assert on_time.sum() / count == pytest.approx(expected, abs=bound)
    assert {day for day in range(-2, 3) if (after - cycle == day).any()} == set(range(-JITTER, JITTER + 1))


def test_only_consumables_have_cycles_of_one_to_three_weeks(months: Sales) -> None:
    consumed = [CATEGORIES[k // STYLES].cycle > 0 for k in months.shop.truth.cluster]
    cycles = months.shop.truth.cycles
    assert ((cycles > 0) == consumed).all()
    assert set(cycles[cycles > 0]) <= set(range(7, 22))


def test_products_are_sold_from_their_first_to_their_last_day(months: Sales) -> None:
    truth, products = months.shop.truth, months.lines("products")
    assert (truth.first_day[products] <= months.day).all()
    assert (truth.last_day[products] >= months.day).all()
    launched, gone = (truth.first_day > 0) & (truth.first_day < 50), truth.last_day < 60
    assert launched.sum() > 10
    assert np.isin(np.flatnonzero(launched), products).mean() > 0.9
    assert 10 < gone.sum() < 60


def test_a_tenth_of_the_products_makes_more_than_a_third_of_the_sales(months: Sales) -> None:
    sold = np.sort(np.bincount(months.lines("products"), minlength=1000))[::-1]
    assert sold[:100].sum() > sold.sum() / 3


def test_the_season_has_mean_one_and_peaks_on_its_day() -> None:
    year = np.array([season(dt.date(2026, 1, 1) + dt.timedelta(days=d)) for d in range(365)])
    assert year.mean(axis=0) == pytest.approx(1, abs=0.01)
    peaks = [category.peak for category in CATEGORIES for _ in range(STYLES)]
    assert np.abs(year.argmax(axis=0) + 1 - peaks).max() <= 1


def test_sales_follow_the_season() -> None:
    def share_of_toys(start: dt.date) -> float:
        sold = sales(Shop(start=start, seed=SEED), 3)
        toys = [product.category == "Toys" for product in sold.shop.catalogue]
        return float(np.mean(np.array(toys)[sold.lines("products")]))

    assert share_of_toys(dt.date(2026, 12, 14)) > 2 * share_of_toys(dt.date(2026, 6, 15))
