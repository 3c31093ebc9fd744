"""Every order line gets one fate, and no customer's phone number leaves raw/."""

import datetime as dt
import random
from collections import Counter

import pyarrow as pa
import pytest
from frames import frame, tuples
from ibis import _

from expectations.thresholds import thresholds
from pipelines import columns as c
from pipelines.extract.mapping import Mapping
from pipelines.extract.product_history import RAW_PRODUCTS
from pipelines.extract.source import Dialect
from pipelines.extract.staging import RAW_ORDERS
from pipelines.lake import engine
from pipelines.validate import outputs, row_checks, waterfall
from pipelines.validate.quarantine import CONTENT
from serving.live.identity import IdentityRule, Pseudonymiser, canonical, pseudonym

KEY = "a key for tests"
IDENTIFY = Pseudonymiser(KEY)
NIGHT = dt.date(2026, 1, 31)
COLUMNS = RAW_ORDERS.names
PHONES = ["+7(916)539-6205", "+7 (916) 539-6205", "79165396205"]
GOOD = {
    c.ORDERED_AT: "2026-01-31 10:00:00",
    c.CUSTOMER: PHONES[0],
    c.PRODUCT: "A",
    c.QUANTITY: "2",
    c.UNIT_PRICE: "9.90",
    c.NAME: "Tea",
    c.CATEGORY: "drinks",
    c.BRAND: None,
    c.GROUP: None,
    c.WEIGHT: None,
    c.FAULT: None,
    c.LEFT_OUT: None,
    c.CHANGED_AT: None,
    c.SOURCE: "by hand",
    c.PAGE: 1,
    c.EXTRACTED_AT: dt.datetime(2026, 2, 1, tzinfo=dt.UTC),
}

# (values that differ from a valid line, fate)
CASES = [
    ({}, "used"),
    ({c.CUSTOMER: PHONES[1]}, "used"),
    ({c.CUSTOMER: PHONES[2]}, "used"),
    ({c.CUSTOMER: "C-17"}, "used"),
    ({c.QUANTITY: "-3"}, "returned"),
    ({c.QUANTITY: "0.25"}, "used"),
    ({c.QUANTITY: "100000"}, "used"),
    ({c.UNIT_PRICE: "198"}, "used"),  # twenty times the median 9.90
    ({c.UNIT_PRICE: "198.01"}, "price_outlier"),
    ({c.UNIT_PRICE: "0.50"}, "used"),
    ({c.UNIT_PRICE: "0.49"}, "price_outlier"),
    ({c.UNIT_PRICE: "0.01", c.PRODUCT: "sold once"}, "used"),
    ({c.ORDERED_AT: "2026-01-31T23:59:59Z"}, "used"),
    ({c.ORDERED_AT: "2026-02-01T02:59:59+03:00"}, "used"),
    ({c.ORDERED_AT: "2026-02-01 00:30:00+0100"}, "used"),
    ({c.ORDERED_AT: "2026-02-01T00:00:00Z"}, "later_than_the_night"),
    ({c.ORDERED_AT: "2026-01-31T23:59:59-11:00"}, "used"),  # the last evening, west of Greenwich
    ({c.ORDERED_AT: "2026-02-01T00:00:00-01:00"}, "later_than_the_night"),
    ({c.ORDERED_AT: "2026-02-01"}, "later_than_the_night"),
    ({c.ORDERED_AT: "2026-02-02T00:00:00Z"}, "later_than_the_night"),
    ({c.ORDERED_AT: "2026-02-02T00:00:01Z"}, "future_time"),
    ({c.ORDERED_AT: "2027-01-31T10:00:00Z"}, "future_time"),
    ({c.ORDERED_AT: None}, "unparsable_time"),
    ({c.ORDERED_AT: ""}, "unparsable_time"),
    ({c.ORDERED_AT: "31.01.2026 10:00"}, "unparsable_time"),
    ({c.ORDERED_AT: "2026-02-30 10:00:00"}, "unparsable_time"),
    ({c.ORDER_ID: None}, "no_order"),
    ({c.ORDER_ID: "  "}, "no_order"),
    ({c.PRODUCT: None}, "no_product"),
    ({c.PRODUCT: " "}, "no_product"),
    ({c.PRODUCT: "POST"}, "not_a_product"),
    ({c.PRODUCT: "POSTER"}, "used"),
    *(({c.QUANTITY: wrong}, "bad_quantity") for wrong in (None, "", "two", "0", "NaN")),
    *(({c.QUANTITY: wrong}, "huge_quantity") for wrong in ("100001", "-100001", "Infinity")),
    *(({c.UNIT_PRICE: wrong}, "bad_price") for wrong in (None, "", "free", "-1", "NaN", "Infinity")),
    *(({c.UNIT_PRICE: zero}, "free") for zero in ("0", "0.00", "-0")),
    ({c.UNIT_PRICE: "0", c.QUANTITY: "-1"}, "returned"),  # it takes away what it returns
    ({c.UNIT_PRICE: "0", c.QUANTITY: "-1", c.CUSTOMER: None}, "free"),  # written off, not returned
    ({c.UNIT_PRICE: None, c.QUANTITY: "-1"}, "returned"),
    ({c.UNIT_PRICE: "free", c.QUANTITY: "-1"}, "bad_price"),
    ({c.LEFT_OUT: "cancelled"}, "left_out_cancelled"),
    ({c.LEFT_OUT: "cancelled", c.PRODUCT: None, c.ORDERED_AT: "", c.ORDER_ID: None}, "left_out_cancelled"),
    ({c.LEFT_OUT: "cancelled", c.FAULT: "has 2 columns, the header 7"}, "unreadable_line"),
    ({c.CUSTOMER: "+7 (123) 456-7890"}, "placeholder_customer"),
    ({c.CUSTOMER: "11111111111"}, "placeholder_customer"),
    ({c.CUSTOMER: "+7 (999) 999-99-99"}, "placeholder_customer"),
    ({c.CUSTOMER: "80000000000"}, "placeholder_customer"),
    ({c.CUSTOMER: "+7 (900) 000-00-01"}, "used"),
    ({c.CUSTOMER: None}, "no_customer"),
    ({c.CUSTOMER: " "}, "no_customer"),
    ({c.FAULT: "has 2 columns, the header 7"}, "unreadable_line"),
    ({c.PRODUCT: None, c.QUANTITY: None, c.UNIT_PRICE: None}, "empty_order"),
    # lines that fail several checks
    ({c.PRODUCT: "", c.UNIT_PRICE: "0"}, "no_product"),
    ({c.QUANTITY: "0", c.CUSTOMER: None}, "bad_quantity"),
]
LINES = [
    {c.ORDER_ID: f"order {number}", c.LINE: number} | GOOD | changes
    for number, (changes, _) in enumerate(CASES)
]
DUPLICATES = [LINES[0], LINES[0] | {c.SOURCE: "another page"}, LINES[-1]]


def raw(lines):
    return engine.table(pa.Table.from_pylist(lines, RAW_ORDERS))


def check(lines, **dialect):
    return row_checks.check(raw(lines), Dialect(**dialect), NIGHT, thresholds().rows)


@pytest.fixture(scope="module")
def checked():
    """All cases, some of them twice."""
    lines = check(LINES + DUPLICATES, not_products="^POST$").cache()
    yield lines
    lines.release()


@pytest.fixture(scope="module")
def fates(checked):
    return {row[c.LINE]: row[row_checks.FATE] for row in checked.to_pyarrow().to_pylist()}


@pytest.mark.parametrize("line", range(len(CASES)), ids=lambda line: f"{CASES[line][0]}")
def test_a_line_gets_the_fate_of_the_first_check_it_fails(fates, line):
    assert fates[line] == CASES[line][1]


def test_orders_without_a_customer_are_used_if_the_shop_allows_guests():
    guest, placeholder = LINES[0] | {c.CUSTOMER: None}, LINES[1] | {c.CUSTOMER: "11111111111"}
    lines = check([guest, placeholder], guests=True)
    assert {row[c.LINE]: row[row_checks.FATE] for row in lines.to_pyarrow().to_pylist()} == {
        0: "used",
        1: "used",
    }
    rows = outputs.orders(lines, IDENTIFY).to_pyarrow().to_pylist()
    assert {row[c.CUSTOMER] for row in rows} == {None}


NOBODIES = ["0", "0.0", " 0 ", "guest", "NULL", "None", "n/a", "99999", "-1", "Гость", "7.91654E+10"]
NOBODIES += ["guest@shop.example", "\u00a0", "00000000-0000-0000-0000-000000000000", "KASSE 1"]
SOMEBODIES = ["1", "10", "c0", "Анна", "guesty", "anna@shop.example", "KASSE 12", "pseudonym:" + "1" * 64]


@pytest.mark.parametrize(("guests", "fate"), [(False, "no_customer"), (True, "used")])
def test_an_id_that_stands_for_nobody_is_no_customer(guests, fate):
    rule = IdentityRule(nobody=("Kasse 1",))
    ids = [*NOBODIES, *SOMEBODIES]
    lines = [GOOD | {c.ORDER_ID: str(n), c.LINE: 0, c.CUSTOMER: customer} for n, customer in enumerate(ids)]
    lines += [GOOD | {c.ORDER_ID: "phone", c.LINE: 0, c.CUSTOMER: "+7 (999) 999-99-99"}]
    checked = check(lines, guests=guests, identity=rule).to_pyarrow().to_pylist()
    fates = {row[c.ORDER_ID]: row[row_checks.FATE] for row in checked}
    assert fates.pop("phone") == ("used" if guests else "placeholder_customer")
    assert [fates[str(n)] for n in range(len(ids))] == [fate] * len(NOBODIES) + ["used"] * len(SOMEBODIES)
    customers = {row[c.CUSTOMER] for row in checked if row[c.CUSTOMER]}
    assert customers == set(SOMEBODIES)
    assert [customer for customer in ids if not canonical(customer, rule)] == NOBODIES  # as Python sees it


# Several phone numbers, because the smallest hash of an order decides.
@pytest.mark.parametrize("phone", [f"7916539{number:04}" for number in range(4)])
def test_a_line_without_a_customer_gets_the_customer_of_its_order(phone):
    lines = [
        LINES[0] | {c.LINE: line, c.CUSTOMER: customer} for line, customer in enumerate((None, phone, None))
    ]
    (row,) = outputs.orders(check(lines, guests=True), IDENTIFY).to_pyarrow().to_pylist()
    assert (row[c.CUSTOMER], row[c.QUANTITY]) == (pseudonym(phone, KEY), 6.0)


def test_the_group_of_an_order_is_stripped_and_may_be_missing():
    groups = ["France", " France ", "", None]
    lines = [GOOD | {c.ORDER_ID: str(n), c.LINE: 0, c.GROUP: group} for n, group in enumerate(groups)]
    lines.append(GOOD | {c.ORDER_ID: "guest", c.LINE: 0, c.CUSTOMER: None, c.GROUP: "France"})
    lines += [GOOD | {c.ORDER_ID: "two", c.LINE: n, c.GROUP: group} for n, group in enumerate(("A", "B"))]
    checked = check(lines, guests=True)
    assert {row[row_checks.FATE] for row in checked.to_pyarrow().to_pylist()} == {"used"}
    orders = outputs.orders(checked, IDENTIFY)
    assert outputs.schema_differences(orders) == []
    assert len(tuples(orders.filter(orders[c.ORDER_ID] != "two"))) == 5
    (two,) = orders.filter(orders[c.ORDER_ID] == "two").to_pyarrow().to_pylist()
    assert (two[c.QUANTITY], two[c.GROUP] in ("A", "B")) == (4.0, True)
    assert {row[c.ORDER_ID]: row[c.GROUP] for row in orders.to_pyarrow().to_pylist()} == {
        "two": two[c.GROUP],
        "0": "France",
        "1": "France",
        "2": None,
        "3": None,
        "guest": None,
    }


def test_the_waterfall_adds_up(checked):
    counts = waterfall.waterfall(waterfall.tally(checked, None), len(LINES + DUPLICATES))
    expected = Counter(fate for _, fate in CASES) | {"fetched": len(CASES) + 3, "duplicate": 3}
    assert counts == expected
    assert counts.pop("fetched") == sum(counts.values())


def with_pseudonym(line):
    customer = line[c.CUSTOMER]
    return line | {c.CUSTOMER: pseudonym(customer, KEY) if customer and canonical(customer) else None}


def test_quarantine_keeps_lines_as_received_with_a_pseudonym_the_check_and_the_run(checked):
    quarantine = outputs.quarantine(checked, "run 1", IDENTIFY)
    assert list(quarantine.columns) == [*COLUMNS, c.RULE, c.RUN]
    rows = {row[c.LINE]: row for row in quarantine.to_pyarrow().to_pylist()}
    not_quarantined = ("used", "returned", "later_than_the_night", "not_a_product", "empty_order", "free")
    not_quarantined += ("left_out_cancelled",)
    assert rows == {
        line: with_pseudonym(LINES[line]) | {c.RULE: fate, c.RUN: "run 1"}
        for line, (_, fate) in enumerate(CASES)
        if fate not in not_quarantined
    }


def with_releases(lines, released):
    """The fate of the lines of each order; released: tuples of CONTENT, source, line and row check."""
    columns = [*(f"{name} string" for name in (*CONTENT, c.SOURCE)), f"{c.LINE} long", f"{c.RULE} string"]
    releases = frame(released, ", ".join(columns))
    checked = row_checks.check(raw(lines), Dialect(), NIGHT, thresholds().rows, releases)
    return {row[c.ORDER_ID] or row[c.LINE]: row[row_checks.FATE] for row in checked.to_pyarrow().to_pylist()}


def test_a_released_line_without_a_price_is_used_and_others_are_accepted_as_lost():
    changes = [{c.UNIT_PRICE: "free"}, {c.UNIT_PRICE: "-5"}, {c.QUANTITY: "two"}, {c.PRODUCT: None}]
    checks = ["bad_price", "bad_price", "bad_quantity", "no_product"]
    lines = [GOOD | {c.ORDER_ID: str(n), c.LINE: 0} | change for n, change in enumerate(changes)]
    keys = [[line[name] for name in CONTENT] for line in lines]
    released = [(*key, None, None, check) for key, check in zip(keys, checks, strict=True)]
    assert with_releases(lines, released) == {
        "0": "used",
        "1": "used",
        "2": "accepted_as_lost",
        "3": "accepted_as_lost",
    }


def test_a_release_of_a_line_without_an_order_applies_to_this_line_of_its_file():
    lost = GOOD | dict.fromkeys(CONTENT) | {c.FAULT: "has 2 columns, the header 7"}
    lines = [lost | {c.LINE: line} for line in (3, 4)]
    released = [(*[None] * len(CONTENT), "by hand", 3, "unreadable_line")]
    assert with_releases(lines, released) == {3: "accepted_as_lost", 4: "unreadable_line"}


def test_a_release_applies_to_lines_with_the_same_content_and_to_its_check_only():
    huge = {c.QUANTITY: "200000"}
    changes = [huge, huge | {c.UNIT_PRICE: "-1"}, huge | {c.PRODUCT: "B"}, huge | {c.UNIT_PRICE: "10"}, {}]
    lines = [GOOD | {c.ORDER_ID: str(n), c.LINE: 0} | change for n, change in enumerate(changes)]
    keys = [
        [line[name] for name in CONTENT] for line in (*lines[:3], GOOD | lines[3] | {c.UNIT_PRICE: "9.90"})
    ]
    released = [(*key, "huge_quantity") for key in keys[:2]] + [(*keys[2], "price_outlier")]
    released += [(*keys[3], "huge_quantity")]
    assert with_releases(lines, [(*key[:-1], None, None, key[-1]) for key in released]) == {
        "0": "used",
        "1": "bad_price",  # it fails another check, too
        "2": "huge_quantity",  # another check was released
        "3": "huge_quantity",  # its price has changed
        "4": "used",
    }


def version(order, page, second, *products):
    changes = {
        c.ORDER_ID: order,
        c.PAGE: page,
        c.EXTRACTED_AT: dt.datetime(2026, 2, 1, 0, 0, second, tzinfo=dt.UTC),
    }
    return [GOOD | changes | {c.LINE: line, c.PRODUCT: product} for line, product in enumerate(products)]


def test_the_newest_version_of_an_order_replaces_all_of_its_lines():
    lines = [
        *version("changed", 7, 0, "A", "B", "C"),
        *version("changed", 3, 1, "A", "D"),
        *version("listed twice", 1, 1, "A", "B"),
        *version("listed twice", 2, 1, "A", "B"),
        *version("unchanged", 5, 0, "A"),
        *(line | {c.SOURCE: "a file"} for line in version(None, 1, 0, "A", "B")),
        *(line | {c.SOURCE: "a file"} for line in version(None, 1, 1, "A")),
    ]
    checked = check(lines)
    kept = sorted((row[c.ORDER_ID] or "", row[c.PRODUCT]) for row in checked.to_pyarrow().to_pylist())
    twice, changed = ("listed twice", "A"), ("changed", "A")
    others = [("changed", "D"), twice, ("listed twice", "B"), ("unchanged", "A")]
    assert kept == [("", "A"), changed, *others]
    counts = waterfall.waterfall(waterfall.tally(checked, None), len(lines))
    assert counts == {"fetched": 13, "duplicate": 3 + 2 + 2, "used": 5, "returned": 0, "no_order": 1}


def changed(second, hour, product, offset="Z"):
    """A version received in this second of a minute that the shop changed last at this hour."""
    return version("one", 1, second, product)[0] | {c.CHANGED_AT: f"2026-01-31T{hour:02}:00:00{offset}"}


@pytest.mark.parametrize(
    ("versions", "kept"),
    [
        ([changed(0, 12, "new"), changed(1, 11, "old")], "new"),  # the old file was touched
        ([changed(0, 11, "old"), changed(1, 12, "new")], "new"),
        ([changed(0, 12, "first"), changed(1, 12, "second")], "second"),
        ([changed(0, 12, "early", "+03:00"), changed(1, 10, "late")], "late"),
        ([changed(0, 12, "stated"), *version("one", 1, 1, "unknown")], "stated"),
        ([changed(0, 12, "stated"), changed(1, 1, "wrong") | {c.CHANGED_AT: "soon"}], "stated"),
        # A time in the future counts as the time of reception.
        ([changed(0, 1, "ahead") | {c.CHANGED_AT: "9999-12-31"}, changed(1, 1, "x")], "ahead"),
        ([changed(n, 1, p) | {c.CHANGED_AT: "9999-12-31"} for n, p in enumerate(("ahead", "x"))], "x"),
    ],
)
def test_the_version_that_the_shop_changed_last_counts(versions, kept):
    assert [row[c.PRODUCT] for row in check(versions).to_pyarrow().to_pylist()] == [kept]


def test_the_lines_of_an_order_may_lie_in_several_files():
    parts = [("a.csv", 1, 0, "A"), ("b.csv", 2, 0, "B"), ("b.csv", 2, 1, "C")]  # b.csv was read again
    lines = [
        line | {c.SOURCE: file}
        for file, page, second, product in parts
        for line in version("split", page, second, product)
    ]
    split = Mapping(file={"split_orders": True})
    checked = row_checks.check(raw(lines), split, NIGHT, thresholds().rows)
    assert sorted(row[c.PRODUCT] for row in checked.to_pyarrow().to_pylist()) == ["A", "C"]
    assert [row[c.PRODUCT] for row in check(lines).to_pyarrow().to_pylist()] == ["C"]


def test_order_ids_of_several_customers_are_counted():
    def sold(order, page, **changes):
        return version(order, page, 0, "A")[0] | changes

    lines = [
        *(sold("two stores", page, **{c.CUSTOMER: customer}) for page, customer in ((1, "ann"), (2, "bob"))),
        *(sold("one", page, **{c.CUSTOMER: spelling}) for page, spelling in enumerate(PHONES[:2], 1)),
        *(sold("late", page, **{c.CUSTOMER: customer}) for page, customer in ((1, None), (2, "ann"))),
        *(sold("far", page, **{c.CUSTOMER: None, c.ORDERED_AT: f"2026-01-{page}0"}) for page in (1, 2)),
        sold("merged", 1, **{c.CUSTOMER: "ann"}),
        sold("merged", 1, **{c.CUSTOMER: "bob", c.LINE: 1}),
        sold("plain", 1),
    ]
    tally = waterfall.tally(check(lines, guests=True), None)
    assert (tally[waterfall.LINES].sum(), tally[waterfall.SHARED].sum()) == (7, 4)


def test_free_lines_are_kept_by_rule_and_do_not_set_prices():
    gift, sold = LINES[0] | {c.UNIT_PRICE: "0"}, LINES[0] | {c.ORDER_ID: "other", c.PRODUCT: "B"}
    checked = check([*LINES[:4], gift | {c.LINE: 99}, sold], free_lines="keep")
    assert {row[row_checks.FATE] for row in checked.to_pyarrow().to_pylist()} == {"used"}
    prices = {row[c.PRODUCT]: row[c.PRICE] for row in outputs.goods(checked).to_pyarrow().to_pylist()}
    assert prices == {"A": 9.9, "B": 9.9}


def test_a_source_without_prices_has_no_price_checks():
    lines = [line | {c.UNIT_PRICE: None} for line in LINES[:3]]
    mapping = Mapping(columns={c.ORDER_ID: "id"})
    checked = row_checks.check(raw(lines), mapping, NIGHT, thresholds().rows)
    assert {row[row_checks.FATE] for row in checked.to_pyarrow().to_pylist()} == {"used"}
    assert {row[c.UNIT_PRICE] for row in outputs.orders(checked, IDENTIFY).to_pyarrow().to_pylist()} == {None}
    assert {row[c.PRICE] for row in outputs.goods(checked).to_pyarrow().to_pylist()} == {None}
    assert set(waterfall.tally(checked, None)[waterfall.PRICED]) == {0}


def test_refunds_take_away_what_they_return():
    changes = [
        {c.ORDER_ID: "part"},
        {c.ORDER_ID: "part", c.QUANTITY: "-1", c.UNIT_PRICE: None, c.LINE: 50},
        {c.ORDER_ID: "full"},
        {c.ORDER_ID: "full", c.QUANTITY: "-2", c.LINE: 51},
    ]
    lines = [LINES[0] | change for change in changes]
    orders = outputs.orders(check(lines), IDENTIFY).to_pyarrow().to_pylist()
    assert {row[c.ORDER_ID]: row[c.QUANTITY] for row in orders} == {"part": 1, "full": 0}


def test_unreadable_lines_are_identified_by_file_and_line():
    lines = [
        GOOD | {c.ORDER_ID: None, c.LINE: line, c.FAULT: "is no UTF-8", c.SOURCE: file}
        for file, line in (("a.csv", 3), ("b.csv", 3), ("b.csv", 4), ("b.csv", 4))
    ]
    checked = check(lines, row_key=(c.ORDER_ID, c.PRODUCT))
    assert sorted((row[c.SOURCE], row[c.LINE]) for row in checked.to_pyarrow().to_pylist()) == [
        ("a.csv", 3),
        ("b.csv", 3),
        ("b.csv", 4),
    ]


def test_goods_are_described_by_their_last_sale():
    last = "2026-01-30 10:00:00"
    changes = [
        {c.ORDERED_AT: "2026-01-29 10:00:00", c.NAME: "Tea", c.UNIT_PRICE: "1.5"},
        {c.ORDERED_AT: last, c.NAME: "Tea, green", c.UNIT_PRICE: "1.75", c.BRAND: "Acme", c.WEIGHT: "1.5"},
        {c.ORDERED_AT: "2026-01-31 10:00:00", c.NAME: "a return", c.QUANTITY: "-1"},
        {c.ORDERED_AT: "2026-01-31 11:00:00", c.NAME: "a gift", c.UNIT_PRICE: "0"},
        {c.ORDERED_AT: "2026-02-01 10:00:00", c.NAME: "later"},
        {c.PRODUCT: "B", c.NAME: "Mug", c.WEIGHT: "a lot"},
    ]
    lines = [GOOD | {c.ORDER_ID: str(number), c.LINE: 0} | change for number, change in enumerate(changes)]
    goods = outputs.goods(check(lines)).order_by(c.PRODUCT)
    assert list(goods.columns) == RAW_PRODUCTS.names
    assert tuples(goods) == [
        ("A", "Tea, green", "drinks", "Acme", 1.75, True, 1.5),
        ("B", "Mug", "drinks", None, 9.9, True, None),
    ]


def test_names_the_columns_in_which_a_table_differs_from_orders(checked):
    orders = outputs.orders(checked, IDENTIFY)
    assert outputs.schema_differences(orders) == []
    changed = orders.drop(c.CUSTOMER).mutate(
        {c.QUANTITY: orders[c.QUANTITY].cast("int32"), "new": orders[c.PRODUCT]}
    )
    assert outputs.schema_differences(changed) == [c.CUSTOMER, "new", c.QUANTITY]


# a time as received from London -> the time in UTC
TIMES = {
    "2011-01-04 10:00:00": "2011-01-04 10:00:00",
    "2011-07-01 10:00:00": "2011-07-01 09:00:00",
    "2011-07-01T10:00": "2011-07-01 09:00:00",
    "2011-07-01 10:00:00.500": "2011-07-01 09:00:00.5",
    "2011-07-01": "2011-06-30 23:00:00",
    "2011-10-30 00:30:00": "2011-10-29 23:30:00",
    "2011-10-30 02:30:00": "2011-10-30 02:30:00",
    "2011-07-01T10:00:00Z": "2011-07-01 10:00:00",
    "2011-07-01 10:00:00 UTC": "2011-07-01 10:00:00",
    "2011-07-01T10:00:00.500Z": "2011-07-01 10:00:00.5",
    "2011-07-01T10:00:00+03:00": "2011-07-01 07:00:00",
    "2011-07-01 10:00:00+0300": "2011-07-01 07:00:00",
    "2011-07-01 10:00:00+03": "2011-07-01 07:00:00",
    "2011-07-01 10:00:00 +0300": "2011-07-01 07:00:00",  # as Shopify exports it
    "2011-07-01T10:00Z": "2011-07-01 10:00:00",
    "2011-07-01 10:00:00-05:30": "2011-07-01 15:30:00",
}


def test_times_are_converted_to_utc_from_their_own_or_the_sources_time_zone():
    lines = [LINES[0] | {c.ORDER_ID: time, c.ORDERED_AT: time} for time in TIMES]
    orders = outputs.orders(check(lines, timezone="Europe/London"), IDENTIFY)
    times = dict(tuples(orders.select(c.ORDER_ID, c.ORDERED_AT)))
    assert times == {time: dt.datetime.fromisoformat(f"{utc}+00:00") for time, utc in TIMES.items()}


def test_a_run_uses_no_order_after_its_day(seed):
    rng = random.Random(seed)
    end = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
    moments = [end + dt.timedelta(seconds=rng.randint(-2 * 86400, 2 * 86400)) for _ in range(300)]
    zones = [dt.timezone(dt.timedelta(minutes=15 * rng.randint(-48, 56))) for _ in moments]
    times = [moment.astimezone(zone).isoformat() for moment, zone in zip(moments, zones, strict=True)]
    lines = [LINES[0] | {c.LINE: number, c.ORDERED_AT: time} for number, time in enumerate(times)]
    used = check(lines).filter(_[row_checks.FATE] == "used").to_pyarrow().to_pylist()
    days = [
        min(moment.date(), dt.date.fromisoformat(time[:10]))
        for moment, time in zip(moments, times, strict=True)
    ]
    assert {row[c.LINE] for row in used} == {n for n, day in enumerate(days) if day < end.date()}


def test_the_formats_of_a_phone_number_give_one_pseudonym_and_the_number_is_absent(checked):
    rows = list(outputs.orders(checked, IDENTIFY).to_pyarrow().to_pylist())
    assert {row[c.CUSTOMER] for row in rows if row[c.ORDER_ID] in ("order 0", "order 1", "order 2")} == {
        pseudonym("79165396205", KEY)
    }
    text = str(rows)
    assert [part for part in (*PHONES, "9165396205", "539-6205", "C-17") if part in text] == []


def test_the_lines_of_a_product_in_an_order_become_one_row():
    changes = [
        {c.QUANTITY: "2", c.UNIT_PRICE: "10", c.ORDERED_AT: "2026-01-31 12:00:00", c.GROUP: "France"},
        {c.QUANTITY: "-1", c.UNIT_PRICE: "20", c.ORDERED_AT: "2026-01-31 11:00:00", c.GROUP: "France"},
        {c.PRODUCT: "B"},
    ]
    lines = [LINES[0] | {c.LINE: number} | change for number, change in enumerate(changes)]
    orders = outputs.orders(check(lines), IDENTIFY).order_by(c.PRODUCT)
    assert list(orders.columns) == [
        *(c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE, c.GROUP)
    ]
    customer = pseudonym(PHONES[0], KEY)
    assert tuples(orders) == [
        ("order 0", dt.datetime(2026, 1, 31, 11, tzinfo=dt.UTC), customer, "A", 1.0, 15.0, "France"),
        ("order 0", dt.datetime(2026, 1, 31, 10, tzinfo=dt.UTC), customer, "B", 2.0, 9.9, None),
    ]
