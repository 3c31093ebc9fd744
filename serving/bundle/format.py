"""The bundle: one directory of plain arrays that holds all that answers a request.

Written once, whole; read memory-mapped; never pickled. `manifest.json` states what is inside and
the SHA-256 of every file, so that a truncated or altered bundle is refused when it is opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from xgboost import Booster

from serving.bundle.highest import InnerProductIndex, SortedScores
from serving.bundle.labels import Labels
from serving.bundle.traits import PRODUCT
from serving.bundle.trees import from_bytes

RECENT_BUYERS = PRODUCT.index("buyers_30d")
HIGHEST_FALLBACK = 1e-3  # the highest trend where it only ranks what nothing else speaks for
MIN_BUYERS = 3  # of fewer, factors tell of these people rather than of the product

Array = npt.NDArray[Any]
Manifest = dict[str, Any]


@dataclass(frozen=True)
class Bundle:
    """What was learned on one night, for C customers, P products, R rules, M of two products, rank k,
    W trend windows.

    G groups of customers tell T trends of products. The ranker knows N neighbours of a product, and traits
    by the names in `serving.traits`. Ids and texts are UTF-8 bytes; `customers`, `products` and `groups` are
    sorted, and a row of an array belongs to the id at the same position.
    """

    customers: Array  # (C,) bytes, pseudonyms
    products: Array  # (P,) bytes
    name: Array  # (P,) bytes
    category: Array  # (P,) bytes
    brand: Array  # (P,) bytes
    price: Array  # (P,) float64, nan where unknown
    in_stock: Array  # (P,) bool
    weight: Array  # (P,) float32 above zero, what a sale is worth beside others, 1 where nothing is known
    hidden: Array  # (P,) bool, never recommended: a rule of the shop excludes it
    popularity: Array  # (P,) float32, distinct buyers of all time
    trend: Array  # (P,) float32, distinct buyers, recent ones weighing more
    new: Array  # (P,) bool, bought by nobody yet, with factors from its description
    recent: Array  # (W, P) int32, distinct buyers in each of the manifest's windows
    groups: Array  # (G,) bytes, sorted; none is of few customers
    group_start: Array  # (G + 1,) int64, where the products of a group begin
    group_product: Array  # (T,) int32, by falling trend, the first thousand of a group
    group_trend: Array  # (T,) float32, distinct buyers of the group, recent ones weighing more
    history_start: Array  # (C + 1,) int64, where a customer's rows of the history begin
    history_product: Array  # (H,) int32
    history_orders: Array  # (H,) int32, orders that held the product
    history_last: Array  # (H,) int32, days since 1970 of the last of them
    history_strength: Array  # (H,) float32, orders, recent ones weighing more
    history_weight: Array  # (H,) float32, what the purchase adds to the confidence that factors are fitted to
    user_factors: Array  # (C, k) float32
    item_factors: Array  # (P, k) float32
    content_factors: Array  # (P, d) float32, the description, of unit length; zeros without one
    boost: Array  # (P,) float32, recent or expected popularity, by which scores of factors are multiplied
    history_traits: Array  # (H, a) float32
    customer_traits: Array  # (C, b) float32
    product_traits: Array  # (P, d) float32
    neighbours: Array  # (P, N) int32, products with common buyers
    neighbour_cosine: Array  # (P, N) float32
    basket_neighbours: Array  # (P, N) int32, products of common baskets
    basket_cosine: Array  # (P, N) float32
    leading: Array  # (L,) int32, products that lead the trend or the season
    ranker: Array  # (bytes,) uint8, the learned model; empty where there is none
    rule_start: Array  # (P + 1,) int64, where the rules of an antecedent begin
    rule_consequent: Array  # (R,) int32, by falling confidence
    rule_confidence: Array  # (R,) float32
    rule_lift: Array  # (R,) float32
    rule_support: Array  # (R,) float32
    rule_count: Array  # (R,) int64
    rule_complement: Array  # (R,) bool, in one basket more often than the same customers' habits explain
    triple_key: Array  # (M,) int64, ascending: first antecedent * P + second, first < second
    triple_consequent: Array  # (M,) int32, a complement of both; by falling confidence
    triple_confidence: Array  # (M,) float32
    triple_lift: Array  # (M,) float32
    triple_support: Array  # (M,) float32
    triple_count: Array  # (M,) int64
    manifest: Manifest = field(repr=False)
    forgotten: frozenset[str] = field(default=frozenset(), init=False, repr=False)  # who is a stranger now

    @cached_property
    def trees(self) -> Booster | None:
        """The ranker's model, None where there is none; raises BundleError where it can't be read."""
        return from_bytes(self.ranker)

    def customer(self, pseudonym: str) -> int | None:
        """The row of a customer, or None for a stranger."""
        return None if pseudonym in self.forgotten else find_row(self.customers, pseudonym)

    def product(self, product: str) -> int | None:
        """The row of a product, or None where the catalogue lacks it."""
        return find_row(self.products, product)

    def group(self, name: str) -> int | None:
        """The row of a group, or None where it is unknown or was too small to be told of."""
        return find_row(self.groups, name)

    @cached_property
    def categories(self) -> Labels:
        """Which category each product is of."""
        return Labels.of(self.category)

    @cached_property
    def brands(self) -> Labels:
        """Which brand each product is of."""
        return Labels.of(self.brand)

    def bought(self, customer: int) -> Array:
        """The rows of the products that a customer has bought, (h,) int32."""
        return self.history_product[self.history_rows(customer)]

    @property
    def strength(self) -> float:
        """How much the products' weight counts in the lanes: weight ** strength; 0 is not at all."""
        return float(self.manifest.get("strength", 0))

    @cached_property
    def gram(self) -> Array:
        """Y'Y of the item factors that were learned from purchases, (k, k) float64."""
        learned = self.item_factors[self.popularity > 0]
        return (learned.T @ learned).astype(np.float64)

    @cached_property
    def max_popularity(self) -> np.float32:
        """The buyers of the product with most of them, at least one."""
        return np.float32(max(float(self.popularity.max(initial=0)), 1.0))

    @cached_property
    def new_products(self) -> Array:
        """The rows of the new products, ascending."""
        return np.flatnonzero(self.new)

    @cached_property
    def recent_boost(self) -> Array:
        """What the ranker multiplies a taste by, the root of the recent buyers, (P,) float32; 1 without."""
        traits = self.product_traits
        return (
            np.sqrt(traits[:, RECENT_BUYERS]) if traits.shape[1] else np.ones(len(self.products), np.float32)
        )

    @cached_property
    def trending_taste_index(self) -> InnerProductIndex:
        """The factors with the lift."""
        return InnerProductIndex.of(self.item_factors, self.recent_boost)

    @cached_property
    def taste_index(self) -> InnerProductIndex:
        """The factors with the boost."""
        return InnerProductIndex.of(self.item_factors, self.boost)

    @cached_property
    def by_popularity(self) -> SortedScores:
        """Products by their buyers of all time."""
        return SortedScores.of(self.popularity)

    @cached_property
    def by_trend(self) -> SortedScores:
        """Products by the trend."""
        return SortedScores.of(self.trend)

    @cached_property
    def by_recent(self) -> list[SortedScores]:
        """Products by their buyers in each of the windows."""
        return [SortedScores.of(buyers) for buyers in self.recent]

    @cached_property
    def fallback_scale(self) -> float:
        """What makes the trend so small that it stands behind all else."""
        return HIGHEST_FALLBACK / max(float(self.trend.max(initial=0)), 1e-9)

    @cached_property
    def sold(self) -> Array:
        """True for what has a buyer and isn't hidden, (P,) bool: what baselines may answer."""
        return np.asarray((self.popularity > 0) & ~self.hidden)

    @cached_property
    def sold_or_new(self) -> Array:
        """True for that and what is new and isn't hidden, (P,) bool: what factors may answer."""
        return self.sold | (self.new & ~self.hidden)

    @cached_property
    def item_norms(self) -> Array:
        """The lengths of the item factors, (P,) float32."""
        return np.asarray(np.linalg.norm(self.item_factors, axis=1))

    def precompute(self) -> None:
        """Works out what answers ask for again and again, so that no first customer waits for it."""
        for name in PRECOMPUTED if self.trees else PRECOMPUTED[1:]:
            getattr(self, name)

    def history_rows(self, customer: int) -> slice:
        """The place of a customer's rows in the history arrays."""
        return slice(int(self.history_start[customer]), int(self.history_start[customer + 1]))


PER_PRODUCT = (
    *("name", "category", "brand", "price", "in_stock", "weight", "hidden", "popularity", "trend", "new"),
    *("item_factors", "content_factors", "boost"),
    *("product_traits", "neighbours", "neighbour_cosine", "basket_neighbours", "basket_cosine"),
)
PER_PURCHASE = (
    *("history_product", "history_orders", "history_last", "history_strength", "history_weight"),
    "history_traits",
)
PER_GROUP_PRODUCT = ("group_product", "group_trend")
PER_RULE = ("consequent", "confidence", "lift", "support", "count")
# Worked out once for a bundle, and none of it from stock, prices or what is hidden.
PRECOMPUTED = (
    *(
        "trending_taste_index",
        "taste_index",
        "by_popularity",
        "by_trend",
        "by_recent",
        "fallback_scale",
        "max_popularity",
    ),
    *("new_products", "recent_boost", "item_norms", "gram", "categories", "brands"),
)
ARRAYS = [f.name for f in fields(Bundle) if f.name not in ("manifest", "forgotten")]


def find_rows(ids: Array, wanted: Sequence[str]) -> Array:
    """The index of each of m ids in a sorted array of ids, -1 of one that isn't there; none ends in a NUL."""
    if not len(ids) or not wanted:
        return np.full(len(wanted), -1)
    keys = np.array([one.encode() for one in wanted])
    found = np.minimum(np.searchsorted(ids, keys), len(ids) - 1)
    return np.where(ids[found] == keys, found, -1)


def find_row(ids: Array, wanted: str) -> int | None:
    """The index of an id in a sorted array of ids, or None."""
    key = wanted.encode()
    if len(key) > ids.dtype.itemsize or key.endswith(b"\0"):
        return None
    at = int(np.searchsorted(ids, np.bytes_(key)))
    return at if at < len(ids) and ids[at] == key else None


def expand_ranges(starts: Array, ends: Array) -> tuple[Array, Array]:
    """For each entry of some rows of a ragged array: which of these rows it is of, and its place.

    starts, ends: (n,), where each row begins and ends.
    """
    counts = ends - starts
    rows = np.repeat(np.arange(len(counts)), counts)
    offsets = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows, np.repeat(starts, counts) + offsets


def texts(values: list[str]) -> Array:
    """Texts as an array of UTF-8 bytes of fixed width, (n,)."""
    return np.array([value.encode() for value in values], dtype=np.bytes_)
