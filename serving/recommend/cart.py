"""Recommends products for a cart, or for the products that a visitor viewed.

Four lists are combined: products by the taste folded in from the cart, complements by association rules, a
known customer's own lane, and the trend behind them. Their scores are on different scales, so the lists are
fused by rank: a product's score is the sum of its gains 1 / log2(rank + 1), as in `rerank`.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from serving.bundle.format import HIGHEST_FALLBACK, Array, Bundle
from serving.bundle.highest import TINY, top_n
from serving.recommend.association_rules import most_confident, rule_at
from serving.recommend.fold_in import fold_in
from serving.recommend.lanes import Lane
from serving.recommend.reasons import taste_reasons
from serving.recommend.recommender import NO_VARIETY, Item, Ranking, eligible, rankings, with_reasons
from serving.recommend.rerank import POOL, Variety
from serving.recommend.selection import select
from serving.recommend.shortlist import Shortlist, shortlists, trend_shortlist

VIEW_WEIGHT = 0.5  # a product view counts as half an order


@dataclass(frozen=True)
class Cart:
    """m distinct products that are in a cart or were viewed."""

    products: Array  # (m,) int64, rows of the bundle
    orders: Array  # (m,) float64, the orders that each counts as

    @classmethod
    def of(cls, in_cart: list[int], viewed: list[int]) -> "Cart":
        """Counts a product in the cart as one order, and a product only viewed as VIEW_WEIGHT.

        in_cart, viewed: rows of the bundle.
        """
        orders = dict.fromkeys(viewed, VIEW_WEIGHT) | dict.fromkeys(in_cart, 1.0)
        return cls(np.array(list(orders), np.int64), np.array(list(orders.values())))


@dataclass(frozen=True)
class RankedLists:
    """The lists that are fused for a cart, best first."""

    taste: Array  # (a,) rows of the bundle, by the cart's folded-in factors
    rules: Array  # (b,) rows, by association rules
    rule_indices: Array  # (b,) the rule of each
    own: Array  # (c,) rows, from the customer's lane

    def fused(self, rest: Shortlist) -> Shortlist:
        """Returns the products of all lists by the sum of their gains, and behind them the rest."""
        lists = (self.taste, self.rules, self.own)
        products = np.unique(np.concatenate([*lists, rest.products]))
        values = np.zeros(len(products), np.float32)
        scale = HIGHEST_FALLBACK / rest.values.max(initial=TINY)
        values[np.searchsorted(products, rest.products)] = rest.values * scale
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
    """Returns the ranking for a cart, which never contains the cart's own products.

    With an empty cart, this is the ranking that `recommend` uses. customer: the customer's row; None for an
    anonymous or unknown visitor, whose result is the same in every lane. variety, group: as in `recommend`.
    """
    (without_cart,) = rankings(bundle, [customer], lane, variety, group)
    if not len(cart.products):
        return without_cart
    return partial(_recommend, bundle, cart, customer, lane, variety, group)


def _recommend(
    bundle: Bundle,
    cart: Cart,
    customer: int | None,
    lane: Lane,
    variety: Variety,
    group: int | None,
    n: int,
    allowed: Array | None,
) -> list[Item]:
    outside_cart = np.ones(len(bundle.products), bool) if allowed is None else allowed.copy()
    outside_cart[cart.products] = False
    wanted = eligible(bundle, customer, lane, "als", outside_cart)
    lists = _lists(bundle, cart, customer, lane, wanted)

    def fetch(size: int) -> Shortlist:
        return lists.fused(trend_shortlist(bundle, group, size, wanted))

    return _items(bundle, cart, customer, lane, lists, select(bundle, fetch, n, variety))


def _lists(bundle: Bundle, cart: Cart, customer: int | None, lane: Lane, wanted: Array) -> RankedLists:
    """Returns the first POOL products of each list."""
    rules, rule_indices = most_confident(bundle, cart.products, POOL, wanted)
    own = np.empty(0, np.int64)
    if customer is not None:
        component = bundle.manifest["lanes"][lane]
        wanted_in_lane = eligible(bundle, customer, lane, component, wanted)
        (source,) = shortlists(bundle, np.array([customer]), component)
        own = _ranked(source(POOL, wanted_in_lane))
    return RankedLists(_by_taste(bundle, cart, wanted), rules, rule_indices, own)


def _by_taste(bundle: Bundle, cart: Cart, wanted: Array) -> Array:
    factors = fold_in(bundle, cart.products, cart.orders)
    return _ranked(Shortlist.of(*bundle.taste_index.highest(factors, POOL, wanted)).above(0))


def _ranked(shortlist: Shortlist) -> Array:
    return shortlist.products[top_n(shortlist.values, POOL)]


def _items(
    bundle: Bundle, cart: Cart, customer: int | None, lane: Lane, lists: RankedLists, selected: Shortlist
) -> list[Item]:
    """Returns the selected products with a reason each.

    The first that applies: an association rule, an own purchase, the taste of the cart, the customer's lane,
    the trend.
    """
    rule_of = dict(zip(lists.rules.tolist(), lists.rule_indices.tolist(), strict=True))
    weight = bundle.manifest["fold_in"]["alpha"] * cart.orders
    by_taste = taste_reasons(bundle, cart.products, weight, selected.products)
    liked = set(lists.taste.tolist())
    pairs = zip(selected.products.tolist(), selected.values.tolist(), strict=True)
    items = [Item(product, value, "trending") for product, value in pairs]
    if customer is not None:
        component = bundle.manifest["lanes"][lane]
        items = with_reasons(bundle, customer, selected.products, selected.values, component)
    for index, (item, (kind, because)) in enumerate(zip(items, by_taste, strict=True)):
        if item.product in rule_of:
            rule = rule_at(bundle, rule_of[item.product])
            items[index] = Item(item.product, item.score, "bought-together", rule.antecedents, rule)
        elif item.kind != "repurchase" and item.product in liked and because:
            items[index] = replace(item, kind=kind, because=because)
    return items
