"""Scores and recommends products from a bundle's arrays.

The evaluation scores with these same functions, so what is measured is what is served.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from serving.bundle.format import Array, Bundle
from serving.bundle.highest import SortedScores, top_n
from serving.recommend.association_rules import Rule
from serving.recommend.history import purchases
from serving.recommend.lanes import Lane
from serving.recommend.ranker import ranker
from serving.recommend.reasons import Explain, Kind, reasons
from serving.recommend.rerank import POOL, Variety, reweighted
from serving.recommend.selection import reweight_shortlist, select
from serving.recommend.shortlist import (
    Shortlist,
    ShortlistSource,
    shortlist_of_sorted,
    shortlists,
    trend_shortlist,
)

Component = Literal["popularity", "trend", "repurchase", "als", "ranker"]
Scorer = Callable[
    [Bundle, Array], Array
]  # takes (n,) rows of customers; returns the scores of all products, (n, P)

BASELINES: tuple[Component, ...] = ("popularity", "trend", "repurchase")
LEARNED: tuple[Component, ...] = ("als", "ranker")  # they also score new products
NO_VARIETY = Variety()


@dataclass(frozen=True)
class Item:
    """One recommended product, with its score and reason."""

    product: int  # a row of the bundle
    score: float
    kind: Kind
    because: tuple[int, ...] = ()  # the purchases that the reason names, rows of the bundle
    rule: Rule | None = None  # the association rule behind "bought-together"
    moved_by: str | None = None  # the merchandising rule that set its rank


Ranking = Callable[[int, Array | None], list[Item]]  # takes n and the allowed products, (P,) bool


def popularity(bundle: Bundle, customers: Array) -> Array:
    """Scores by distinct buyers of all time, the same for every customer, (n, P) float32."""
    return np.tile(bundle.popularity, (len(customers), 1))


def trend(bundle: Bundle, customers: Array) -> Array:
    """Scores by distinct buyers, recent buyers weigh more, the same for every customer, (n, P) float32."""
    return np.tile(bundle.trend, (len(customers), 1))


def repurchase(bundle: Bundle, customers: Array) -> Array:
    """Scores a customer's own products by decayed orders, all others behind them by trend, (n, P) float32."""
    scores = np.tile(bundle.trend * bundle.fallback_scale, (len(customers), 1))
    rows, history_rows = purchases(bundle, customers)
    scores[rows, bundle.history_product[history_rows]] += bundle.history_strength[history_rows]
    return scores


def als(bundle: Bundle, customers: Array) -> Array:
    """Scores by the inner product of factors times the product's boost, (n, P) float32.

    The factors come from implicit ALS: Hu, Koren, Volinsky (2008).
    """
    values = bundle.user_factors[customers] @ bundle.item_factors.T
    values *= bundle.boost
    return np.asarray(values)


SCORES: dict[str, Scorer] = {
    "popularity": popularity,
    "trend": trend,
    "repurchase": repurchase,
    "als": als,
    "ranker": ranker,
}


def learned_components(bundle: Bundle) -> tuple[Component, ...]:
    """Returns the learned components that a bundle contains, the simplest first."""
    return LEARNED if len(bundle.ranker) else LEARNED[:1]


def scores(
    bundle: Bundle,
    customers: Array,
    lane: Lane,
    component: str | Scorer | None = None,
    allowed: Array | None = None,
) -> Array:
    """Returns the scores of all products for known customers, (n, P) float32, or float64 if re-ranked.

    A score is -inf for a product that is outside the lane, hidden, or not allowed, and for one without a
    buyer, unless it is a new product and a learned component scores it.

    customers: (n,) rows of the bundle. component: a scorer or a component's name, whose scores are not
    re-ranked; None scores with the lane's component and re-ranks by the products' weight if the bundle has
    a `strength`. allowed: (P,) bool, the products that may be recommended; None allows all.
    """
    values = component_scores(component or bundle.manifest["lanes"][lane], bundle, customers)
    if allowed is not None:
        values[:, ~allowed] = -np.inf
    return restrict_to_lane(bundle, customers, lane, values, as_scored=component is not None)


def component_scores(component: str | Scorer, bundle: Bundle, customers: Array) -> Array:
    """Returns a component's scores before any lane, -inf for products it can't recommend, (n, P) float32."""
    scorer = component if callable(component) else SCORES[component]
    values = scorer(bundle, customers).astype(np.float32, copy=False)
    np.copyto(values, -np.inf, where=~scorable(bundle, component))
    return values


def scorable(bundle: Bundle, component: str | Scorer) -> Array:
    """Returns True for the products that a component can score and that aren't hidden, (P,) bool."""
    return bundle.sold_or_new if component in LEARNED else bundle.sold


def restrict_to_lane(bundle: Bundle, customers: Array, lane: Lane, values: Array, as_scored: bool) -> Array:
    """Returns the scores, (n, P), set to -inf in place for products outside the lane.

    Re-ranks them by the products' weight, unless `as_scored`.
    """
    if lane != "for-you":
        rows, history_rows = purchases(bundle, customers)
        bought = rows, bundle.history_product[history_rows]
        own = values[bought]
        values[bought if lane == "discover" else ...] = -np.inf
        if lane == "buy-again":
            values[bought] = own
    return values if as_scored or not bundle.strength else _by_weight(bundle, values)


def recommend(
    bundle: Bundle,
    customer: int | None,
    lane: Lane,
    n: int,
    allowed: Array | None = None,
    variety: Variety = NO_VARIETY,
    group: int | None = None,
) -> list[Item]:
    """Returns at most n items, best first: the products that `scores` ranks highest.

    Filters and variety apply before the first n are selected, so n items come back if enough remain.

    customer: the customer's row; None recommends the trend, to anonymous visitors and unknown customers.
    allowed: (P,) bool, the products that may be recommended; None allows all. group: the region's row for
    the trend; it changes nothing for a known customer.
    """
    (ranking,) = rankings(bundle, [customer], lane, variety, group)
    return ranking(n, allowed)


def rankings(
    bundle: Bundle,
    customers: list[int | None],
    lane: Lane,
    variety: Variety = NO_VARIETY,
    group: int | None = None,
    explain: Explain = reasons,
) -> list[Ranking]:
    """Returns the ranking that `recommend` uses, for each of n customers; shares the work between them.

    explain: the function that finds the reasons. Other parameters: as in `recommend`.
    """
    known = np.array([customer for customer in customers if customer is not None], np.int64)
    sources = iter(shortlists(bundle, known, bundle.manifest["lanes"][lane]) if len(known) else [])
    trend_ranking = partial(trending, bundle, group=group, variety=variety)
    return [
        trend_ranking
        if customer is None
        else partial(_recommend, next(sources), bundle, customer, lane, variety, explain)
        for customer in customers
    ]


def _recommend(
    source: ShortlistSource,
    bundle: Bundle,
    customer: int,
    lane: Lane,
    variety: Variety,
    explain: Explain,
    n: int,
    allowed: Array | None,
) -> list[Item]:
    component = bundle.manifest["lanes"][lane]
    wanted = eligible(bundle, customer, lane, component, allowed)

    def fetch(size: int) -> Shortlist:
        return reweight_shortlist(bundle, source(size, wanted))

    selected = select(bundle, fetch, n, variety, POOL if bundle.strength else 0)
    return with_reasons(bundle, customer, selected.products, selected.values, component, explain)


def trending(
    bundle: Bundle,
    n: int,
    allowed: Array | None = None,
    group: int | None = None,
    variety: Variety = NO_VARIETY,
    buyers: SortedScores | None = None,
) -> list[Item]:
    """Returns at most n trending products, best first, without products that score 0.

    allowed: (P,) bool, the products that may be recommended; None allows all. group: a region's row, whose
    trend comes before the overall trend. buyers: replaces the trend.
    """
    wanted = ~bundle.hidden if allowed is None else allowed & ~bundle.hidden

    def fetch(size: int) -> Shortlist:
        if buyers is not None:
            return shortlist_of_sorted(buyers, size, wanted).above(0)
        return trend_shortlist(bundle, group, size, wanted)

    selected = select(bundle, fetch, n, variety)
    pairs = zip(selected.products.tolist(), selected.values.tolist(), strict=True)
    return [Item(product, value, "trending") for product, value in pairs]


def trend_scores(bundle: Bundle, buyers: Array) -> Array:
    """Returns the scores that `trending` ranks by, -inf for products it leaves out, (P,) float32.

    buyers: (P,) float, the trend or another count of buyers.
    """
    return np.where((buyers > 0) & ~bundle.hidden, buyers, -np.inf).astype(np.float32)


def _by_weight(bundle: Bundle, values: Array) -> Array:
    """Re-ranks each customer's first POOL products by the products' weight, (n, P) float64."""
    factor = bundle.weight.astype(np.float64) ** bundle.strength
    return np.array([reweighted(row, top_n(row, POOL), factor) for row in values]).reshape(values.shape)


def eligible(
    bundle: Bundle, customer: int | None, lane: Lane, component: str, allowed: Array | None
) -> Array:
    """Returns True for the products that can be recommended in a lane, (P,) bool.

    customer: the customer's row; for None the lane excludes nothing. allowed: (P,) bool; None allows all.
    """
    wanted = scorable(bundle, component)
    wanted = wanted.copy() if allowed is None else wanted & allowed
    if customer is None:
        return wanted
    own = bundle.bought(customer)
    if lane == "discover":
        wanted[own] = False
    if lane == "buy-again":
        again = own[wanted[own]]
        wanted = np.zeros(len(wanted), bool)
        wanted[again] = True
    return wanted


def with_reasons(
    bundle: Bundle, customer: int, products: Array, values: Array, component: str, explain: Explain = reasons
) -> list[Item]:
    """Returns items with the reasons why a component recommends the products to a customer.

    products: (n,) rows of the bundle. values: (n,) float, their scores.
    """
    own = set(bundle.bought(customer).tolist())
    is_other = np.array([product not in own for product in products.tolist()], bool)
    explained = iter(explain(bundle, customer, products[is_other], component) if is_other.any() else [])
    return [
        Item(product, value, *next(explained)) if other else Item(product, value, "repurchase", (product,))
        for product, value, other in zip(products.tolist(), values.tolist(), is_other, strict=True)
    ]
