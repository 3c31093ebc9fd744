"""The step `association_rules`: what it writes and what it counts."""

import datetime as dt

import pyarrow as pa

from pipelines import columns as c
from pipelines import nightly
from pipelines.lake import tables
from pipelines.run import pins, tracking
from pipelines.run.night import Night
from pipelines.train.association_rules import LARGEST_BASKET


def test_reports_mined_rules_and_baskets_too_large_to_mine(home):
    """Three products in 20 of 40 baskets (80 lines), and two stock orders of 101 products each."""
    stock = [[str(product) for product in range(LARGEST_BASKET + 1)]] * 2
    baskets = [["a", "b", "c"]] * 20 + [["z"]] * 20 + stock
    night = Night(
        as_of=dt.date(2026, 1, 31), source="files", path="", mapping="", sweep="quick", solver="auto"
    )
    night = night.model_copy(update={"run_id": tracking.begin("a nightly run", {})})
    tables.write(tables.BASKETS, pa.table({c.CUSTOMER: ["a customer"] * len(baskets), c.PRODUCTS: baskets}))
    pins.pin(night, tables.BASKETS)
    counts = {"rules": 9, "of_two_products": 3, "baskets_too_large": 2, "percent_in_them": 72}  # 202 of 282
    assert nightly.run("association_rules", night) == counts
    measured = tracking.client().get_run(night.run_id).data.metrics
    assert measured.pop("seconds_association_rules") > 0
    assert measured == counts
    assert pins.read(night, tables.RULES).num_rows == 9
