"""What goes together: association rules by FP-Growth (Han, Pei, Yin 2000) on Spark."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from pyspark.ml.fpm import FPGrowth
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines import columns as c
from pipelines.run import moved_settings
from pipelines.train import complements
from pipelines.train.itemsets import TRIPLE, Itemsets, read_itemsets
from serving.bundle.format import Array, find_row
from serving.toml import FrozenModel

FILE = Path(__file__).with_name("association_rules.toml")
LARGEST_BASKET = 100
NONE = -1  # in place of a second antecedent
SCHEMA = pa.schema(
    [(name, pa.string()) for name in (c.ANTECEDENT, c.SECOND_ANTECEDENT, c.CONSEQUENT)]
    + [(name, pa.float64()) for name in (c.CONFIDENCE, c.LIFT, c.SUPPORT)]
    + [(c.COUNT, pa.int64()), (c.COMPLEMENT, pa.bool_())]
)


class AssociationRuleSettings(FrozenModel):
    """Which rules are worth telling."""

    support_per_product: float = Field(gt=0, le=1)  # share of baskets, times the mean products of one
    min_count: int = Field(ge=1)  # baskets; a rule seen less often stays silent
    min_confidence: float = Field(ge=0, le=1)
    sure: float = Field(gt=0.5, lt=1)  # confidence that complements are no chance


@dataclass(frozen=True)
class AssociationRules:
    """R rules of one product on one, and M of two on one, over P products: the bundle's arrays.

    The former by antecedent, the latter by their pair of antecedents; then by falling confidence.
    """

    rule_start: Array  # (P + 1,) int64
    rule_consequent: Array  # (R,) int32
    rule_confidence: Array  # (R,) float32
    rule_lift: Array  # (R,) float32
    rule_support: Array  # (R,) float32
    rule_count: Array  # (R,) int64
    rule_complement: Array  # (R,) bool
    triple_key: Array  # (M,) int64, first antecedent * P + second, first < second
    triple_consequent: Array  # (M,) int32
    triple_confidence: Array  # (M,) float32
    triple_lift: Array  # (M,) float32
    triple_support: Array  # (M,) float32
    triple_count: Array  # (M,) int64


def load() -> AssociationRuleSettings:
    """Returns association_rules.toml; raises NightshelfError naming what is wrong in it."""
    return moved_settings.read(AssociationRuleSettings, FILE, "rules")


def frequent_itemsets(baskets: DataFrame, min_support: float) -> DataFrame:
    """All itemsets that at least a share of the baskets hold: `items`, `freq`."""
    return FPGrowth(itemsCol=c.PRODUCTS, minSupport=min_support).fit(baskets).freqItemsets


def mine(baskets: DataFrame, settings: AssociationRuleSettings) -> pa.Table:
    """Rules of one product, and of two, on one: the columns of SCHEMA; of one has no second antecedent.

    baskets: customer (null for a guest) and products. A rule is of complements where its consequent goes
    with each antecedent, see `together`.

    Baskets with one product tell nothing of pairs and count in the support alone. Those with more
    than LARGEST_BASKET are a shop's stock order: they say what sells, not what goes together, and
    their subsets outnumber everyone else's. The support asked for grows with the mean basket: the
    longer baskets are, the more products meet in them by chance. Measures: Brin et al. (1997).
    """
    ordinary = baskets.where(F.size(c.PRODUCTS) <= LARGEST_BASKET).select(c.CUSTOMER, c.PRODUCTS).cache()
    total, mean = _sizes(ordinary)
    support = max(settings.support_per_product * mean, settings.min_count / max(total, 1))
    itemsets = frequent_itemsets(ordinary, min(support, 1.0))
    # Not Spark's associationRules: they mine a second time, and itemsets of three are all that is asked for.
    found = read_itemsets(itemsets.where(F.size(c.ITEMS) <= TRIPLE).toArrow())
    bought = ordinary.select(F.xxhash64(c.CUSTOMER).alias(c.CUSTOMER), c.PRODUCTS).toArrow()
    ordinary.unpersist()
    sure = complements.complementary(found, bought, settings.sure)
    told = _told(found, total, sure)
    return told.filter(pc.greater_equal(told[c.CONFIDENCE], settings.min_confidence))


def count_large_baskets(baskets: DataFrame) -> dict[str, int]:
    """How many baskets rules aren't mined from since they are too large, and how much is in them.

    `baskets_too_large` of them hold `percent_in_them` of all that is in baskets, each product once.
    """
    size = F.size(c.PRODUCTS)
    large = F.sum(F.when(size > LARGEST_BASKET, size))
    row = baskets.agg(F.count_if(size > LARGEST_BASKET), large, F.sum(size)).collect()[0]
    return {"baskets_too_large": int(row[0]), "percent_in_them": round(100 * (row[1] or 0) / (row[2] or 1))}


def _told(found: Itemsets, total: int, sure: Array) -> pa.Table:
    """The rules of all pairs in both directions, and those of all triples on each of their three."""
    alone = found.counts[0][np.argsort(found.members[0][:, 0])]
    _, pairs, triples = found.members
    parts = []
    for antecedent, consequent in (pairs.T, pairs.T[::-1]):
        no_rules = np.full_like(antecedent, NONE)
        parts.append((antecedent, no_rules, consequent, found.counts[1], alone[antecedent], sure))
    for one in range(TRIPLE):
        consequent, rest = triples[:, one], np.delete(triples, one, axis=1)
        goes = [sure[found.pair(np.c_[antecedent, consequent])] for antecedent in rest.T]
        before = found.counts[1][found.pair(rest)]
        parts.append((*rest.T, consequent, found.counts[2], before, np.logical_and(*goes)))
    first, second, consequent, count, before, complement = map(np.concatenate, zip(*parts, strict=True))
    confidence = count / before
    measures = [confidence, confidence * total / alone[consequent], count / total]
    ids = [found.products.take(pa.array(one, mask=one == NONE)) for one in (first, second, consequent)]
    return pa.table([*ids, *measures, count, complement], schema=SCHEMA)


def _sizes(baskets: DataFrame) -> tuple[int, float]:
    """The number of baskets, and the mean number of products in one."""
    row = baskets.agg(F.count("*"), F.coalesce(F.avg(F.size(c.PRODUCTS)), F.lit(0.0))).collect()[0]
    return int(row[0]), float(row[1])


def to_arrays(rows: pa.Table, products: Array) -> AssociationRules:
    """The mined rules as arrays over the given sorted product ids, (P,) bytes.

    Of those of two products only complements: others are asked for by nobody.
    """
    of_one = pc.is_null(rows[c.SECOND_ANTECEDENT])
    pairs = rows.filter(of_one)
    triples = rows.filter(pc.and_(pc.invert(of_one), rows[c.COMPLEMENT]))
    antecedent = _places(pairs[c.ANTECEDENT], products)
    ends = _places(triples[c.ANTECEDENT], products), _places(triples[c.SECOND_ANTECEDENT], products)
    key = np.minimum(*ends) * len(products) + np.maximum(*ends)
    by_one, by_two = _order(antecedent, pairs, products), _order(key, triples, products)
    return AssociationRules(
        np.searchsorted(antecedent[by_one], np.arange(len(products) + 1)).astype(np.int64),
        *_values(pairs, by_one, products),
        pairs[c.COMPLEMENT].to_numpy()[by_one],
        key[by_two],
        *_values(triples, by_two, products),
    )


def no_rules(products: int) -> AssociationRules:
    """No rules over P products."""
    return to_arrays(SCHEMA.empty_table(), np.zeros(products, np.bytes_))


def _order(key: Array, rows: pa.Table, products: Array) -> Array:
    return np.lexsort((_places(rows[c.CONSEQUENT], products), -rows[c.CONFIDENCE].to_numpy(), key))


def _values(rows: pa.Table, order: Array, products: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Consequent, confidence, lift, support and count of the rules, in an order."""
    confidence, lift, support = (
        rows[name].to_numpy()[order].astype(np.float32) for name in (c.CONFIDENCE, c.LIFT, c.SUPPORT)
    )
    consequent = _places(rows[c.CONSEQUENT], products)[order].astype(np.int32)
    return consequent, confidence, lift, support, rows[c.COUNT].to_numpy()[order]


def _places(ids: pa.ChunkedArray, products: Array) -> Array:
    found = ids.combine_chunks().dictionary_encode()
    places = np.array([find_row(products, one) for one in found.dictionary.to_pylist()], dtype=np.int64)
    return np.asarray(places[found.indices.to_numpy()])
