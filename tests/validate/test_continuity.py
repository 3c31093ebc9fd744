"""Tonight's shop against last night's: lines, customers and goods that are gone, new or changed."""

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
    found = list(measures)
    assert all(one.day == NIGHT and one.scale == "figure" for one in found)
    return {one.name: one.value for one in found}


# orders


def lines(changed=None, days=100, last=UNTIL):
    """100 lines on each day up to the last, but for those changed: days before the last -> lines."""
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
        ({27: 40}, 60 / 2_800, 0),  # one of the last four weeks, and of their lines
        ({0: 40, 60: 0}, 60 / 2_800, 0),  # more than the 160 of 10,000
        ({0: 250}, 0, 150 / 10_000),
        ({50: 0, 60: 200}, 100 / 10_000, 100 / 10_000),  # moved from one day to another
    ],
)
def test_lines_that_are_gone_and_lines_that_came(changed, lost, added):
    now = pd.concat([lines(changed), lines(days=1, last=NIGHT)])  # the night's own are no late ones
    found = values(continuity.order_measures(lines(), now, UNTIL, NIGHT))
    assert (found["lost_lines"], found["added_lines"]) == pytest.approx((lost, added))


@pytest.mark.parametrize(
    ("changed", "lost"),
    [({}, 0), ({27: 40}, 0.6), ({28: 40}, 0), ({3: 90, 4: 0}, 1), ({3: 300}, 0)],
)
def test_the_day_that_lost_most_of_its_lines(changed, lost):
    assert values(continuity.order_measures(lines(), lines(changed), UNTIL, NIGHT))["lost_day"] == lost


def test_a_day_of_few_lines_may_lose_them():
    then = lines({3: continuity.MIN_DAY_LINES - 1, 4: continuity.MIN_DAY_LINES})
    assert values(continuity.order_measures(then, lines({3: 0, 4: 15}), UNTIL, NIGHT))["lost_day"] == 0.25


def test_orders_that_come_again_to_closed_days_under_other_ids():
    now = lines()
    now.loc[now.index[-3:], p.COPIES] = [5, 10, 0]  # of 50 a day
    now.loc[now.index[0], p.COPIES] = 40  # longer ago than is looked at
    assert values(continuity.order_measures(lines(), now, UNTIL, NIGHT))["copied_later"] == 0.3
    assert values(continuity.order_measures(now, now, UNTIL, NIGHT))["copied_later"] == 0


def test_lines_of_days_before_all_that_were_known_are_added():
    now = pd.concat([lines({}, 1, UNTIL - dt.timedelta(days=500)), lines()])
    assert values(continuity.order_measures(lines(), now, UNTIL, NIGHT))["added_lines"] == 0.01


def test_days_that_are_gone_are_lost_and_days_after_the_last_that_is_compared_may_change():
    found = values(continuity.order_measures(lines(), lines(days=60), UNTIL, NIGHT))
    assert (found["lost_lines"], found["added_lines"]) == (0.4, 0)
    week_ago = UNTIL - dt.timedelta(days=7)
    found = values(continuity.order_measures(lines(), lines({6: 0, 5: 300}), week_ago, NIGHT))
    assert set(found.values()) == {0}


def test_where_nothing_was_nothing_is_lost():
    found = values(continuity.order_measures(lines().assign(**{w.LINES: 0.0}), lines(), UNTIL, NIGHT))
    assert set(found.values()) == {0}


# customers


BEFORE = dt.date(2026, 1, 1)
SOLD = pd.DataFrame({p.CUSTOMERS: 10.0, p.KNOWN: 8.0}, pd.date_range(end=NIGHT, periods=40))


def customers(*names, tonight=()):
    """A sample: customers whose last day is long ago, and those who came tonight."""
    days = [NIGHT if name in tonight else BEFORE for name in names]
    return pa.table({c.CUSTOMER: pa.array(names, pa.string()), p.LAST_DAY: pa.array(days, pa.date32())})


def of_customers(then, now, days=SOLD):
    return {one.name: one.value for one in continuity.customer_measures(then, now, days, [NIGHT])}


def test_the_share_of_customers_who_are_known_still():
    then = customers("a", "b", "c", "d")
    assert of_customers(then, customers("a", "b", "c", "e")) == {"recognised": 0.75}
    assert of_customers(customers("a"), customers("b")) == {"recognised": 0}


def test_the_share_of_tonights_customers_whom_the_last_night_knew_beside_the_usual_share():
    then, now = customers("a", "b", "c"), customers("a", "b", "c", "d", "e", tonight="bcde")
    found = of_customers(then, now)
    assert found == {"recognised": 1, "known_before": pytest.approx(0.5 / 0.8)}
    (told,) = (one for one in continuity.customer_measures(then, now, SOLD, [NIGHT]) if one.scale == "ratio")
    assert told.message == "50% of the customers were known to the last night, usual is 80%"
    young = SOLD.iloc[-5:]  # too few days to tell a usual
    assert of_customers(then, now, young) == {"recognised": 1}


def test_without_customers_before_or_now():
    assert of_customers(customers(), customers("a")) == {}
    assert of_customers(customers("a"), customers()) == {"recognised": 0}


def test_of_more_customers_than_the_sample_holds_those_beyond_its_end_arent_missed():
    now = [f"{number:06}" for number in range(2 * SAMPLE)]
    known, beyond, gone = [now[0], now[-1]], ["fff"], ["0000005"]
    found = of_customers(customers(*known, *beyond, *gone), customers(*now))
    assert found == {"recognised": pytest.approx(2 / 3)}
    assert of_customers(customers(*beyond), customers(*now)) == {}
    # One less, and the sample is all customers there are.
    assert of_customers(customers(*known[:1], *beyond), customers(*now[:-1])) == {"recognised": 0.5}


def test_of_more_customers_than_were_remembered_only_those_before_the_end_can_be_new():
    then = [f"{number:06}" for number in range(SAMPLE)]
    now = customers(*then, "0000005", "fff", tonight=(then[0], "0000005", "fff"))
    assert of_customers(customers(*then), now)["known_before"] == pytest.approx(0.5 / 0.8)
    one_less = of_customers(customers(*then[:-1]), now)
    assert one_less["known_before"] == pytest.approx(1 / 3 / 0.8)


# goods


def goods(*rows):
    """A catalogue of rows (product, name, price, in stock), the last two of them as a rule 1.0 and True."""
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
UNDEFINED = {code: chr(code) for code in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}  # in cp1252: browsers let them be


def western(name):
    """A name's UTF-8 read as cp1252."""
    return "".join(UNDEFINED.get(code) or bytes([code]).decode("cp1252") for code in name.encode())


def garbled(*names):
    return values(continuity.catalogue_measures(None, named(*names), NIGHT))["garbled_names"]


@pytest.mark.parametrize("name", NAMES)
def test_names_in_any_language_are_fine_and_in_another_encoding_are_garbled(name):
    latin = name.encode().decode("latin-1")
    assert garbled(name) == 0
    assert garbled(latin) == garbled(western(name)) == (0 if name.isascii() else 1)
    assert garbled(name + "\N{REPLACEMENT CHARACTER}") == 1


def test_the_share_of_garbled_names_is_that_of_the_names():
    assert garbled("Tea", "Caf\N{REPLACEMENT CHARACTER}", "Café", western("Чай"), None) == 0.5
    assert garbled(None) == 0


def test_goods_without_a_name():
    found = values(continuity.catalogue_measures(None, named("Tea", None, "", "  ", "Mug"), NIGHT))
    assert found == {"listed": 5, "garbled_names": 0, "unnamed": 0.6}


def test_an_empty_catalogue_lists_nothing():
    found = values(continuity.catalogue_measures(None, goods(), NIGHT))
    assert found == {"listed": 0, "garbled_names": 0, "unnamed": 1}
    found = values(continuity.catalogue_measures(goods(("A", "Tea")), goods(), NIGHT))
    assert found == {"listed": 0, "garbled_names": 0, "unnamed": 1, "in_stock": 0, "renamed": 0, "unfiled": 0}


COMPARED = ("in_stock", "renamed", "listed_prices")


def compared(then, now):
    found = values(continuity.catalogue_measures(then, now, NIGHT))
    return {name: value for name, value in found.items() if name in COMPARED}


def test_a_first_catalogue_is_compared_with_none():
    assert compared(None, goods(("A", "Tea"))) == compared(goods(), goods(("A", "Tea"))) == {}


def test_a_catalogue_that_stayed_is_as_it_was():
    same = goods(("A", "Tea"), ("B", None, None, False))
    assert compared(same, same) == {"in_stock": 1, "renamed": 0, "listed_prices": 1}


def test_products_in_stock():
    then = goods(("A", "a"), ("B", "b"), ("C", "c", 1.0, False), ("D", "d"), ("E", "e"))
    now = goods(("A", "a"), ("B", "b", 1.0, False), ("C", "c"), ("D", "d", 1.0, None), ("F", "f"))
    assert compared(then, now)["in_stock"] == 1 / 4  # of A, B, D and E, whatever else came
    assert "in_stock" not in compared(goods(("A", "a", 1.0, False)), now)


def test_products_with_another_name():
    then = goods(("A", "a"), ("B", "b"), ("C", "c"), ("D", None), ("gone", "g"))
    now = goods(("A", "a"), ("B", "other"), ("C", None), ("D", "named now"), ("new", "n"))
    assert compared(then, now)["renamed"] == pytest.approx(2 / 3)


def test_products_that_lost_their_category():
    def filed(*categories):
        rows = [{c.PRODUCT: str(n), c.CATEGORY: category} for n, category in enumerate(categories)]
        return pa.Table.from_pylist(rows, schema=RAW_PRODUCTS)

    then, now = filed("tea", "tea", "mugs", None), filed(None, "tea", "cups", None, None)
    assert values(continuity.catalogue_measures(then, now, NIGHT))["unfiled"] == pytest.approx(1 / 3)


def priced(prices):
    return goods(*((product, "a name", price) for product, price in prices.items()))


def test_the_level_of_listed_prices_is_the_median_change():
    then = priced({"A": 1, "B": 2, "C": 3, "free": 0, "free too": 0, "none": None, "gone": 9})
    now = priced({"A": 2, "B": 6, "C": 300, "free": 4, "free too": 5, "none": 8, "new": 1})
    assert compared(then, now)["listed_prices"] == 3  # of 2, 3 and 100
    assert "listed_prices" not in compared(priced({"A": None}), priced({"A": 1.0}))
