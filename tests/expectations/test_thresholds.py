"""Every measure has a bound in the shipped thresholds.toml, and messages name the errors in the file."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from expectations import thresholds as thresholds_module
from expectations.thresholds import thresholds
from pipelines import columns as c
from pipelines.extract.product_history import RAW_PRODUCTS
from pipelines.validate import continuity, measures
from pipelines.validate import profile as p
from pipelines.validate import waterfall as w
from serving.errors import NightshelfError

pytestmark = pytest.mark.fast

NIGHT = dt.date(2026, 1, 31)
SUITES = ("orders", "customers", "catalogue")


@pytest.fixture
def changed(monkeypatch, tmp_path):
    """A function that replaces a part of thresholds.toml, in a copy that is read instead."""

    def change(old, new):
        text = thresholds_module.FILE.read_text()
        assert old in text
        path = tmp_path / "thresholds.toml"
        path.write_text(text.replace(old, new, 1))
        monkeypatch.setattr(thresholds_module, "FILE", path)
        thresholds.cache_clear()

    yield change
    thresholds.cache_clear()


def measures_of(shipped):
    """The key of every bounded measure, and its bounds by severity."""
    return [
        (f"{suite}.{name}", severities)
        for suite in SUITES
        for name, severities in getattr(shipped, suite).items()
    ]


def test_every_bound_has_a_reason_and_a_side():
    for key, severities in measures_of(thresholds()):
        assert severities, key
        for bound in severities.values():
            assert len(bound.why.split()) >= 3, key
            assert (bound.min, bound.max) != (None, None), key
            assert bound.min is None or bound.max is None or bound.min <= bound.max, key


def test_warnings_have_narrower_bounds_than_critical_expectations():
    both = [(key, bounds) for key, bounds in measures_of(thresholds()) if len(bounds) == 2]
    assert both
    for key, bounds in both:
        critical, warning = bounds["critical"], bounds["warning"]
        assert critical.min is None or warning.min is None or critical.min <= warning.min, key
        assert critical.max is None or warning.max is None or warning.max <= critical.max, key
        assert warning.spreads <= critical.spreads, key


def days():
    """A profile with 10 in every column and ascending order ids."""
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


def measure_names():
    """The names of all measures."""
    goods = pa.Table.from_pylist(
        [{c.PRODUCT: "A", c.NAME: "Tea", c.PRICE: 1.0, c.IN_STOCK: True}], RAW_PRODUCTS
    )
    customers = pa.table({c.CUSTOMER: ["ann"], p.LAST_DAY: [NIGHT]})
    results = [
        *measures.day_measures(days(), [NIGHT]),
        *measures.total_measures(days(), NIGHT),
        *continuity.order_measures(days(), days(), NIGHT - dt.timedelta(days=1), NIGHT),
        *continuity.customer_measures(customers, customers, days(), [NIGHT]),
        *continuity.catalogue_measures(goods, goods, NIGHT),
    ]
    return {measure.name for measure in results}


def test_every_measure_has_a_bound_and_every_bound_a_measure():
    shipped = thresholds()
    named = [*shipped.orders, *shipped.customers, *shipped.catalogue]
    assert len(named) == len(set(named))
    of_the_step = {"columns", "duplicates", "largest_customer", "shared_ids", "not_in_dump", "other_mapping"}
    assert set(named) == measure_names() | of_the_step


# text of the file, its replacement, and what the message names
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
def test_names_the_error_in_the_file(changed, old, new, named):
    changed(old, new)
    with pytest.raises(NightshelfError) as error:
        thresholds()
    assert str(error.value).startswith("expectations/thresholds.toml")
    assert named in str(error.value)
    assert "\n" not in str(error.value)


def test_rejects_a_bound_without_a_reason(changed):
    why = thresholds().orders["silence"]["critical"].why
    changed(f'why = "{why}"', 'why = ""')
    with pytest.raises(NightshelfError, match=r"orders\.silence\.critical\.why"):
        thresholds()
    changed('why = ""', "spreads = 0")
    with pytest.raises(NightshelfError, match=r"orders\.silence\.critical\.why"):
        thresholds()


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_names_a_file_that_cant_be_read(changed, tmp_path, content):
    changed("", "")
    (tmp_path / "thresholds.toml").unlink()
    if content:
        (tmp_path / "thresholds.toml").write_bytes(content)
    with pytest.raises(NightshelfError, match=r"^expectations/thresholds.toml can't be read"):
        thresholds()
