"""Association rules between products, mined by FP-Growth (Han, Pei, Yin 2000) on Spark."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis import Table
from pydantic import Field

from pipelines import columns as c
from pipelines.lake import functions
from pipelines.run import moved_settings
from pipelines.train import complements, itemsets
from pipelines.train.itemsets import TRIPLE, Itemsets
from serving.bundle.format import Array, find_row
from serving.toml import FrozenModel

FILE = Path(__file__).with_name("association_rules.toml")
LARGEST_BASKET = 100
NO_ANTECEDENT = -1  # second antecedent of a rule that has only one
SCHEMA = pa.schema(
    [(name, pa.string()) for name in (c.ANTECEDENT, c.SECOND_ANTECEDENT, c.CONSEQUENT)]
    + [(name, pa.float64()) for name in (c.CONFIDENCE, c.LIFT, c.SUPPORT)]
    + [(c.COUNT, pa.int64()), (c.COMPLEMENT, pa.bool_())]
)


class AssociationRuleSettings(FrozenModel):
    """Which rules are kept."""

    support_per_product: float = Field(gt=0, le=1)  # smallest support, per product of the mean basket
    min_count: int = Field(ge=1)  # baskets that a rule must occur in
    min_confidence: float = Field(ge=0, le=1)
    sure: float = Field(gt=0.5, lt=1)  # confidence that two products are complements


@dataclass(frozen=True)
class AssociationRules:
    """Rules over P products as arrays of the bundle: R with one antecedent, M with two.

    Rules are sorted by their antecedents, then by falling confidence.
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


def mine(baskets: Table, settings: AssociationRuleSettings) -> pa.Table:
    """Returns the rules with one and with two antecedents, in the columns of SCHEMA.

    baskets: customer (null for a guest) and products. The second antecedent is null in rules with one
    antecedent. `complement`: whether the consequent is a complement of each antecedent, see `complements`.

    - Baskets with one product count in the support only: they hold no pair.
    - Baskets with more than LARGEST_BASKET products are left out. They are a retailer's stock orders, and
      their subsets would outnumber those of all other baskets.
    - The required support grows with the mean basket size, since more products meet by chance in larger
      baskets.

    Confidence, lift and support: Brin et al. (1997).
    """
    ordinary = baskets.filter(baskets[c.PRODUCTS].length() <= LARGEST_BASKET)
    bought = ordinary.select(functions.hash64(ordinary[c.CUSTOMER]).name(c.CUSTOMER), c.PRODUCTS).to_pyarrow()
    total, lines = bought.num_rows, len(bought[c.PRODUCTS].combine_chunks().flatten())
    support = max(settings.support_per_product * lines / max(total, 1), settings.min_count / max(total, 1))
    counted = itemsets.mine(ordinary, min(support, 1.0))
    complementary = complements.complementary(counted, bought, settings.sure)
    rules = _rules(counted, total, complementary)
    return rules.filter(pc.greater_equal(rules[c.CONFIDENCE], settings.min_confidence))


def count_large_baskets(baskets: Table) -> dict[str, int]:
    """Returns how many baskets are too large to mine, and their percentage of all basket lines.

    A basket line is a product of a basket: a product counts once per basket.
    """
    size = baskets[c.PRODUCTS].length()
    is_large = size > LARGEST_BASKET
    counts = baskets.agg(
        large=functions.count_if(is_large),
        in_large=size.sum(where=is_large).cast("int64"),
        lines=size.sum().cast("int64"),
    )
    large, in_large, lines = (count or 0 for count in counts.to_pyarrow().to_pylist()[0].values())
    return {"baskets_too_large": large, "percent_in_them": round(100 * in_large / (lines or 1))}


def _rules(counted: Itemsets, total: int, complementary: Array) -> pa.Table:
    """Returns two rules for each pair, and three for each triple: each product is the consequent once."""
    single = counted.counts[0][np.argsort(counted.members[0][:, 0])]
    _, pairs, triples = counted.members
    parts = []
    for antecedent, consequent in (pairs.T, pairs.T[::-1]):
        absent = np.full_like(antecedent, NO_ANTECEDENT)
        parts.append((antecedent, absent, consequent, counted.counts[1], single[antecedent], complementary))
    for column in range(TRIPLE):
        consequent, rest = triples[:, column], np.delete(triples, column, axis=1)
        both = [complementary[counted.pair_rows(np.c_[product, consequent])] for product in rest.T]
        base = counted.counts[1][counted.pair_rows(rest)]
        parts.append((*rest.T, consequent, counted.counts[2], base, np.logical_and(*both)))
    first, second, consequent, count, base, complement = map(np.concatenate, zip(*parts, strict=True))
    confidence = count / base
    measures = [confidence, confidence * total / single[consequent], count / total]
    ids = [
        counted.products.take(pa.array(rows, mask=rows == NO_ANTECEDENT))
        for rows in (first, second, consequent)
    ]
    return pa.table([*ids, *measures, count, complement], schema=SCHEMA)


def to_arrays(rows: pa.Table, products: Array) -> AssociationRules:
    """Returns mined rules as arrays over sorted product ids, (P,) bytes.

    Rules with two antecedents are kept only for complements, the only use that serving makes of them.
    """
    is_pair = pc.is_null(rows[c.SECOND_ANTECEDENT])
    pairs = rows.filter(is_pair)
    triples = rows.filter(pc.and_(pc.invert(is_pair), rows[c.COMPLEMENT]))
    antecedent = _product_rows(pairs[c.ANTECEDENT], products)
    both = [_product_rows(triples[name], products) for name in (c.ANTECEDENT, c.SECOND_ANTECEDENT)]
    key = np.minimum(*both) * len(products) + np.maximum(*both)
    pair_order, triple_order = _order(antecedent, pairs, products), _order(key, triples, products)
    return AssociationRules(
        np.searchsorted(antecedent[pair_order], np.arange(len(products) + 1)).astype(np.int64),
        *_values(pairs, pair_order, products),
        pairs[c.COMPLEMENT].to_numpy()[pair_order],
        key[triple_order],
        *_values(triples, triple_order, products),
    )


def no_rules(products: int) -> AssociationRules:
    """Returns the arrays of a bundle of P products that has no rules."""
    return to_arrays(SCHEMA.empty_table(), np.zeros(products, np.bytes_))


def _order(key: Array, rows: pa.Table, products: Array) -> Array:
    """Returns the order of rules by key, then by falling confidence, then by consequent, (n,) int64."""
    return np.lexsort((_product_rows(rows[c.CONSEQUENT], products), -rows[c.CONFIDENCE].to_numpy(), key))


def _values(rows: pa.Table, order: Array, products: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Returns consequent, confidence, lift, support and count of the rules in the given order."""
    confidence, lift, support = (
        rows[name].to_numpy()[order].astype(np.float32) for name in (c.CONFIDENCE, c.LIFT, c.SUPPORT)
    )
    consequent = _product_rows(rows[c.CONSEQUENT], products)[order].astype(np.int32)
    return consequent, confidence, lift, support, rows[c.COUNT].to_numpy()[order]


def _product_rows(ids: pa.ChunkedArray, products: Array) -> Array:
    """Returns the row of each product id in the sorted ids, (n,) int64."""
    encoded = ids.combine_chunks().dictionary_encode()
    rows = np.array([find_row(products, product) for product in encoded.dictionary.to_pylist()], np.int64)
    return np.asarray(rows[encoded.indices.to_numpy()])
