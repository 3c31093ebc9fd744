"""A nightly run on all rows of a real shop, dirt included; the expected counts are in the data's README."""

import math
import re

import pandas as pd
import pytest
from homes import SOAK, fresh_home

from expectations import suites
from expectations.thresholds import thresholds
from pipelines import columns as c
from pipelines.extract.mapping import load_mapping
from pipelines.lake import tables
from pipelines.registry import versions
from pipelines.retrain import retrain
from pipelines.run import tracking
from pipelines.validate import measures

KEY = ["InvoiceNo", "StockCode", "Quantity", "UnitPrice"]
OVERLAP, REPEATED = 22_523, 11_812  # rows in both sheets, and further exact duplicates


@pytest.fixture(scope="module")
def night(data, tmp_path_factory):
    file = data("online_retail_ii.parquet")
    with fresh_home(tmp_path_factory.mktemp("home")):
        yield retrain(source="files", mapping="online_retail_ii", path=str(file), sweep="quick")


def test_every_row_is_counted_once(night):
    outcomes = ("duplicate", "not_a_product", "free", "price_outlier", "returned", "used")
    assert night["fetched"] == sum(night[outcome] for outcome in outcomes) == 1_067_370
    assert night["duplicate"] == OVERLAP + REPEATED
    assert night["free"] <= 6_029  # rows at price 0, before duplicates and other codes are removed
    assert night["returned"] <= 19_165  # cancelled rows, before duplicates and other codes are removed
    metrics = tracking.client().get_run(versions.find("1").run_id).data.metrics
    assert {outcome: metrics[f"rows_{outcome}"] for outcome in ("fetched", *outcomes)} == {
        outcome: night[outcome] for outcome in ("fetched", *outcomes)
    }


def test_of_two_years_of_real_days_only_nearly_empty_ones_would_stop_a_run(night):
    """Holidays, bulk orders and sales must not stop a run; before Christmas the shop nearly closes."""
    (source,) = tables.entries("profile")
    days = tables.read(f"profile/{source}").to_pandas().set_index(c.DAY)
    nights = [day.date() for day in days.index[60:]]
    assert len(nights) > 650
    nights = nights[:: 1 if SOAK else 5]
    stopped = {day: broken for day in nights if (broken := _broken(days, day))}
    empty = [day for day in stopped if not days[c.ORDERS][pd.Timestamp(day)]]
    others = {day: broken for day, broken in stopped.items() if day not in empty}
    print(f"{len(nights)} runs, {len(empty)} stopped on days without an order, others: {others}")
    assert all((day.month, day.day) > (12, 18) and "orders" in broken for day, broken in others.items())
    assert len(others) <= 3


def _broken(days, day):
    """Returns the names of the measures of a day that would have stopped its run."""
    day_measures = list(measures.day_measures(days[days.index <= pd.Timestamp(day)], [day]))
    measured = thresholds().orders | thresholds().customers
    bounds = {name: levels["critical"] for name, levels in measured.items() if "critical" in levels}
    broken = set()
    for measure in day_measures:
        low, high = suites.limits(bounds[measure.name], [measure]) if measure.name in bounds else (None, None)
        if measure.value < (-math.inf if low is None else low) or measure.value > (
            math.inf if high is None else high
        ):
            broken.add(measure.name)
    return broken


def test_customers_products_and_orders_equal_published_counts(night, data):
    """Published: 5,878 customers, 4,631 codes and 36,969 invoices of clean sales, including postage."""
    rows = pd.read_parquet(data("online_retail_ii.parquet")).drop(columns="sheet").drop_duplicates()
    clean = rows[(rows.Quantity > 0) & (rows.UnitPrice > 0) & rows.CustomerID.notna()]
    clean = clean[~clean.InvoiceNo.str.startswith("C")]
    assert _counted(clean, "CustomerID", "StockCode", "InvoiceNo") == (5_878, 4_631, 36_969)
    no_product = re.compile(load_mapping("online_retail_ii").not_products)
    products = clean[[no_product.search(code) is None for code in clean.StockCode]]
    products = products[~pd.MultiIndex.from_frame(products[KEY]).isin(_outliers())]
    sales = tables.read(tables.ORDERS).to_pandas()
    known = sales[sales[c.CUSTOMER].notna() & (sales[c.QUANTITY] > 0)]
    expected = _counted(products, "CustomerID", "StockCode", "InvoiceNo")
    assert _counted(known, c.CUSTOMER, c.PRODUCT, c.ORDER_ID) == expected


def _outliers():
    """Returns invoice, code, quantity and price of the lines quarantined as price outliers."""
    (night,) = tables.entries("quarantine/orders")
    rows = tables.read(f"quarantine/orders/{night}").to_pandas()
    rows = rows[rows[c.RULE] == "price_outlier"]
    numbers = rows[[c.QUANTITY, c.UNIT_PRICE]].astype(float).itertuples(index=False)
    return [
        (*ids, *values) for ids, values in zip(rows[[c.ORDER_ID, c.PRODUCT]].values, numbers, strict=True)
    ]


def _counted(rows, *columns):
    return tuple(rows[column].nunique() for column in columns)


def test_counts_baskets_too_large_and_rules_with_one_and_two_antecedents(night):
    """A wholesaler: one order in 34 has more than 100 products; they hold a quarter of all basket lines."""
    assert (night["baskets_too_large"], night["percent_in_them"]) == (1_174, 24)
    assert night["rules"] - night["of_two_products"] == 3_980
    assert night["of_two_products"] == 2_862


def test_baselines_score_as_in_an_independent_implementation_and_beat_als(night):
    """An independent implementation of the same protocol, with a cut by the hour, gives 0.087 and 0.338."""
    measured = tracking.client().get_run(versions.find("1").run_id).data.metrics
    assert measured["popularity_ndcg_at_10_for_you"] == pytest.approx(0.087, abs=0.003)
    assert measured["repurchase_ndcg_at_10_for_you"] == pytest.approx(0.338, abs=0.01)
    assert measured["als_ndcg_at_10_for_you"] < measured["repurchase_ndcg_at_10_for_you"]


def test_the_winning_component_serves(night):
    assert night["verdict"] == "FIRST"
    assert versions.champion().version == "1"
    measured = tracking.client().get_run(versions.find("1").run_id).data.metrics
    serving = measured["ndcg_at_10_for_you"]
    assert serving == pytest.approx(measured[f"{night['lanes']['for-you']}_ndcg_at_10_for_you"])
    assert serving > 0.98 * measured["repurchase_ndcg_at_10_for_you"]
