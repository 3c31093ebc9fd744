"""Example shoppers: which customers are selected, and what is shown of them."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines import columns as c
from pipelines.evaluate import LANE, MODEL, SEGMENT, TOP, UNKNOWN
from pipelines.evaluate.windows import Windows
from pipelines.gate import conditions, shoppers
from pipelines.prepare.interactions import Interactions, date_of
from serving.bundle.format import texts

pytestmark = pytest.mark.fast

CUT = Windows(train=88, validation=100, test=112)
PRODUCTS = pa.table(
    {c.PRODUCT: ["black", "coffee", "green"], c.CATEGORY: pa.array(["tea", "coffee", "tea"], pa.string())}
)
BLACK, COFFEE, GREEN = range(3)
BOUGHT = {  # customer: (product, day, units)
    "bulk": [(COFFEE, 80, 40), (GREEN, 85, 40), (BLACK, 90, 10)],
    "loyal": [
        (GREEN, 80, 1),
        (BLACK, 85, 1),
        (GREEN, 90, 1),
        (BLACK, 104, 1),
        (COFFEE, 103, 1),
        (BLACK, 110, 2),
    ],
    "once": [(COFFEE, 95, 2), (GREEN, 101, 1)],
    "returning": [(COFFEE, 50, 1), (GREEN, 60, 1), (BLACK, 70, 1), (GREEN, 105, 1)],
    "unknown": [(GREEN, 102, 1)],
}


def orders() -> Interactions:
    names = sorted(BOUGHT)
    rows = [(names.index(name), *line) for name in names for line in BOUGHT[name]]
    customer, product, day, units = (np.array(column) for column in zip(*rows, strict=True))
    zeros = np.zeros(len(rows))
    return Interactions(
        texts(names),
        texts(PRODUCTS[c.PRODUCT].to_pylist()),
        customer,
        product,
        day,
        units.astype(float),
        zeros,
        zeros + 1,
    )


def measures_of(*customers: str) -> pa.Table:
    """Returns measures: all customers got black tea and coffee; green tea and coffee were trending."""
    rows = [
        (model, lane, shopper)
        for model in (conditions.CHALLENGER, "trend")
        for lane in ("for-you", "discover")
        for shopper in customers
    ]
    tops = {(conditions.CHALLENGER, "for-you"): [BLACK, COFFEE], ("trend", "for-you"): [GREEN, COFFEE]}
    return pa.table({
        MODEL: [model for model, *_ in rows],
        LANE: [lane for _, lane, _ in rows],
        c.CUSTOMER: [shopper for *_, shopper in rows],
        SEGMENT: [UNKNOWN if shopper == "unknown" else "loyal" for *_, shopper in rows],
        TOP: pa.array([tops.get((model, lane), []) for model, lane, _ in rows], pa.list_(pa.int32())),
    })  # fmt: skip


def shoppers_by_kind(*customers: str) -> dict[str, dict[str, object]]:
    result = shoppers.example_shoppers(measures_of(*customers), orders(), PRODUCTS, CUT)
    return {shopper["kind"]: shopper for shopper in result["shoppers"]}


def test_selects_one_shopper_of_each_kind() -> None:
    result = shoppers_by_kind("unknown", "returning", "once", "loyal", "bulk")
    assert {kind: shopper["customer"] for kind, shopper in result.items()} == {
        kind: kind for kind in ("once", "loyal", "bulk", "returning")
    }


def test_shows_recommendations_at_the_cut_and_purchases_after_it() -> None:
    result = shoppers.example_shoppers(measures_of("loyal", "unknown"), orders(), PRODUCTS, CUT)
    assert (result["cut"], result["until"]) == (str(date_of(100)), str(date_of(112)))
    assert result["popular"] == ["green", "coffee"]
    (loyal,) = result["shoppers"]
    assert loyal["recommended"] == ["black", "coffee"]
    assert loyal["bought"] == ["coffee", "black"]  # in the order of their first days


def test_describes_shoppers_by_purchases_before_the_cut_only() -> None:
    loyal = shoppers_by_kind("loyal")["loyal"]
    assert {name: loyal[name] for name in ("days", "units", "last_day", "category", "share")} == {
        "days": 3,
        "units": 1.0,
        "last_day": str(date_of(90)),
        "category": "tea",
        "share": 1.0,
    }


def test_selects_each_customer_at_most_once_and_no_customer_without_a_kind() -> None:
    assert shoppers_by_kind("unknown") == {}
    # Loyal, since two of three purchases are tea; no customer is left for the other kinds.
    assert [*shoppers_by_kind("bulk")] == ["loyal"]
    assert {kind: shopper["customer"] for kind, shopper in shoppers_by_kind("bulk", "returning").items()} == {
        "loyal": "bulk",
        "bulk": "returning",
    }


def test_shows_the_preferences_that_the_demo_shop_planted() -> None:
    result = shoppers.example_shoppers(
        measures_of("loyal"), orders(), PRODUCTS, CUT, {"loyal": ["Tea (sencha)"]}
    )
    assert [shopper["planted"] for shopper in result["shoppers"]] == [["Tea (sencha)"]]
    assert shoppers_by_kind("loyal")["loyal"]["planted"] == []
