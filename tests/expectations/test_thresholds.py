"""The shipped thresholds fit the code that measures, and a mistake in the file is named."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from expectations import thresholds as file
from expectations.thresholds import thresholds
from pipelines import columns as c
from pipelines.extract.product_history import RAW_PRODUCTS
from pipelines.validate import continuity, measures
from pipelines.validate import profile as p
from pipelines.validate import waterfall as w
from serving.errors import NightshelfError

NIGHT = dt.date(2026, 1, 31)
SUITES = ("orders", "customers", "catalogue")


@pytest.fixture
def changed(monkeypatch, tmp_path):
    """A function that gives the shipped file with a part of it replaced as the one to read."""

    def change(old, new):
        text = file.FILE.read_text()
        assert old in text
        path = tmp_path / "thresholds.toml"
        path.write_text(text.replace(old, new, 1))
        monkeypatch.setattr(file, "FILE", path)
        thresholds.cache_clear()

    yield change
    thresholds.cache_clear()


def measures_of(shipped):
    """Place and bounds by severity of every measure that is bounded."""
    return [
        (f"{suite}.{name}", severities)
        for suite in SUITES
        for name, severities in getattr(shipped, suite).items()
    ]


def test_every_bound_says_why_and_bounds_something():
    for place, severities in measures_of(thresholds()):
        assert severities, place
        for bound in severities.values():
            assert len(bound.why.split()) >= 3, place
            assert (bound.min, bound.max) != (None, None), place
            assert bound.min is None or bound.max is None or bound.min <= bound.max, place


def test_a_warning_comes_before_what_is_critical():
    both = [(place, found) for place, found in measures_of(thresholds()) if len(found) == 2]
    assert both
    for place, found in both:
        critical, warning = found["critical"], found["warning"]
        assert critical.min is None or warning.min is None or critical.min <= warning.min, place
        assert critical.max is None or warning.max is None or warning.max <= critical.max, place
        assert warning.spreads <= critical.spreads, place


def days():
    """The profile of a shop where every column is of some number, ids ascending."""
    lines = [w.LINES, w.REVENUE, w.LOG_PIECES, w.GUESTS, w.PRICED, w.LOG_PRICE, w.MOVED, p.RETURNS]
    shares = [
        p.COPIES,
        p.CUSTOMERS,
        p.KNOWN,
        p.PAIRS,
        p.KNOWN_PAIRS,
        p.SALES,
        p.TOP,
        p.FIRST,
        p.NEW,
        p.UNLISTED,
    ]
    index = pd.date_range(end=NIGHT, periods=15)
    table = pd.DataFrame(10.0, index, [*lines, *shares, c.ORDERS, *p.HOURS])
    return table.assign(**{p.NUMBER: np.arange(15.0)})


def taken():
    """The names of all measures that are taken of such a shop."""
    goods = pa.Table.from_pylist(
        [{c.PRODUCT: "A", c.NAME: "Tea", c.PRICE: 1.0, c.IN_STOCK: True}], RAW_PRODUCTS
    )
    customers = pa.table({c.CUSTOMER: ["ann"], p.LAST_DAY: [NIGHT]})
    found = [
        *measures.day_measures(days(), [NIGHT]),
        *measures.total_measures(days(), NIGHT),
        *continuity.order_measures(days(), days(), NIGHT - dt.timedelta(days=1), NIGHT),
        *continuity.customer_measures(customers, customers, days(), [NIGHT]),
        *continuity.catalogue_measures(goods, goods, NIGHT),
    ]
    return {one.name for one in found}


def test_there_is_a_bound_for_every_measure_that_is_taken_and_for_no_other():
    shipped = thresholds()
    named = [*shipped.orders, *shipped.customers, *shipped.catalogue]
    assert len(named) == len(set(named))
    assert set(named) == taken() | {"columns", "duplicates"}  # those two the step takes itself


# what is written instead -> what the message names
MISTAKES = [
    (
        "[orders.silence]\ncritical = { max =",
        "[orders.silence]\ncritical = { most =",
        "orders.silence.critical.most",
    ),
    ("[orders.silence]\ncritical", "[orders.silence]\nfatal", "orders.silence.fatal"),
    ("[orders.silence]\ncritical = { max =", '[orders.silence]\ncritical = { max = "', "can't be read"),
    ("[rows.price_factor]", "[rows.price_factors]", "rows.price_factor"),
    ("[rows.price_factor]\nvalue = ", "[rows.price_factor]\nvalue = -", "rows.price_factor.value"),
    (
        "[rows.largest_quantity]\nvalue = ",
        '[rows.largest_quantity]\nvalue = "many"#',
        "rows.largest_quantity.value",
    ),
    ("[customers.recognised]", "[shoppers.recognised]", "shoppers"),
    ("spreads = ", "spreads = -", "spreads"),
    ("[orders.lines]", "[orders.lines", "can't be read"),
]


@pytest.mark.parametrize(("old", "new", "named"), MISTAKES)
def test_a_mistake_in_the_file_is_named(changed, old, new, named):
    changed(old, new)
    with pytest.raises(NightshelfError) as error:
        thresholds()
    assert str(error.value).startswith("expectations/thresholds.toml")
    assert named in str(error.value)
    assert "\n" not in str(error.value)


def test_a_bound_without_a_reason_is_a_mistake(changed):
    why = thresholds().orders["silence"]["critical"].why
    changed(f'why = "{why}"', 'why = ""')
    with pytest.raises(NightshelfError, match=r"orders\.silence\.critical\.why"):
        thresholds()
    changed('why = ""', "spreads = 0")
    with pytest.raises(NightshelfError, match=r"orders\.silence\.critical\.why"):
        thresholds()


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cant_be_read_is_named(changed, tmp_path, content):
    changed("", "")
    (tmp_path / "thresholds.toml").unlink()
    if content:
        (tmp_path / "thresholds.toml").write_bytes(content)
    with pytest.raises(NightshelfError, match=r"^expectations/thresholds.toml can't be read"):
        thresholds()
