from itertools import permutations

import numpy as np
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from pipelines import columns as c
from pipelines.train import association_rules
from pipelines.train.association_rules import AssociationRuleSettings
from serving.bundle.format import texts

ALL = AssociationRuleSettings(support_per_product=1e-9, min_count=1, min_confidence=0, sure=0.999)
SCHEMA = f"{c.CUSTOMER} string, {c.PRODUCTS} array<string>"


@pytest.fixture
def filled(spark):
    """A function from (customer, products) rows to a table of baskets."""
    return lambda rows: spark.createDataFrame(rows, SCHEMA)


@pytest.fixture
def baskets(filled):
    """Ten baskets: a in 5, b in 4, both in 3; d alone."""
    rows = [["a", "b"]] * 3 + [["a"]] * 2 + [["b"]] + [["d"]] * 4
    return filled([(None, row) for row in rows])


@pytest.fixture
def threes(filled):
    """Ten baskets: a in 6, b in 4, c in 4; a with b in 4, a with c and b with c in 3, all three in 3."""
    rows = [["a", "b", "c"]] * 3 + [["b", "a"]] + [["a"]] * 2 + [["c"]] + [["d"]] * 3
    return filled([(None, row) for row in rows])


def mined(baskets, settings=ALL):
    """The mined rules by antecedents and consequent."""
    return {
        (row[c.ANTECEDENT], row[c.SECOND_ANTECEDENT], row[c.CONSEQUENT]): row
        for row in association_rules.mine(baskets, settings).to_pylist()
    }


def measures(row):
    return [row[name] for name in (c.CONFIDENCE, c.LIFT, c.SUPPORT, c.COUNT)]


def test_measures_of_a_rule_by_hand(baskets):
    found = mined(baskets)
    assert set(found) == {("a", None, "b"), ("b", None, "a")}
    assert measures(found["a", None, "b"]) == pytest.approx([3 / 5, (3 / 5) / (4 / 10), 3 / 10, 3])
    assert found["b", None, "a"][c.CONFIDENCE] == pytest.approx(3 / 4)


def test_measures_of_a_rule_of_two_products_by_hand(threes):
    found = {rule: measures(row) for rule, row in mined(threes).items() if rule[1]}
    assert set(found) == {("a", "b", "c"), ("a", "c", "b"), ("b", "c", "a")}
    assert found["a", "b", "c"] == pytest.approx([3 / 4, (3 / 4) / (4 / 10), 3 / 10, 3])
    assert found["a", "c", "b"] == pytest.approx([3 / 3, (3 / 3) / (4 / 10), 3 / 10, 3])
    assert found["b", "c", "a"] == pytest.approx([3 / 3, (3 / 3) / (6 / 10), 3 / 10, 3])


def test_rules_below_the_asked_count_or_confidence_stay_silent(baskets):
    assert association_rules.mine(baskets, ALL.model_copy(update={"min_count": 4})).num_rows == 0
    assert set(mined(baskets, ALL.model_copy(update={"min_confidence": 0.7}))) == {("b", None, "a")}


def test_so_do_those_of_two_products(threes):
    """All three are in 3 baskets; of the pairs a and b alone are in more."""
    assert sum(second is not None for _, second, _ in mined(threes)) == 3
    four = mined(threes, ALL.model_copy(update={"min_count": 4}))
    assert set(four) == {("a", None, "b"), ("b", None, "a")}
    sure = mined(threes, ALL.model_copy(update={"min_confidence": 0.8}))
    assert {rule for rule in sure if rule[1]} == {("a", "c", "b"), ("b", "c", "a")}


def test_stock_orders_tell_nothing_of_pairs_and_are_counted(filled):
    everything = [str(product) for product in range(association_rules.LARGEST_BASKET + 1)]
    large, ordinary = [(None, everything)] * 3, [(None, ["1", "2"])] * 101
    assert association_rules.mine(filled(large), ALL).num_rows == 0
    assert association_rules.count_large_baskets(filled(large + ordinary)) == {
        "baskets_too_large": 3,
        "percent_in_them": 60,
    }
    assert association_rules.count_large_baskets(filled(ordinary)) == {
        "baskets_too_large": 0,
        "percent_in_them": 0,
    }
    assert association_rules.count_large_baskets(filled([])) == {"baskets_too_large": 0, "percent_in_them": 0}


def taking(customers, one, other):
    """Four baskets of each customer: two with both products, two with neither.

    By chance both are in 2 * 2 / 4 = 1 of them, give or take sqrt(2 * 2 * 2 * 2 / (16 * 3)) = sqrt(1 / 3).
    So k customers are k / sqrt(k / 3) = sqrt(3 k) deviations off: 3 for three, 3.46 for four; asked for
    are 3.09.
    """
    return [(f"c{k}", row) for k in range(customers) for row in ([one, other], [other, one], ["z"], ["z"])]


@pytest.mark.parametrize(("customers", "sure"), [(3, False), (4, True)])
def test_what_is_bought_at_once_goes_together_once_that_is_sure(filled, customers, sure):
    found = mined(filled(taking(customers, "a", "b")))
    assert found["a", None, "b"][c.COMPLEMENT] is found["b", None, "a"][c.COMPLEMENT] is sure


def test_what_the_same_customers_buy_goes_together_only_if_they_buy_it_at_once(filled):
    """Of 80 customers 40 love x and y: each is in half of their baskets, and both at once by chance."""
    tastes = [(f"t{k}", row) for k in range(40) for row in (["x", "y"], ["x"], ["y"], ["z"])]
    others = [(f"o{k}", ["z"]) for k in range(40) for _ in range(4)]
    found = mined(filled(tastes + others))
    assert found["x", None, "y"][c.LIFT] == pytest.approx(2)  # 40 times 320 by 80 and 80
    assert not found["x", None, "y"][c.COMPLEMENT]


@pytest.mark.parametrize("name", ["guest", "once"])
def test_baskets_without_a_past_are_held_against_one_another(filled, name):
    """Eight of sixteen have both: 4 by chance, give or take sqrt(8 ** 4 / (256 * 15)); 3.87 times that."""
    rows = [["a", "b"]] * 8 + [["z"]] * 8
    customers = [None if name == "guest" else f"c{number}" for number in range(16)]
    assert mined(filled(list(zip(customers, rows, strict=True))))["a", None, "b"][c.COMPLEMENT]
    rows = [["a", "b"], ["a"], ["b"], ["z"]] * 4
    assert not mined(filled(list(zip(customers, rows, strict=True))))["a", None, "b"][c.COMPLEMENT]


def test_who_buys_the_two_in_every_basket_tells_nothing(filled):
    assert not mined(filled([("c", ["a", "b"])] * 50))["a", None, "b"][c.COMPLEMENT]


def test_a_rule_of_two_products_is_of_complements_where_both_go_with_the_third(filled):
    """Of eight baskets a and b are in four each, and both in two, as by chance; d is wherever they are."""
    rows = [["a", "b", "d"]] * 2 + [["a", "d"]] * 2 + [["b", "d"]] * 2 + [["z"]] * 2
    found = mined(filled([(f"c{k}", row) for k in range(40) for row in rows]))
    assert {one for one, row in found.items() if row[c.COMPLEMENT]} >= {("a", "b", "d"), ("a", None, "d")}
    assert not found["a", None, "b"][c.COMPLEMENT]
    assert not found["a", "d", "b"][c.COMPLEMENT]


def test_arrays_are_grouped_by_antecedent_with_the_surest_first(baskets, filled):
    extra = filled([(None, ["a", "d"])])
    found = association_rules.to_arrays(
        association_rules.mine(baskets.union(extra), ALL), texts(["a", "b", "c", "d"])
    )
    assert found.rule_start.tolist() == [0, 2, 3, 3, 4]
    assert found.rule_consequent.tolist() == [1, 3, 0, 0]
    assert found.rule_confidence.tolist() == pytest.approx([3 / 6, 1 / 6, 3 / 4, 1 / 5])
    assert found.rule_count.tolist() == [3, 1, 3, 1]


def test_arrays_of_two_products_are_by_their_pair_with_the_surest_first(filled):
    """Four products that go together; of a and b: c in 3 of 4 baskets, d in 2."""
    rows = [["a", "b", "c", "d"]] * 2 + [["a", "b", "c"], ["a", "b"]] + [["z"]] * 8
    mine = association_rules.mine(filled([(f"c{k}", row) for k in range(40) for row in rows]), ALL)
    found = association_rules.to_arrays(mine, texts(["a", "b", "c", "d", "z"]))
    assert found.rule_complement.all()
    assert found.triple_key.tolist() == sorted(2 * [5 * i + j for i in range(4) for j in range(i + 1, 4)])
    assert found.triple_consequent[:2].tolist() == [2, 3]
    assert found.triple_confidence[:2].tolist() == pytest.approx([3 / 4, 2 / 4])
    assert found.triple_lift[:2].tolist() == pytest.approx([3 / 4 / (3 / 12), 2 / 4 / (2 / 12)])
    assert found.triple_support[:2].tolist() == pytest.approx([3 / 12, 2 / 12])
    assert found.triple_count[:2].tolist() == [120, 80]


def test_no_rules_are_arrays_too(filled):
    none, of_nothing = (
        association_rules.no_rules(3),
        association_rules.to_arrays(association_rules.mine(filled([]), ALL), texts(["a", "b", "c"])),
    )
    for name, array in vars(none).items():
        assert array.tolist() == vars(of_nothing)[name].tolist() == ([0] * 4 if name == "rule_start" else [])


@pytest.mark.parametrize(("support", "itemsets"), [(0.01, 159), (0.001, 7589)])
def test_the_itemsets_of_the_belgian_supermarket(spark, data, support, itemsets):
    """Counts on which two independent implementations agree: FIMI "retail", Brijs et al. (1999)."""
    lines = spark.read.parquet(str(data("fimi_retail.parquet")))
    baskets = lines.groupBy("basket_id").agg(F.collect_set("item").alias(c.PRODUCTS))
    found = association_rules.frequent_itemsets(baskets, support).toArrow().to_pylist()
    assert len(found) == itemsets
    freq = {frozenset(row["items"]): row["freq"] for row in found}
    assert (freq[frozenset([39])], freq[frozenset([48])], freq[frozenset([39, 48])]) == (50675, 42135, 29142)


def test_whole_milk_of_the_groceries(spark, data):
    lines = pq.read_table(data("groceries.parquet")).group_by("basket_id").aggregate([("item", "distinct")])
    baskets = spark.createDataFrame(lines.select(["item_distinct"]).rename_columns([c.PRODUCTS]).to_pandas())
    found = association_rules.frequent_itemsets(baskets, 1e-9 + 2513 / 9835).toArrow().to_pylist()
    assert [(row["items"], row["freq"]) for row in found] == []
    found = association_rules.frequent_itemsets(baskets, 2513 / 9835 - 1e-9).toArrow().to_pylist()
    assert [(row["items"], row["freq"]) for row in found] == [(["whole milk"], 2513)]


def test_rules_of_the_groceries_are_what_counting_says(spark, data):
    """Every rule that is told, and every one that is not, by going through the baskets product by product."""
    lines = pq.read_table(data("groceries.parquet")).group_by("basket_id").aggregate([("item", "distinct")])
    bought = lines["item_distinct"].to_pylist()
    baskets = spark.createDataFrame([(None, row) for row in bought], SCHEMA)
    found = mined(baskets, ALL.model_copy(update={"min_count": 100, "min_confidence": 0.1}))
    holds = {
        item: np.array([item in row for row in bought]) for item in {item for row in bought for item in row}
    }
    frequent = sorted(item for item, where in holds.items() if where.sum() >= 100)
    expected = {}
    for one, other in permutations(frequent, 2):
        expected |= _counted(holds, (one, None), other, holds[one])
        for third in frequent[frequent.index(one) + 1 :] if (holds[one] & holds[other]).sum() >= 100 else []:
            if third != other:
                expected |= _counted(holds, (one, third), other, holds[one] & holds[third])
    assert found.keys() == expected.keys()
    for rule, row in found.items():
        assert measures(row) == pytest.approx(expected[rule]), rule
    of_two = sum(second is not None for _, second, _ in found)
    print(f"{len(found)} rules, {of_two} of two products")
    assert of_two > 50


def _counted(holds, antecedents, consequent, before):
    count = (before & holds[consequent]).sum()
    confidence = count / max(before.sum(), 1)
    if count < 100 or confidence < 0.1:
        return {}
    lift, support = confidence / holds[consequent].mean(), count / len(before)
    return {(*antecedents, consequent): [confidence, lift, support, count]}
