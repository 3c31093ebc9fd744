"""Comparison with the last run: lines, customers and products that are gone, new or changed."""

import datetime as dt

import pandas as pd
import pyarrow as pa
import pytest

from pipelines import columns as c
from pipelines.extract.product_history import RAW_PRODUCTS
from pipelines.validate import continuity
from pipelines.validate import profile as p
from pipelines.validate import waterfall as w
from pipelines.validate.profile import SAMPLE

NIGHT = dt.date(2026, 1, 31)
UNTIL = NIGHT - dt.timedelta(days=1)


def values(measures):
    measures = list(measures)
    assert all(measure.day == NIGHT and measure.scale == "figure" for measure in measures)
    return {measure.name: measure.value for measure in measures}


# orders


def lines(changed=None, days=100, last=UNTIL):
    """A profile with 100 lines per day; changed: days before the last -> number of lines."""
    table = pd.DataFrame(
        {w.LINES: 100.0, c.ORDERS: 50.0, p.COPIES: 0.0}, pd.date_range(end=last, periods=days)
    )
    for ago, count in (changed or {}).items():
        table.loc[pd.Timestamp(last - dt.timedelta(days=ago)), w.LINES] = count
    return table


@pytest.mark.parametrize(
    ("changed", "lost", "added"),
    [
        ({}, 0, 0),
        ({60: 40}, 60 / 10_000, 0),
        ({28: 40}, 60 / 10_000, 0),
        ({27: 40}, 60 / 2_800, 0),  # within the last four weeks, whose lines are counted alone
        ({0: 40, 60: 0}, 60 / 2_800, 0),  # more than the 160 of 10,000
        ({0: 250}, 0, 150 / 10_000),
        ({50: 0, 60: 200}, 100 / 10_000, 100 / 10_000),  # moved from one day to another
    ],
)
def test_measures_the_shares_of_lost_and_added_lines(changed, lost, added):
    now = pd.concat([lines(changed), lines(days=1, last=NIGHT)])  # lines of the run's own day aren't late
    result = values(continuity.order_measures(lines(), now, UNTIL, NIGHT))
    assert (result["lost_lines"], result["added_lines"]) == pytest.approx((lost, added))


@pytest.mark.parametrize(
    ("changed", "lost"),
    [({}, 0), ({27: 40}, 0.6), ({28: 40}, 0), ({3: 90, 4: 0}, 1), ({3: 300}, 0)],
)
def test_measures_the_largest_share_of_lines_lost_on_one_day(changed, lost):
    assert values(continuity.order_measures(lines(), lines(changed), UNTIL, NIGHT))["lost_day"] == lost


def test_a_day_with_few_lines_does_not_count_as_lost():
    then = lines({3: continuity.MIN_DAY_LINES - 1, 4: continuity.MIN_DAY_LINES})
    assert values(continuity.order_measures(then, lines({3: 0, 4: 15}), UNTIL, NIGHT))["lost_day"] == 0.25


def test_measures_new_copies_on_days_already_validated():
    now = lines()
    now.loc[now.index[-3:], p.COPIES] = [5, 10, 0]  # of 50 a day
    now.loc[now.index[0], p.COPIES] = 40  # longer than four weeks ago
    assert values(continuity.order_measures(lines(), now, UNTIL, NIGHT))["copied_later"] == 0.3
    assert values(continuity.order_measures(now, now, UNTIL, NIGHT))["copied_later"] == 0


def test_lines_before_the_first_known_day_count_as_added():
    now = pd.concat([lines({}, 1, UNTIL - dt.timedelta(days=500)), lines()])
    assert values(continuity.order_measures(lines(), now, UNTIL, NIGHT))["added_lines"] == 0.01


def test_missing_days_count_as_lost_and_days_after_until_are_ignored():
    result = values(continuity.order_measures(lines(), lines(days=60), UNTIL, NIGHT))
    assert (result["lost_lines"], result["added_lines"]) == (0.4, 0)
    week_ago = UNTIL - dt.timedelta(days=7)
    result = values(continuity.order_measures(lines(), lines({6: 0, 5: 300}), week_ago, NIGHT))
    assert set(result.values()) == {0}


def test_nothing_is_lost_if_there_were_no_lines():
    result = values(continuity.order_measures(lines().assign(**{w.LINES: 0.0}), lines(), UNTIL, NIGHT))
    assert set(result.values()) == {0}


# customers


BEFORE = dt.date(2026, 1, 1)
SOLD = pd.DataFrame({p.CUSTOMERS: 10.0, p.KNOWN: 8.0}, pd.date_range(end=NIGHT, periods=40))


def customers(*names, recent=()):
    """A sample of customers; the last day of the recent ones is the run's day, of all others long ago."""
    days = [NIGHT if name in recent else BEFORE for name in names]
    return pa.table({c.CUSTOMER: pa.array(names, pa.string()), p.LAST_DAY: pa.array(days, pa.date32())})


def compare(then, now, days=SOLD):
    measures = continuity.customer_measures(then, now, days, [NIGHT])
    return {measure.name: measure.value for measure in measures}


def test_measures_the_share_of_customers_who_still_exist():
    then = customers("a", "b", "c", "d")
    assert compare(then, customers("a", "b", "c", "e")) == {"recognised": 0.75}
    assert compare(customers("a"), customers("b")) == {"recognised": 0}


def test_compares_the_share_of_known_customers_with_the_usual_share():
    then, now = customers("a", "b", "c"), customers("a", "b", "c", "d", "e", recent="bcde")
    assert compare(then, now) == {"recognised": 1, "known_before": pytest.approx(0.5 / 0.8)}
    measures = continuity.customer_measures(then, now, SOLD, [NIGHT])
    (ratio,) = (measure for measure in measures if measure.scale == "ratio")
    assert ratio.message == "the last run knew 50% of the recent customers, usual is 80%"
    few_days = SOLD.iloc[-5:]  # too few for a usual share
    assert compare(then, now, few_days) == {"recognised": 1}


def test_works_without_customers_in_either_run():
    assert compare(customers(), customers("a")) == {}
    assert compare(customers("a"), customers()) == {"recognised": 0}


def test_customers_that_sort_after_the_end_of_a_full_sample_arent_missed():
    now = [f"{number:06}" for number in range(2 * SAMPLE)]
    known, beyond, gone = [now[0], now[-1]], ["fff"], ["0000005"]
    result = compare(customers(*known, *beyond, *gone), customers(*now))
    assert result == {"recognised": pytest.approx(2 / 3)}
    assert compare(customers(*beyond), customers(*now)) == {}
    # With one customer less, the sample isn't full: it holds all customers.
    assert compare(customers(*known[:1], *beyond), customers(*now[:-1])) == {"recognised": 0.5}


def test_customers_that_sort_after_the_end_of_a_full_saved_sample_arent_new():
    then = [f"{number:06}" for number in range(SAMPLE)]
    now = customers(*then, "0000005", "fff", recent=(then[0], "0000005", "fff"))
    assert compare(customers(*then), now)["known_before"] == pytest.approx(0.5 / 0.8)
    one_less = compare(customers(*then[:-1]), now)
    assert one_less["known_before"] == pytest.approx(1 / 3 / 0.8)


# goods


def goods(*rows):
    """A catalogue of rows (product, name, price = 1.0, in stock = True)."""
    filled = [(*row, *(1.0, True)[len(row) - 2 :]) for row in rows]
    names = (c.PRODUCT, c.NAME, c.PRICE, c.IN_STOCK)
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in filled], schema=RAW_PRODUCTS)


def named(*names):
    return goods(*((str(number), name) for number, name in enumerate(names)))


NAMES = [
    "Tea",
    "Café crème",
    "Чай",
    "Ромашка с мёдом",
    "Привет",
    "緑茶 100 g",
    "Über-Öl",
    "1 × 2 m²",
    "🍵 Matcha",
]
# Bytes that cp1252 leaves undefined; browsers decode them as Latin-1.
UNDEFINED = {code: chr(code) for code in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}


def western(name):
    """A name's UTF-8 read as cp1252."""
    return "".join(UNDEFINED.get(code) or bytes([code]).decode("cp1252") for code in name.encode())


def garbled(*names):
    return values(continuity.catalogue_measures(None, named(*names), NIGHT))["garbled_names"]


@pytest.mark.parametrize("name", NAMES)
def test_detects_names_decoded_with_the_wrong_encoding(name):
    latin = name.encode().decode("latin-1")
    assert garbled(name) == 0
    assert garbled(latin) == garbled(western(name)) == (0 if name.isascii() else 1)
    assert garbled(name + "\N{REPLACEMENT CHARACTER}") == 1


def test_the_share_of_garbled_names_ignores_missing_names():
    assert garbled("Tea", "Caf\N{REPLACEMENT CHARACTER}", "Café", western("Чай"), None) == 0.5
    assert garbled(None) == 0


def test_blank_names_count_as_unnamed():
    result = values(continuity.catalogue_measures(None, named("Tea", None, "", "  ", "Mug"), NIGHT))
    assert result == {"listed": 5, "garbled_names": 0, "unnamed": 0.6}


def test_an_empty_catalogue_lists_no_product():
    result = values(continuity.catalogue_measures(None, goods(), NIGHT))
    assert result == {"listed": 0, "garbled_names": 0, "unnamed": 1}
    result = values(continuity.catalogue_measures(goods(("A", "Tea")), goods(), NIGHT))
    changes = {"in_stock": 0, "renamed": 0, "unfiled": 0}
    assert result == {"listed": 0, "garbled_names": 0, "unnamed": 1} | changes


COMPARED = ("in_stock", "renamed", "listed_prices")


def compared(then, now):
    measures = values(continuity.catalogue_measures(then, now, NIGHT))
    return {name: value for name, value in measures.items() if name in COMPARED}


def test_a_first_catalogue_has_no_change_measures():
    assert compared(None, goods(("A", "Tea"))) == compared(goods(), goods(("A", "Tea"))) == {}


def test_an_unchanged_catalogue_has_no_changes():
    same = goods(("A", "Tea"), ("B", None, None, False))
    assert compared(same, same) == {"in_stock": 1, "renamed": 0, "listed_prices": 1}


def test_measures_the_share_of_products_still_in_stock():
    then = goods(("A", "a"), ("B", "b"), ("C", "c", 1.0, False), ("D", "d"), ("E", "e"))
    now = goods(("A", "a"), ("B", "b", 1.0, False), ("C", "c"), ("D", "d", 1.0, None), ("F", "f"))
    assert compared(then, now)["in_stock"] == 1 / 4  # of A, B, D and E
    assert "in_stock" not in compared(goods(("A", "a", 1.0, False)), now)


def test_measures_the_share_of_renamed_products():
    then = goods(("A", "a"), ("B", "b"), ("C", "c"), ("D", None), ("gone", "g"))
    now = goods(("A", "a"), ("B", "other"), ("C", None), ("D", "named now"), ("new", "n"))
    assert compared(then, now)["renamed"] == pytest.approx(2 / 3)


def test_measures_the_share_of_products_without_their_former_category():
    def categorised(*categories):
        rows = [{c.PRODUCT: str(n), c.CATEGORY: category} for n, category in enumerate(categories)]
        return pa.Table.from_pylist(rows, schema=RAW_PRODUCTS)

    then, now = categorised("tea", "tea", "mugs", None), categorised(None, "tea", "cups", None, None)
    assert values(continuity.catalogue_measures(then, now, NIGHT))["unfiled"] == pytest.approx(1 / 3)


def priced(prices):
    return goods(*((product, "a name", price) for product, price in prices.items()))


def test_measures_the_median_change_of_listed_prices():
    then = priced({"A": 1, "B": 2, "C": 3, "free": 0, "free too": 0, "none": None, "gone": 9})
    now = priced({"A": 2, "B": 6, "C": 300, "free": 4, "free too": 5, "none": 8, "new": 1})
    assert compared(then, now)["listed_prices"] == 3  # the median of 2, 3 and 100
    assert "listed_prices" not in compared(priced({"A": None}), priced({"A": 1.0}))
