"""The bundle: one directory of plain arrays that holds everything needed to answer a request.

A bundle is written once, read memory-mapped and never pickled; `serving.bundle.files` saves and loads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.bundle.highest import InnerProductIndex, SortedScores
from serving.bundle.labels import Labels
from serving.bundle.learned import Learned, learned
from serving.bundle.traits import PRODUCT
from serving.bundle.trees import Trees, from_bytes

RECENT_BUYERS = PRODUCT.index("buyers_30d")
HIGHEST_FALLBACK = 1e-3  # the highest score of products that only the trend ranks, below all other scores
MIN_BUYERS = 3  # with fewer, factors describe these few people rather than the product

Array = npt.NDArray[Any]
Manifest = dict[str, Any]


@dataclass(frozen=True)
class Bundle:
    """What one nightly run learned.

    Sizes in the shapes below:

    - C customers, P products, H purchases (one row for each customer and product bought), G regions;
    - k factors, d content factors, W windows of recent days, N neighbours of a product;
    - R association rules with one antecedent, M with two;
    - T trending products of all regions together, L leading products;
    - a purchase traits, b customer traits, c product traits, named in `serving.bundle.traits`.

    Ids and texts are UTF-8 bytes. `customers`, `products` and `groups` are sorted, and row i of an array
    belongs to the id at index i.
    """

    customers: Array  # (C,) bytes, pseudonyms
    products: Array  # (P,) bytes
    name: Array  # (P,) bytes
    category: Array  # (P,) bytes
    brand: Array  # (P,) bytes
    price: Array  # (P,) float64, nan where unknown
    in_stock: Array  # (P,) bool
    weight: Array  # (P,) float32 above zero, the relative value of a sale, 1 where unknown
    hidden: Array  # (P,) bool, never recommended: a merchandising rule excludes it
    popularity: Array  # (P,) float32, distinct buyers of all time
    trend: Array  # (P,) float32, distinct buyers, recent buyers weigh more
    new: Array  # (P,) bool, without a buyer yet, with factors predicted from its description
    recent: Array  # (W, P) int32, distinct buyers in each window of the manifest's `recent_days`
    groups: Array  # (G,) bytes, regions, sorted; a region with too few customers is left out
    group_start: Array  # (G + 1,) int64, where each region's rows of `group_product` begin
    group_product: Array  # (T,) int32, by falling trend, at most a thousand of a region
    group_trend: Array  # (T,) float32, distinct buyers of the region, recent buyers weigh more
    history_start: Array  # (C + 1,) int64, where each customer's history rows begin
    history_product: Array  # (H,) int32
    history_orders: Array  # (H,) int32, orders that contain the product
    history_last: Array  # (H,) int32, day of the last of these orders, in days since 1970
    history_strength: Array  # (H,) float32, orders, recent orders weigh more
    history_weight: Array  # (H,) float32, the confidence that the purchase adds in ALS
    user_factors: Array  # (C, k) float32
    item_factors: Array  # (P, k) float32
    content_factors: Array  # (P, d) float32, the description as a unit vector; zeros without one
    boost: Array  # (P,) float32, recent or expected popularity, multiplies the scores of factors
    history_traits: Array  # (H, a) float32
    customer_traits: Array  # (C, b) float32
    product_traits: Array  # (P, c) float32
    neighbours: Array  # (P, N) int32, products with the most common buyers
    neighbour_cosine: Array  # (P, N) float32
    basket_neighbours: Array  # (P, N) int32, products in the most common baskets
    basket_cosine: Array  # (P, N) float32
    leading: Array  # (L,) int32, the highest products by trend and by season
    ranker: Array  # (bytes,) uint8, the learned model, empty if there is none
    rule_start: Array  # (P + 1,) int64, where each antecedent's rules begin
    rule_consequent: Array  # (R,) int32, by falling confidence
    rule_confidence: Array  # (R,) float32
    rule_lift: Array  # (R,) float32
    rule_support: Array  # (R,) float32
    rule_count: Array  # (R,) int64
    rule_complement: Array  # (R,) bool, bought together more often than the customers' habits explain
    triple_key: Array  # (M,) int64, ascending: first antecedent * P + second antecedent, first < second
    triple_consequent: Array  # (M,) int32, a complement of both antecedents, by falling confidence
    triple_confidence: Array  # (M,) float32
    triple_lift: Array  # (M,) float32
    triple_support: Array  # (M,) float32
    triple_count: Array  # (M,) int64
    manifest: Manifest = field(repr=False)
    forgotten: frozenset[str] = field(default=frozenset(), init=False, repr=False)  # pseudonyms

    @cached_property
    def trees(self) -> Trees | None:
        """The ranker's model, or None without one; raises BundleError if it can't be read."""
        return from_bytes(self.ranker)

    def customer(self, pseudonym: str) -> int | None:
        """Returns the row of a customer, or None for an unknown or a forgotten one."""
        return None if pseudonym in self.forgotten else find_row(self.customers, pseudonym)

    def product(self, product: str) -> int | None:
        """Returns the row of a product, or None for an unknown one."""
        return find_row(self.products, product)

    def group(self, name: str) -> int | None:
        """Returns the row of a region, or None if it is unknown or has too few customers."""
        return find_row(self.groups, name)

    @cached_property
    def categories(self) -> Labels:
        """The category of each product."""
        return Labels.of(self.category)

    @cached_property
    def brands(self) -> Labels:
        """The brand of each product."""
        return Labels.of(self.brand)

    def bought(self, customer: int) -> Array:
        """Returns the rows of the products that a customer has bought, (h,) int32."""
        return self.history_product[self.history_rows(customer)]

    @property
    def strength(self) -> float:
        """The exponent of the products' weight in re-ranking, weight ** strength; 0 turns it off."""
        return float(self.manifest.get("strength", 0))

    @cached_property
    def gram(self) -> Array:
        """Y'Y over the item factors Y of products with a buyer, (k, k) float64."""
        learned = self.item_factors[self.popularity > 0]
        return (learned.T @ learned).astype(np.float64)

    @cached_property
    def max_popularity(self) -> np.float32:
        """The highest popularity of any product, at least 1."""
        return np.float32(max(float(self.popularity.max(initial=0)), 1.0))

    @cached_property
    def new_products(self) -> Array:
        """The rows of the new products, ascending, (m,) int64."""
        return np.flatnonzero(self.new)

    @cached_property
    def recent_boost(self) -> Array:
        """The square root of recent buyers, by which the ranker multiplies tastes, (P,) float32.

        All ones if the bundle has no product traits.
        """
        traits = self.product_traits
        return (
            np.sqrt(traits[:, RECENT_BUYERS]) if traits.shape[1] else np.ones(len(self.products), np.float32)
        )

    @cached_property
    def trending_taste_index(self) -> InnerProductIndex:
        """Searches the item factors weighted by `recent_boost`."""
        return InnerProductIndex.of(self.item_factors, self.recent_boost)

    @cached_property
    def learned(self) -> Learned:
        """The arrays that the ranker's candidates and features come from, as compiled code reads them."""
        index = self.trending_taste_index
        of_index = {name: getattr(index, name) for name in ("order", "negative_bound", "head")}
        names = (name for name in Learned._fields if name not in of_index)
        return learned(of_index | {name: getattr(self, name) for name in names})

    @cached_property
    def taste_index(self) -> InnerProductIndex:
        """Searches the item factors weighted by `boost`."""
        return InnerProductIndex.of(self.item_factors, self.boost)

    @cached_property
    def by_popularity(self) -> SortedScores:
        """Products sorted by popularity."""
        return SortedScores.of(self.popularity)

    @cached_property
    def by_trend(self) -> SortedScores:
        """Products sorted by trend."""
        return SortedScores.of(self.trend)

    @cached_property
    def by_recent(self) -> list[SortedScores]:
        """Products sorted by buyers, for each window of `recent`."""
        return [SortedScores.of(buyers) for buyers in self.recent]

    @cached_property
    def fallback_scale(self) -> float:
        """The factor that scales the trend down to at most HIGHEST_FALLBACK."""
        return HIGHEST_FALLBACK / max(float(self.trend.max(initial=0)), 1e-9)

    @cached_property
    def sold(self) -> Array:
        """True for products with a buyer that aren't hidden, (P,) bool: what baselines can recommend."""
        return np.asarray((self.popularity > 0) & ~self.hidden)

    @cached_property
    def sold_or_new(self) -> Array:
        """True for sold and new products that aren't hidden, (P,) bool: what factors can recommend."""
        return self.sold | (self.new & ~self.hidden)

    @cached_property
    def item_norms(self) -> Array:
        """The Euclidean norms of the item factors, (P,) float32."""
        return np.asarray(np.linalg.norm(self.item_factors, axis=1))

    def precompute(self) -> None:
        """Computes what every request needs, so that the first request doesn't wait for it."""
        for name in PRECOMPUTED if self.trees else PRECOMPUTED[1:]:
            getattr(self, name)

    def with_arrays(self, **arrays: Any) -> "Bundle":
        """Returns a copy with some arrays replaced; it shares everything that was derived from the others."""
        stale = DERIVED_FROM_POPULARITY if "popularity" in arrays else ()
        derived = vars(self)
        copy = replace(self, **arrays)
        vars(copy).update({name: derived[name] for name in SHARED if name in derived and name not in stale})
        return copy

    def history_rows(self, customer: int) -> slice:
        """Returns the slice of a customer's rows in the history arrays."""
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
# Computed once for a bundle. None depends on stock, prices or hidden products, which change during the day.
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
SHARED = ("trees", "forgotten", *PRECOMPUTED)  # derived once for a bundle and all its copies
DERIVED_FROM_POPULARITY = ("by_popularity", "max_popularity")  # not shared if popularity is replaced
ARRAYS = [field.name for field in fields(Bundle) if field.name not in ("manifest", "forgotten")]


def find_rows(ids: Array, wanted: Sequence[str]) -> Array:
    """Returns the row of each wanted id in a sorted array of ids, (m,) int64; -1 if it isn't there.

    ids: (n,) bytes. wanted: m ids without a trailing NUL, which numpy's bytes can't hold.
    """
    if not len(ids) or not wanted:
        return np.full(len(wanted), -1)
    keys = np.array([text.encode() for text in wanted])
    rows = np.minimum(np.searchsorted(ids, keys), len(ids) - 1)
    return np.where(ids[rows] == keys, rows, -1)


def find_row(ids: Array, wanted: str) -> int | None:
    """Returns the row of one id in a sorted array of ids, (n,) bytes, or None if it isn't there."""
    key = wanted.encode()
    if len(key) > ids.dtype.itemsize or key.endswith(b"\0"):
        return None
    row = int(np.searchsorted(ids, np.bytes_(key)))
    return row if row < len(ids) and ids[row] == key else None


def expand_ranges(starts: Array, ends: Array) -> tuple[Array, Array]:
    """Returns the range that each element belongs to, and the element's index, (m,) int64 each.

    starts, ends: (n,) int64, n ranges of indices, ends excluded.

    >>> ranges, indices = expand_ranges(np.array([4, 7, 0]), np.array([6, 7, 1]))
    >>> ranges.tolist(), indices.tolist()
    ([0, 0, 2], [4, 5, 0])
    """
    counts = ends - starts
    ranges = np.repeat(np.arange(len(counts)), counts)
    offsets = np.arange(len(ranges)) - np.repeat(np.cumsum(counts) - counts, counts)
    return ranges, np.repeat(starts, counts) + offsets


def texts(values: list[str]) -> Array:
    """Encodes n texts as UTF-8 bytes of fixed width, (n,)."""
    return np.array([value.encode() for value in values], dtype=np.bytes_)
