"""Which customers a night tells of, and what."""

import numpy as np
import pyarrow as pa

from pipelines import columns as c
from pipelines.evaluate import LANE, MODEL, SEGMENT, TOP, UNKNOWN
from pipelines.evaluate.windows import Windows
from pipelines.gate import conditions, shoppers
from pipelines.prepare.interactions import Interactions, date_of
from serving.bundle.format import texts

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
    "stranger": [(GREEN, 102, 1)],
}


def orders() -> Interactions:
    names = sorted(BOUGHT)
    rows = [(names.index(name), *line) for name in names for line in BOUGHT[name]]
    customer, product, day, units = (np.array(column) for column in zip(*rows, strict=True))
    some = np.zeros(len(rows))
    return Interactions(
        texts(names),
        texts(PRODUCTS[c.PRODUCT].to_pylist()),
        customer,
        product,
        day,
        units.astype(float),
        some,
        some + 1,
    )


def judged(*customers: str) -> pa.Table:
    """Everybody was recommended black tea and coffee; green tea and coffee were trending."""
    rows = [
        (model, lane, one)
        for model in (conditions.CHALLENGER, "trend")
        for lane in ("for-you", "discover")
        for one in customers
    ]
    tops = {(conditions.CHALLENGER, "for-you"): [BLACK, COFFEE], ("trend", "for-you"): [GREEN, COFFEE]}
    return pa.table({
        MODEL: [model for model, *_ in rows],
        LANE: [lane for _, lane, _ in rows],
        c.CUSTOMER: [one for *_, one in rows],
        SEGMENT: [UNKNOWN if one == "stranger" else "loyal" for *_, one in rows],
        TOP: pa.array([tops.get((model, lane), []) for model, lane, _ in rows], pa.list_(pa.int32())),
    })  # fmt: skip


def told(*customers: str) -> dict[str, dict[str, object]]:
    found = shoppers.example_shoppers(judged(*customers), orders(), PRODUCTS, CUT)
    return {one["kind"]: one for one in found["shoppers"]}


def test_one_of_each_kind_is_told_of() -> None:
    found = told("stranger", "returning", "once", "loyal", "bulk")
    assert {kind: one["customer"] for kind, one in found.items()} == {
        kind: kind for kind in ("once", "loyal", "bulk", "returning")
    }


def test_what_was_recommended_before_and_bought_after_the_cut() -> None:
    found = shoppers.example_shoppers(judged("loyal", "stranger"), orders(), PRODUCTS, CUT)
    assert (found["cut"], found["until"]) == (str(date_of(100)), str(date_of(112)))
    assert found["popular"] == ["green", "coffee"]
    (loyal,) = found["shoppers"]
    assert loyal["recommended"] == ["black", "coffee"]
    assert loyal["bought"] == ["coffee", "black"]  # by their first day


def test_what_is_known_of_them_is_of_before_the_cut() -> None:
    loyal = told("loyal")["loyal"]
    assert {name: loyal[name] for name in ("days", "units", "last_day", "category", "share")} == {
        "days": 3,
        "units": 1.0,
        "last_day": str(date_of(90)),
        "category": "tea",
        "share": 1.0,
    }


def test_who_is_of_no_kind_is_not_told_of_and_nobody_twice() -> None:
    assert told("stranger") == {}
    assert [*told("bulk")] == ["loyal"]  # two of three in tea; then there is nobody left for the next kinds
    assert {kind: one["customer"] for kind, one in told("bulk", "returning").items()} == {
        "loyal": "bulk",
        "bulk": "returning",
    }


def test_what_a_simulated_shop_planted_is_told_of_its_customers() -> None:
    found = shoppers.example_shoppers(judged("loyal"), orders(), PRODUCTS, CUT, {"loyal": ["Tea (sencha)"]})
    assert [one["planted"] for one in found["shoppers"]] == [["Tea (sencha)"]]
    assert told("loyal")["loyal"]["planted"] == []
