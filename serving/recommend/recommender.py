"""Answers from a bundle's arrays. Evaluation scores with these very functions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np

from serving.bundle.format import Array, Bundle
from serving.bundle.highest import SortedScores, top_n
from serving.recommend.association_rules import Rule
from serving.recommend.history import bought_mask, purchases
from serving.recommend.ranker import ranker
from serving.recommend.reasons import Explain, Kind, reasons
from serving.recommend.rerank import POOL, Variety, reweighted
from serving.recommend.selection import reweight_shortlist, select
from serving.recommend.shortlist import Shortlist, ShortlistSource, shortlist_of_sorted, shortlists
from serving.recommend.shortlist import trend_shortlist as trend_list

Lane = Literal["for-you", "buy-again", "discover"]
Component = Literal["popularity", "trend", "repurchase", "als", "ranker"]
Scorer = Callable[[Bundle, Array], Array]  # (n,) rows of customers to scores of all products, (n, P)

LANES: tuple[Lane, ...] = get_args(Lane)
BASELINES: tuple[Component, ...] = ("popularity", "trend", "repurchase")
LEARNED: tuple[Component, ...] = ("als", "ranker")  # they can tell of products without a buyer
NO_VARIETY = Variety()


@dataclass(frozen=True)
class Item:
    """One recommended product, by its row in the bundle, with what speaks for it."""

    product: int
    score: float
    kind: Kind
    because: tuple[int, ...] = ()
    rule: Rule | None = None  # what is bought together
    moved_by: str | None = None  # the rule of the shop that gave it its place


Ranking = Callable[[int, Array | None], list[Item]]  # at most n items, of the allowed products, (P,) bool


def popularity(bundle: Bundle, customers: Array) -> Array:
    """Distinct buyers of all time, the same for everyone, (n, P)."""
    return np.tile(bundle.popularity, (len(customers), 1))


def trend(bundle: Bundle, customers: Array) -> Array:
    """Distinct buyers with recent ones weighing more, the same for everyone, (n, P)."""
    return np.tile(bundle.trend, (len(customers), 1))


def repurchase(bundle: Bundle, customers: Array) -> Array:
    """A customer's own products by decayed frequency; behind them all others by trend, (n, P)."""
    scores = np.tile(bundle.trend * bundle.fallback_scale, (len(customers), 1))
    rows, places = purchases(bundle, customers)
    scores[rows, bundle.history_product[places]] += bundle.history_strength[places]
    return scores


def als(bundle: Bundle, customers: Array) -> Array:
    """Preference by the factors of customer and product, times the product's boost, (n, P)."""
    return bundle.user_factors[customers] @ bundle.item_factors.T * bundle.boost


SCORES: dict[str, Scorer] = {
    "popularity": popularity,
    "trend": trend,
    "repurchase": repurchase,
    "als": als,
    "ranker": ranker,
}


def learned_components(bundle: Bundle) -> tuple[Component, ...]:
    """The components beyond the baselines that a bundle has learned."""
    return LEARNED if len(bundle.ranker) else LEARNED[:1]


def scores(
    bundle: Bundle,
    customers: Array,
    lane: Lane,
    component: str | Scorer | None = None,
    allowed: Array | None = None,
) -> Array:
    """The scores of all products for known customers, -inf where a lane or a rule of the shop excludes one.

    customers: (n,) rows of the bundle. component: what scores, or its name, as it is; the lane's own where
    None, re-ranked by the products' weight where the bundle has a `strength` for that. allowed: (P,) bool,
    the products that may be answered; all where None. Returns (n, P) float32, re-ranked float64. A product
    that nobody has bought yet is no answer of a baseline, and of no component unless it is one of the
    bundle's new ones.
    """
    values = component_scores(component or bundle.manifest["lanes"][lane], bundle, customers)
    if allowed is not None:
        values[:, ~allowed] = -np.inf
    return restrict_to_lane(bundle, customers, lane, values, as_scored=component is not None)


def component_scores(component: str | Scorer, bundle: Bundle, customers: Array) -> Array:
    """The scores of a component in any lane, -inf for what it can't tell of or a rule excludes, (n, P)."""
    scorer = component if callable(component) else SCORES[component]
    values = scorer(bundle, customers).astype(np.float32, copy=False)
    values[:, ~scorable(bundle, component)] = -np.inf
    return values


def scorable(bundle: Bundle, component: str | Scorer) -> Array:
    """True for the products that a component can tell of and no rule excludes, (P,) bool."""
    return bundle.sold_or_new if component in LEARNED else bundle.sold


def restrict_to_lane(bundle: Bundle, customers: Array, lane: Lane, values: Array, as_scored: bool) -> Array:
    """The scores, (n, P), changed in place to -inf where the lane excludes a product.

    Re-ranked by the products' weight, unless they are to stay `as_scored`.
    """
    if lane != "for-you":
        bought = bought_mask(bundle, customers)
        values[bought if lane == "discover" else ~bought] = -np.inf
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
    """At most n items for a customer, best first; what trends for a stranger (customer None).

    allowed: (P,) bool, the products that may be answered; all where None. It and the variety are applied
    before the cut, so that n items come back as long as there are as many. group: that of a stranger, a row
    of the bundle; it changes nothing for a customer, of whom more is known. These are the products that
    `scores` puts first.
    """
    (ranking,) = rankings(bundle, [customer], lane, variety, group)
    return ranking(n, allowed)


def rankings(
    bundle: Bundle,
    customers: list[int | None],
    lane: Lane,
    variety: Variety = NO_VARIETY,
    group: int | None = None,
    tell: Explain = reasons,
) -> list[Ranking]:
    """What `recommend` answers each of many customers, worked out for all at once as far as that goes.

    tell: what finds the reasons.
    """
    known = np.array([customer for customer in customers if customer is not None], np.int64)
    sources = iter(shortlists(bundle, known, bundle.manifest["lanes"][lane]) if len(known) else [])
    to_strangers = partial(trending, bundle, group=group, variety=variety)
    return [
        to_strangers
        if customer is None
        else partial(_from, next(sources), bundle, customer, lane, variety, tell)
        for customer in customers
    ]


def _from(
    source: ShortlistSource,
    bundle: Bundle,
    customer: int,
    lane: Lane,
    variety: Variety,
    tell: Explain,
    n: int,
    allowed: Array | None,
) -> list[Item]:
    component = bundle.manifest["lanes"][lane]
    wanted = eligible(bundle, customer, lane, component, allowed)

    def listing(size: int) -> Shortlist:
        return reweight_shortlist(bundle, source(size, wanted))

    found = select(bundle, listing, n, variety, POOL if bundle.strength else 0)
    return with_reasons(bundle, customer, found.products, found.values, component, tell)


def trending(
    bundle: Bundle,
    n: int,
    allowed: Array | None = None,
    group: int | None = None,
    variety: Variety = NO_VARIETY,
    buyers: SortedScores | None = None,
) -> list[Item]:
    """At most n products by the trend, within a group before the overall one; what nobody bought is left out.

    buyers: what counts in place of the trend.
    """
    wanted = ~bundle.hidden if allowed is None else allowed & ~bundle.hidden

    def listing(size: int) -> Shortlist:
        if buyers is not None:
            return shortlist_of_sorted(buyers, size, wanted).above(0)
        return trend_list(bundle, group, size, wanted)

    found = select(bundle, listing, n, variety)
    pairs = zip(found.products.tolist(), found.values.tolist(), strict=True)
    return [Item(product, value, "trending") for product, value in pairs]


def trend_scores(bundle: Bundle, buyers: Array) -> Array:
    """The scores of all products for a stranger by their buyers, -inf for what is no answer, (P,) float32."""
    return np.where((buyers > 0) & ~bundle.hidden, buyers, -np.inf).astype(np.float32)


def _by_weight(bundle: Bundle, values: Array) -> Array:
    """The scores of n customers, re-ranked by the weight of the first POOL of each, (n, P) float64."""
    factor = bundle.weight.astype(np.float64) ** bundle.strength
    return np.array([reweighted(row, top_n(row, POOL), factor) for row in values]).reshape(values.shape)


def eligible(
    bundle: Bundle, customer: int | None, lane: Lane, component: str, allowed: Array | None
) -> Array:
    """True for the products that may be answered in a lane, any to a stranger, (P,) bool."""
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
    bundle: Bundle, customer: int, products: Array, values: Array, component: str, tell: Explain = reasons
) -> list[Item]:
    """Products with their scores for a customer, (n,) each, and why a component recommends them."""
    own = set(bundle.bought(customer).tolist())
    found = tell(bundle, customer, products, component)
    return [
        Item(p, value, "repurchase", (p,)) if p in own else Item(p, value, *reason)
        for p, value, reason in zip(products.tolist(), values.tolist(), found, strict=True)
    ]
