"""What goes together: association rules by FP-Growth (Han, Pei, Yin 2000) on Spark."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from pyspark.ml.fpm import FPGrowth, FPGrowthModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines import columns as c
from serving.bundle import Array, position

LARGEST_BASKET = 100


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


def grow(baskets: DataFrame, min_support: float, min_confidence: float = 0.0) -> FPGrowthModel:
    """Spark's model of the baskets: `freqItemsets` and `associationRules`."""
    growth = FPGrowth(itemsCol=c.PRODUCTS, minSupport=min_support, minConfidence=min_confidence)
    return growth.fit(baskets)


def mine(baskets: DataFrame, settings: RuleSettings) -> pa.Table:
    """Rules of one product on one: antecedent, consequent, confidence, lift, support, count.

    Baskets with one product tell nothing of pairs and count in the support alone. Those with more
    than LARGEST_BASKET are a shop's stock order: they say what sells, not what goes together, and
    their subsets outnumber everyone else's. The support asked for grows with the mean basket: the
    longer baskets are, the more products meet in them by chance.
    """
    ordinary = baskets.where(F.size(c.PRODUCTS) <= LARGEST_BASKET).select(c.PRODUCTS).cache()
    total, mean = _sizes(ordinary)
    support = max(settings.support_per_product * mean, settings.min_count / max(total, 1))
    found = grow(ordinary, min(support, 1.0), settings.min_confidence).associationRules
    pairs = found.where(F.size("antecedent") == 1).select(
        F.col("antecedent")[0].alias(c.ANTECEDENT),
        F.col("consequent")[0].alias(c.CONSEQUENT),
        c.CONFIDENCE,
        c.LIFT,
        c.SUPPORT,
        F.round(F.col(c.SUPPORT) * total).cast("long").alias(c.COUNT),
    )
    rows = pairs.toArrow()
    ordinary.unpersist()
    return rows.sort_by(
        [(c.ANTECEDENT, "ascending"), (c.CONFIDENCE, "descending"), (c.CONSEQUENT, "ascending")]
    )


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
