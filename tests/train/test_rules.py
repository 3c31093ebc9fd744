import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from pipelines import columns as c
from pipelines.train import rules
from pipelines.train.rules import RuleSettings
from serving.bundle import texts

ALL = RuleSettings(support_per_product=1e-9, min_count=1, min_confidence=0)


@pytest.fixture
def baskets(spark):
    """Ten baskets: a in 5, b in 4, both in 3; d alone."""
    rows = [["a", "b"]] * 3 + [["a"]] * 2 + [["b"]] + [["d"]] * 4
    return spark.createDataFrame([(row,) for row in rows], f"{c.PRODUCTS} array<string>")


def test_measures_of_a_rule_by_hand(baskets):
    found = {(row[c.ANTECEDENT], row[c.CONSEQUENT]): row for row in rules.mine(baskets, ALL).to_pylist()}
    assert set(found) == {("a", "b"), ("b", "a")}
    rule = found["a", "b"]
    assert rule[c.CONFIDENCE] == pytest.approx(3 / 5)
    assert rule[c.LIFT] == pytest.approx((3 / 5) / (4 / 10))
    assert rule[c.SUPPORT] == pytest.approx(3 / 10)
    assert rule[c.COUNT] == 3
    assert found["b", "a"][c.CONFIDENCE] == pytest.approx(3 / 4)


def test_rules_below_the_asked_count_or_confidence_stay_silent(baskets):
    assert rules.mine(baskets, ALL.model_copy(update={"min_count": 4})).num_rows == 0
    kept = rules.mine(baskets, ALL.model_copy(update={"min_confidence": 0.7})).to_pylist()
    assert [(row[c.ANTECEDENT], row[c.CONSEQUENT]) for row in kept] == [("b", "a")]


def test_stock_orders_tell_nothing_of_pairs(spark):
    everything = [str(product) for product in range(rules.LARGEST_BASKET + 1)]
    baskets = spark.createDataFrame([(everything,)] * 5, f"{c.PRODUCTS} array<string>")
    assert rules.mine(baskets, ALL).num_rows == 0


def test_arrays_are_grouped_by_antecedent_with_the_surest_first(baskets, spark):
    extra = spark.createDataFrame([(["a", "d"],)], f"{c.PRODUCTS} array<string>")
    found = rules.arrays(rules.mine(baskets.union(extra), ALL), texts(["a", "b", "c", "d"]))
    assert found.start.tolist() == [0, 2, 3, 3, 4]
    assert found.consequent.tolist() == [1, 3, 0, 0]
    assert found.confidence.tolist() == pytest.approx([3 / 6, 1 / 6, 3 / 4, 1 / 5])
    assert found.count.tolist() == [3, 1, 3, 1]


@pytest.mark.parametrize(("support", "itemsets"), [(0.01, 159), (0.001, 7589)])
def test_the_itemsets_of_the_belgian_supermarket(spark, data, support, itemsets):
    """Counts on which two independent implementations agree: FIMI "retail", Brijs et al. (1999)."""
    lines = spark.read.parquet(str(data("fimi_retail.parquet")))
    baskets = lines.groupBy("basket_id").agg(F.collect_set("item").alias(c.PRODUCTS))
    found = rules.frequent_itemsets(baskets, support).toArrow().to_pylist()
    assert len(found) == itemsets
    freq = {frozenset(row["items"]): row["freq"] for row in found}
    assert (freq[frozenset([39])], freq[frozenset([48])], freq[frozenset([39, 48])]) == (50675, 42135, 29142)


def test_whole_milk_of_the_groceries(spark, data):
    lines = pq.read_table(data("groceries.parquet")).group_by("basket_id").aggregate([("item", "distinct")])
    baskets = spark.createDataFrame(lines.select(["item_distinct"]).rename_columns([c.PRODUCTS]).to_pandas())
    found = rules.frequent_itemsets(baskets, 1e-9 + 2513 / 9835).toArrow().to_pylist()
    assert [(row["items"], row["freq"]) for row in found] == []
    found = rules.frequent_itemsets(baskets, 2513 / 9835 - 1e-9).toArrow().to_pylist()
    assert [(row["items"], row["freq"]) for row in found] == [(["whole milk"], 2513)]
