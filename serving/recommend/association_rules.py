"""What goes with a product or a cart, by the bundle's association rules."""

from dataclasses import dataclass

import numpy as np

from serving.bundle.format import Array, Bundle, expand_ranges


@dataclass(frozen=True)
class Rule:
    """Who has the antecedents in a basket has the consequent in it too: by their rows in the bundle."""

    antecedents: tuple[int, ...]
    consequent: int
    confidence: float
    lift: float
    support: float
    count: int


def rules_from(bundle: Bundle, product: int) -> Array:
    """The places of the rules that start from a product alone, by falling confidence, (r,)."""
    return np.arange(bundle.rule_start[product], bundle.rule_start[product + 1])


def complements(bundle: Bundle, product: int) -> Array:
    """The rows of the products that go with a product, by a rule from it or to it."""
    places = rules_from(bundle, product)
    after = bundle.rule_consequent[places[bundle.rule_complement[places]]]
    to = np.flatnonzero((bundle.rule_consequent == product) & bundle.rule_complement)
    return np.union1d(after, _antecedent(bundle, to))


def rules_for_cart(bundle: Bundle, cart: list[int], n: int, allowed: Array | None = None) -> list[Rule]:
    """At most n products that go with those of a cart, each by the surest rule that says so, surest first.

    cart: rows of the bundle. allowed: (P,) bool, the products that may be answered; all where None. Of
    rules equally sure that of one product is told.
    """
    _, numbers = most_confident(bundle, np.array(cart, dtype=np.int64), n, allowed)
    return [rule_at(bundle, number) for number in numbers.tolist()]


def most_confident(bundle: Bundle, cart: Array, n: int, allowed: Array | None = None) -> tuple[Array, Array]:
    """The same as products and the numbers of their rules, (m,) each."""
    held = np.unique(cart)
    pairs, triples = _of_one(bundle, held), _of_two(bundle, held)
    consequent = np.r_[bundle.rule_consequent[pairs], bundle.triple_consequent[triples]]
    confidence = np.r_[bundle.rule_confidence[pairs], bundle.triple_confidence[triples]]
    wanted = ~bundle.hidden if allowed is None else allowed & ~bundle.hidden
    wanted[held] = False
    order = np.argsort(-confidence, kind="stable")
    order = order[wanted[consequent[order]]]
    first = order[np.sort(np.unique(consequent[order], return_index=True)[1])[:n]]
    return consequent[first], np.r_[pairs, triples + len(bundle.rule_consequent)][first]


def rule_at(bundle: Bundle, number: int) -> Rule:
    """The rule of a number: those of one product come before those of two."""
    pairs = len(bundle.rule_consequent)
    return _pair(bundle, number) if number < pairs else _triple(bundle, number - pairs)


def _of_one(bundle: Bundle, cart: Array) -> Array:
    """The places of the rules that start from one product of a cart."""
    _, places = expand_ranges(bundle.rule_start[cart], bundle.rule_start[cart + 1])
    return places[bundle.rule_complement[places]]


def _of_two(bundle: Bundle, cart: Array) -> Array:
    """The places of the rules that start from two products of a cart, its rows ascending."""
    first, second = np.triu_indices(len(cart), 1)
    keys = cart[first] * len(bundle.products) + cart[second]
    starts, ends = (np.searchsorted(bundle.triple_key, keys, side) for side in ("left", "right"))
    return expand_ranges(starts, ends)[1]


def _antecedent(bundle: Bundle, places: Array) -> Array:
    return np.searchsorted(bundle.rule_start, places, "right") - 1


def _pair(bundle: Bundle, place: int) -> Rule:
    return _rule(bundle, "rule", place, (int(_antecedent(bundle, np.array(place))),))


def _triple(bundle: Bundle, place: int) -> Rule:
    first, second = divmod(int(bundle.triple_key[place]), len(bundle.products))
    return _rule(bundle, "triple", place, (first, second))


def _rule(bundle: Bundle, kind: str, place: int, antecedents: tuple[int, ...]) -> Rule:
    consequent, confidence, lift, support, count = (
        getattr(bundle, f"{kind}_{name}")[place].item()
        for name in ("consequent", "confidence", "lift", "support", "count")
    )
    return Rule(antecedents, consequent, confidence, lift, support, count)
