"""Association rules: measures by hand, complements, arrays, and published data sets."""

from collections import Counter
from itertools import combinations, permutations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from frames import frame

from pipelines import columns as c
from pipelines.lake.engine import table as engine_table
from pipelines.train import association_rules, itemsets
from pipelines.train.association_rules import AssociationRuleSettings
from serving.bundle.format import texts

ALL = AssociationRuleSettings(support_per_product=1e-9, min_count=1, min_confidence=0, sure=0.999)
SCHEMA = f"{c.CUSTOMER} string, {c.PRODUCTS} array<string>"


@pytest.fixture
def make_baskets():
    """A function that turns (customer, products) rows into a table of baskets."""
    return lambda rows: frame(rows, SCHEMA)


@pytest.fixture
def baskets(make_baskets):
    """Ten baskets: a in 5, b in 4, both in 3; d by itself in 4."""
    rows = [["a", "b"]] * 3 + [["a"]] * 2 + [["b"]] + [["d"]] * 4
    return make_baskets([(None, row) for row in rows])


@pytest.fixture
def threes(make_baskets):
    """Ten baskets: a in 6, b in 4, c in 4; a with b in 4, a with c and b with c in 3, all three in 3."""
    rows = [["a", "b", "c"]] * 3 + [["b", "a"]] + [["a"]] * 2 + [["c"]] + [["d"]] * 3
    return make_baskets([(None, row) for row in rows])


def mined(baskets, settings=ALL):
    """Returns the mined rules by antecedents and consequent."""
    return {
        (row[c.ANTECEDENT], row[c.SECOND_ANTECEDENT], row[c.CONSEQUENT]): row
        for row in association_rules.mine(baskets, settings).to_pylist()
    }


def measures(row):
    return [row[name] for name in (c.CONFIDENCE, c.LIFT, c.SUPPORT, c.COUNT)]


def test_measures_of_a_rule_equal_those_by_hand(baskets):
    rules = mined(baskets)
    assert set(rules) == {("a", None, "b"), ("b", None, "a")}
    assert measures(rules["a", None, "b"]) == pytest.approx([3 / 5, (3 / 5) / (4 / 10), 3 / 10, 3])
    assert rules["b", None, "a"][c.CONFIDENCE] == pytest.approx(3 / 4)


def test_measures_of_a_rule_with_two_antecedents_equal_those_by_hand(threes):
    rules = {rule: measures(row) for rule, row in mined(threes).items() if rule[1]}
    assert set(rules) == {("a", "b", "c"), ("a", "c", "b"), ("b", "c", "a")}
    assert rules["a", "b", "c"] == pytest.approx([3 / 4, (3 / 4) / (4 / 10), 3 / 10, 3])
    assert rules["a", "c", "b"] == pytest.approx([3 / 3, (3 / 3) / (4 / 10), 3 / 10, 3])
    assert rules["b", "c", "a"] == pytest.approx([3 / 3, (3 / 3) / (6 / 10), 3 / 10, 3])


def test_leaves_out_rules_below_the_required_count_or_confidence(baskets):
    assert association_rules.mine(baskets, ALL.model_copy(update={"min_count": 4})).num_rows == 0
    assert set(mined(baskets, ALL.model_copy(update={"min_confidence": 0.7}))) == {("b", None, "a")}


def test_leaves_out_rules_with_two_antecedents_below_count_or_confidence(threes):
    """All three products are in 3 baskets; only the pair of a and b is in more."""
    assert sum(second is not None for _, second, _ in mined(threes)) == 3
    four = mined(threes, ALL.model_copy(update={"min_count": 4}))
    assert set(four) == {("a", None, "b"), ("b", None, "a")}
    confident = mined(threes, ALL.model_copy(update={"min_confidence": 0.8}))
    assert {rule for rule in confident if rule[1]} == {("a", "c", "b"), ("b", "c", "a")}


def test_too_large_baskets_are_not_mined_but_counted(make_baskets):
    everything = [str(product) for product in range(association_rules.LARGEST_BASKET + 1)]
    large, ordinary = [(None, everything)] * 3, [(None, ["1", "2"])] * 101
    assert association_rules.mine(make_baskets(large), ALL).num_rows == 0
    assert association_rules.count_large_baskets(make_baskets(large + ordinary)) == {
        "baskets_too_large": 3,
        "percent_in_them": 60,
    }
    assert association_rules.count_large_baskets(make_baskets(ordinary)) == {
        "baskets_too_large": 0,
        "percent_in_them": 0,
    }
    assert association_rules.count_large_baskets(make_baskets([])) == {
        "baskets_too_large": 0,
        "percent_in_them": 0,
    }


def complement_baskets(customers, first, second):
    """Returns four baskets per customer: two with both products, two with neither.

    By chance 2 * 2 / 4 = 1 basket has both, with a variance of 2 * 2 * 2 * 2 / (16 * 3) = 1 / 3. So k
    customers are k / sqrt(k / 3) = sqrt(3 k) standard deviations above chance: 3 for three customers, 3.46
    for four. Confidence 0.999 requires 3.09.
    """
    return [
        (f"c{k}", row) for k in range(customers) for row in ([first, second], [second, first], ["z"], ["z"])
    ]


@pytest.mark.parametrize(("customers", "significant"), [(3, False), (4, True)])
def test_products_bought_together_are_complements_once_significant(make_baskets, customers, significant):
    rules = mined(make_baskets(complement_baskets(customers, "a", "b")))
    assert rules["a", None, "b"][c.COMPLEMENT] is rules["b", None, "a"][c.COMPLEMENT] is significant


def test_products_that_merely_share_buyers_are_no_complements(make_baskets):
    """40 of 80 customers buy x and y: each in half of their baskets, both in a quarter, as by chance."""
    tastes = [(f"t{k}", row) for k in range(40) for row in (["x", "y"], ["x"], ["y"], ["z"])]
    others = [(f"o{k}", ["z"]) for k in range(40) for _ in range(4)]
    rules = mined(make_baskets(tastes + others))
    assert rules["x", None, "y"][c.LIFT] == pytest.approx(2)  # 40 * 320 / (80 * 80)
    assert not rules["x", None, "y"][c.COMPLEMENT]


@pytest.mark.parametrize("name", ["guest", "once"])
def test_guests_and_customers_with_one_basket_form_a_stratum_each(make_baskets, name):
    """Eight of sixteen baskets have both; by chance 4, give or take sqrt(8 ** 4 / (256 * 15))."""
    rows = [["a", "b"]] * 8 + [["z"]] * 8
    customers = [None if name == "guest" else f"c{number}" for number in range(16)]
    assert mined(make_baskets(list(zip(customers, rows, strict=True))))["a", None, "b"][c.COMPLEMENT]
    rows = [["a", "b"], ["a"], ["b"], ["z"]] * 4
    assert not mined(make_baskets(list(zip(customers, rows, strict=True))))["a", None, "b"][c.COMPLEMENT]


def test_a_customer_with_both_products_in_every_basket_is_no_evidence(make_baskets):
    assert not mined(make_baskets([("c", ["a", "b"])] * 50))["a", None, "b"][c.COMPLEMENT]


def test_a_complement_of_two_antecedents_is_a_complement_of_each(make_baskets):
    """Of eight baskets, a and b are in four each and together in two, as by chance; d joins either."""
    rows = [["a", "b", "d"]] * 2 + [["a", "d"]] * 2 + [["b", "d"]] * 2 + [["z"]] * 2
    rules = mined(make_baskets([(f"c{k}", row) for k in range(40) for row in rows]))
    assert {rule for rule, row in rules.items() if row[c.COMPLEMENT]} >= {("a", "b", "d"), ("a", None, "d")}
    assert not rules["a", None, "b"][c.COMPLEMENT]
    assert not rules["a", "d", "b"][c.COMPLEMENT]


def test_arrays_are_sorted_by_antecedent_then_by_falling_confidence(baskets, make_baskets):
    extra = make_baskets([(None, ["a", "d"])])
    rules = association_rules.to_arrays(
        association_rules.mine(baskets.union(extra), ALL), texts(["a", "b", "c", "d"])
    )
    assert rules.rule_start.tolist() == [0, 2, 3, 3, 4]
    assert rules.rule_consequent.tolist() == [1, 3, 0, 0]
    assert rules.rule_confidence.tolist() == pytest.approx([3 / 6, 1 / 6, 3 / 4, 1 / 5])
    assert rules.rule_count.tolist() == [3, 1, 3, 1]


def test_arrays_with_two_antecedents_are_sorted_by_pair_then_by_falling_confidence(make_baskets):
    """Four complements; of the 4 baskets with a and b, 3 have c and 2 have d."""
    rows = [["a", "b", "c", "d"]] * 2 + [["a", "b", "c"], ["a", "b"]] + [["z"]] * 8
    table = association_rules.mine(make_baskets([(f"c{k}", row) for k in range(40) for row in rows]), ALL)
    rules = association_rules.to_arrays(table, texts(["a", "b", "c", "d", "z"]))
    assert rules.rule_complement.all()
    assert rules.triple_key.tolist() == sorted(2 * [5 * i + j for i in range(4) for j in range(i + 1, 4)])
    assert rules.triple_consequent[:2].tolist() == [2, 3]
    assert rules.triple_confidence[:2].tolist() == pytest.approx([3 / 4, 2 / 4])
    assert rules.triple_lift[:2].tolist() == pytest.approx([3 / 4 / (3 / 12), 2 / 4 / (2 / 12)])
    assert rules.triple_support[:2].tolist() == pytest.approx([3 / 12, 2 / 12])
    assert rules.triple_count[:2].tolist() == [120, 80]


def test_no_rules_are_empty_arrays(make_baskets):
    nothing = association_rules.mine(make_baskets([]), ALL)
    mined_from_nothing = vars(association_rules.to_arrays(nothing, texts(["a", "b", "c"])))
    for name, array in vars(association_rules.no_rules(3)).items():
        expected = [0] * 4 if name == "rule_start" else []
        assert array.tolist() == mined_from_nothing[name].tolist() == expected


def test_itemsets_of_drawn_baskets_equal_those_counted_one_by_one(seed):
    rng = np.random.default_rng(seed)
    baskets = [
        sorted({f"p{int(9 * rng.random() ** 2)}" for _ in range(rng.integers(0, 9))}) for _ in range(60)
    ]
    enough = int(rng.integers(1, 20))
    counts = Counter(
        itemset for basket in baskets for size in (1, 2, 3, 4) for itemset in combinations(basket, size)
    )
    mined = itemsets.vertical(pa.array(baskets, pa.list_(pa.string())), enough / len(baskets), largest=4)
    names = mined.products.to_pylist()
    found = {
        tuple(names[row] for row in rows): count
        for members, own in zip(mined.members, mined.counts, strict=True)
        for rows, count in zip(members.tolist(), own.tolist(), strict=True)
    }
    assert found == {itemset: count for itemset, count in counts.items() if count >= enough}


PUBLISHED = {0.01: 159, 0.001: 7_589, 0.0005: 19_242}  # itemsets by minimum support


@pytest.mark.parametrize(("engine", "support"), [("duckdb", 0.0005), ("spark", 0.01)], indirect=["engine"])
def test_itemset_counts_of_the_belgian_supermarket_match_published_ones(engine, data, support):
    """Counts on which two independent implementations agree: FIMI "retail", Brijs et al. (1999)."""
    lines = pq.read_table(data("fimi_retail.parquet")).group_by("basket_id").aggregate([("item", "distinct")])
    bought = lines.select(["item_distinct"]).rename_columns([c.PRODUCTS])
    bought = bought.cast(pa.schema([(c.PRODUCTS, pa.list_(pa.string()))]))
    mined = itemsets.mine(engine_table(bought), support, largest=6)
    baskets_with = np.concatenate(mined.counts)
    minima = [minimum for minimum in PUBLISHED if minimum >= support]
    assert {minimum: np.count_nonzero(baskets_with >= minimum * len(lines)) for minimum in minima} == {
        minimum: PUBLISHED[minimum] for minimum in minima
    }
    freq = {
        frozenset(mined.products.take(pa.array(rows)).to_pylist()): int(count)
        for members, counts in zip(mined.members[:2], mined.counts[:2], strict=True)
        for rows, count in zip(members, counts, strict=True)
    }
    counts = [freq[frozenset(items)] for items in (["39"], ["48"], ["39", "48"])]
    assert counts == [50675, 42135, 29142]


@pytest.mark.parametrize("engine", ["duckdb", "spark"], indirect=True)
def test_an_itemset_at_the_exact_minimum_support_is_frequent(engine, data):
    lines = pq.read_table(data("groceries.parquet")).group_by("basket_id").aggregate([("item", "distinct")])
    baskets = engine_table(lines.select(["item_distinct"]).rename_columns([c.PRODUCTS]))
    mined = itemsets.mine(baskets, 1e-9 + 2513 / 9835)
    assert len(mined.products) == 0
    mined = itemsets.mine(baskets, 2513 / 9835 - 1e-9)
    assert (mined.products.to_pylist(), mined.counts[0].tolist()) == (["whole milk"], [2513])


def test_rules_of_the_groceries_equal_those_counted_one_by_one(data):
    """Counts every possible rule basket by basket, so it also checks that none is missing."""
    lines = pq.read_table(data("groceries.parquet")).group_by("basket_id").aggregate([("item", "distinct")])
    bought = lines["item_distinct"].to_pylist()
    baskets = frame([(None, row) for row in bought], SCHEMA)
    rules = mined(baskets, ALL.model_copy(update={"min_count": 100, "min_confidence": 0.1}))
    contains = {
        item: np.array([item in row for row in bought]) for item in {item for row in bought for item in row}
    }
    frequent = sorted(item for item, baskets_with_it in contains.items() if baskets_with_it.sum() >= 100)
    expected = {}
    for first, consequent in permutations(frequent, 2):
        expected |= _counted(contains, (first, None), consequent, contains[first])
        if (contains[first] & contains[consequent]).sum() < 100:
            continue
        for second in frequent[frequent.index(first) + 1 :]:
            if second != consequent:
                both = contains[first] & contains[second]
                expected |= _counted(contains, (first, second), consequent, both)
    assert rules.keys() == expected.keys()
    for rule, row in rules.items():
        assert measures(row) == pytest.approx(expected[rule]), rule
    with_two = sum(second is not None for _, second, _ in rules)
    print(f"{len(rules)} rules, {with_two} with two antecedents")
    assert with_two > 50


def _counted(contains, antecedents, consequent, with_antecedents):
    """Returns the rule and its measures, or {} below the required count or confidence."""
    count = (with_antecedents & contains[consequent]).sum()
    confidence = count / max(with_antecedents.sum(), 1)
    if count < 100 or confidence < 0.1:
        return {}
    lift, support = confidence / contains[consequent].mean(), count / len(with_antecedents)
    return {(*antecedents, consequent): [confidence, lift, support, count]}
