"""What goes together: association rules by FP-Growth (Han, Pei, Yin 2000) on Spark."""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from pyspark.ml.fpm import FPGrowth
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines import columns as c
from serving.bundle import Array, position

LARGEST_BASKET = 100
PAIR = 2
SCHEMA = pa.schema(
    [(c.ANTECEDENT, pa.string()), (c.CONSEQUENT, pa.string())]
    + [(name, pa.float64()) for name in (c.CONFIDENCE, c.LIFT, c.SUPPORT)]
    + [(c.COUNT, pa.int64())]
)


class RuleSettings(BaseModel):
    """Which rules are worth telling."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    support_per_product: float = Field(gt=0, le=1)  # share of baskets, times the mean products of one
    min_count: int = Field(ge=1)  # baskets; a rule seen less often stays silent
    min_confidence: float = Field(ge=0, le=1)


@dataclass(frozen=True)
class Rules:
    """R rules over P products, by antecedent and then falling confidence."""

    start: Array  # (P + 1,) int64
    consequent: Array  # (R,) int32
    confidence: Array  # (R,) float32
    lift: Array  # (R,) float32
    support: Array  # (R,) float32
    count: Array  # (R,) int64


def frequent_itemsets(baskets: DataFrame, min_support: float) -> DataFrame:
    """All itemsets that at least a share of the baskets hold: `items`, `freq`."""
    return FPGrowth(itemsCol=c.PRODUCTS, minSupport=min_support).fit(baskets).freqItemsets


def mine(baskets: DataFrame, settings: RuleSettings) -> pa.Table:
    """Rules of one product on one: antecedent, consequent, confidence, lift, support, count.

    Baskets with one product tell nothing of pairs and count in the support alone. Those with more
    than LARGEST_BASKET are a shop's stock order: they say what sells, not what goes together, and
    their subsets outnumber everyone else's. The support asked for grows with the mean basket: the
    longer baskets are, the more products meet in them by chance. Measures: Brin et al. (1997).
    """
    ordinary = baskets.where(F.size(c.PRODUCTS) <= LARGEST_BASKET).select(c.PRODUCTS).cache()
    total, mean = _sizes(ordinary)
    support = max(settings.support_per_product * mean, settings.min_count / max(total, 1))
    itemsets = frequent_itemsets(ordinary, min(support, 1.0))
    # Not Spark's associationRules: they mine a second time, and pairs are all that is asked for.
    rows = itemsets.where(F.size(c.ITEMS) <= PAIR).toArrow()
    ordinary.unpersist()
    return _pair_rules(rows, total, settings.min_confidence)


def _pair_rules(itemsets: pa.Table, total: int, min_confidence: float) -> pa.Table:
    """The rules of all pairs among itemsets of one and two products, in both directions."""
    items = itemsets[c.ITEMS].to_pylist()
    freq = dict(zip(map(frozenset, items), itemsets[c.FREQ].to_pylist(), strict=True))
    rows = [
        {
            c.ANTECEDENT: a,
            c.CONSEQUENT: b,
            c.CONFIDENCE: count / freq[frozenset([a])],
            c.LIFT: count * total / (freq[frozenset([a])] * freq[frozenset([b])]),
            c.SUPPORT: count / total,
            c.COUNT: count,
        }
        for pair, count in freq.items()
        if len(pair) == PAIR
        for a, b in permutations(sorted(pair))
    ]
    return pa.Table.from_pylist([row for row in rows if row[c.CONFIDENCE] >= min_confidence], schema=SCHEMA)


def _sizes(baskets: DataFrame) -> tuple[int, float]:
    """The number of baskets, and the mean number of products in one."""
    row = baskets.agg(F.count("*"), F.coalesce(F.avg(F.size(c.PRODUCTS)), F.lit(0.0))).collect()[0]
    return int(row[0]), float(row[1])


def arrays(rows: pa.Table, products: Array) -> Rules:
    """The mined rules as arrays over the given sorted product ids, (P,) bytes."""
    antecedent = _places(rows[c.ANTECEDENT], products)
    consequent = _places(rows[c.CONSEQUENT], products)
    confidence = rows[c.CONFIDENCE].to_numpy()
    order = np.lexsort((consequent, -confidence, antecedent))
    return Rules(
        np.searchsorted(antecedent[order], np.arange(len(products) + 1)).astype(np.int64),
        consequent[order].astype(np.int32),
        confidence[order].astype(np.float32),
        rows[c.LIFT].to_numpy()[order].astype(np.float32),
        rows[c.SUPPORT].to_numpy()[order].astype(np.float32),
        rows[c.COUNT].to_numpy()[order].astype(np.int64),
    )


def none(products: int) -> Rules:
    """No rules over P products."""
    floats = np.empty(0, np.float32)
    start, counts = np.zeros(products + 1, np.int64), np.empty(0, np.int64)
    return Rules(start, np.empty(0, np.int32), floats, floats, floats, counts)


def _places(ids: pa.ChunkedArray, products: Array) -> Array:
    return np.array([position(products, one) for one in ids.to_pylist()], dtype=np.int64)
