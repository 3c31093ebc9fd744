"""The step `rules` of a night: what it writes, and what it says of itself."""

import datetime as dt

import pyarrow as pa

from pipelines import columns as c
from pipelines import nightly
from pipelines.lake import tables
from pipelines.run import pins, tracking
from pipelines.run.night import Night
from pipelines.train.association_rules import LARGEST_BASKET


def test_a_night_says_what_it_mined_and_what_was_too_large_to_be_mined(home, spark):
    """Three products in twenty baskets of forty; two stock orders, each of 101 products, beside 80 lines."""
    stock = [[str(product) for product in range(LARGEST_BASKET + 1)]] * 2
    baskets = [["a", "b", "c"]] * 20 + [["z"]] * 20 + stock
    night = Night(
        as_of=dt.date(2026, 1, 31), source="files", path="", mapping="", sweep="quick", solver="auto"
    )
    night = night.model_copy(update={"run_id": tracking.begin("a night", {})})
    tables.write(tables.BASKETS, pa.table({c.CUSTOMER: ["someone"] * len(baskets), c.PRODUCTS: baskets}))
    pins.pin(night, tables.BASKETS)
    told = {"rules": 9, "of_two_products": 3, "baskets_too_large": 2, "percent_in_them": 72}  # 202 of 282
    assert nightly.run("association_rules", night) == told
    measured = tracking.client().get_run(night.run_id).data.metrics
    assert measured.pop("seconds_rules") > 0
    assert measured == told
    assert pins.read(night, tables.RULES).num_rows == 9
