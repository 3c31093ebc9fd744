"""What goes with a cart, or with what a guest looked at: folded in, by the rules, and by the trend behind.

The lists of the factors, of the rules and, of a known customer, of the lane score on scales of their own. So
a product's score is the sum of the gains of its ranks in them, each 1 / log2(rank + 1) as in `rerank`.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from serving.bundle.format import HIGHEST_FALLBACK, Array, Bundle
from serving.bundle.highest import TINY, top_n
from serving.recommend.association_rules import most_confident, rule_at
from serving.recommend.fold_in import fold_in
from serving.recommend.reasons import taste_reasons
from serving.recommend.recommender import NO_VARIETY, Item, Lane, Ranking, eligible, rankings, with_reasons
from serving.recommend.rerank import POOL, Variety
from serving.recommend.selection import select
from serving.recommend.shortlist import Shortlist, shortlists, trend_shortlist

VIEW_WEIGHT = 0.5  # what a look at a product counts as, of an order


@dataclass(frozen=True)
class Cart:
    """m distinct products that are in a cart or were looked at, by their rows in the bundle."""

    products: Array  # (m,) int64
    orders: Array  # (m,) what each counts as

    @classmethod
    def of(cls, held: list[int], viewed: list[int]) -> "Cart":
        """What is in the cart counts as one order each, what was only looked at less."""
        orders = dict.fromkeys(viewed, VIEW_WEIGHT) | dict.fromkeys(held, 1.0)
        return cls(np.array(list(orders), np.int64), np.array(list(orders.values())))


@dataclass(frozen=True)
class RankedLists:
    """The products that speak to each other for a cart, best first."""

    taste: Array  # (a,) rows of the bundle
    rules: Array  # (b,) rows
    numbers: Array  # (b,) of their rules
    own: Array  # (c,) rows, of the customer's lane

    def fused(self, rest: Shortlist) -> Shortlist:
        """All products of the lists by the sum of their gains, and behind them the rest."""
        lists = (self.taste, self.rules, self.own)
        products = np.unique(np.concatenate([*lists, rest.products]))
        values = np.zeros(len(products), np.float32)
        least = HIGHEST_FALLBACK / rest.values.max(initial=TINY)
        values[np.searchsorted(products, rest.products)] = rest.values * least
        for ranked in lists:
            values[np.searchsorted(products, ranked)] += 1 / np.log2(np.arange(len(ranked)) + 2)
        return Shortlist(products, values)


def cart_ranking(
    bundle: Bundle,
    cart: Cart,
    customer: int | None,
    lane: Lane,
    variety: Variety = NO_VARIETY,
    group: int | None = None,
) -> Ranking:
    """What is answered to who has a cart: nothing of it is among the items. Who has none has no other answer.

    customer: None for a guest, who gets the same in every lane. variety, group: as in `recommend`.
    """
    (own,) = rankings(bundle, [customer], lane, variety, group)
    return partial(_with, bundle, cart, customer, lane, variety, group) if len(cart.products) else own


def _with(
    bundle: Bundle,
    cart: Cart,
    customer: int | None,
    lane: Lane,
    variety: Variety,
    group: int | None,
    n: int,
    allowed: Array | None,
) -> list[Item]:
    others = np.ones(len(bundle.products), bool) if allowed is None else allowed.copy()
    others[cart.products] = False
    wanted = eligible(bundle, customer, lane, "als", others)
    lists = _lists(bundle, cart, customer, lane, wanted)
    found = select(bundle, lambda size: lists.fused(trend_shortlist(bundle, group, size, wanted)), n, variety)
    return _explained(bundle, cart, customer, lane, lists, found)


def _lists(bundle: Bundle, cart: Cart, customer: int | None, lane: Lane, wanted: Array) -> RankedLists:
    """The first POOL of each list."""
    rules, numbers = most_confident(bundle, cart.products, POOL, wanted)
    own = np.empty(0, np.int64)
    if customer is not None:
        component = bundle.manifest["lanes"][lane]
        may = eligible(bundle, customer, lane, component, wanted)
        (source,) = shortlists(bundle, np.array([customer]), component)
        own = _first(source(POOL, may))
    return RankedLists(_taste(bundle, cart, wanted), rules, numbers, own)


def _taste(bundle: Bundle, cart: Cart, wanted: Array) -> Array:
    factors = fold_in(bundle, cart.products, cart.orders)
    return _first(Shortlist.of(*bundle.taste_index.highest(factors, POOL, wanted)).above(0))


def _first(found: Shortlist) -> Array:
    return found.products[top_n(found.values, POOL)]


def _explained(
    bundle: Bundle, cart: Cart, customer: int | None, lane: Lane, lists: RankedLists, found: Shortlist
) -> list[Item]:
    """For each a rule, an own purchase, the taste of the cart, the customer's lane trend."""
    numbers = dict(zip(lists.rules.tolist(), lists.numbers.tolist(), strict=True))
    weight = bundle.manifest["fold_in"]["alpha"] * cart.orders
    by_taste = taste_reasons(bundle, cart.products, weight, found.products)
    liked = set(lists.taste.tolist())
    pairs = zip(found.products.tolist(), found.values.tolist(), strict=True)
    items = [Item(product, value, "trending") for product, value in pairs]
    if customer is not None:
        component = bundle.manifest["lanes"][lane]
        items = with_reasons(bundle, customer, found.products, found.values, component)
    for place, (item, (kind, because)) in enumerate(zip(items, by_taste, strict=True)):
        if item.product in numbers:
            told = rule_at(bundle, numbers[item.product])
            items[place] = Item(item.product, item.score, "bought-together", told.antecedents, told)
        elif item.kind != "repurchase" and item.product in liked and because:
            items[place] = replace(item, kind=kind, because=because)
    return items
