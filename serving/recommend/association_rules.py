"""Finds the products that go with a product or a cart, by the bundle's association rules."""

from dataclasses import dataclass

import numpy as np

from serving.bundle.format import Array, Bundle, expand_ranges


@dataclass(frozen=True)
class Rule:
    """An association rule: baskets with the antecedents also contain the consequent.

    Products are rows of the bundle. Agrawal, Srikant (1994) define confidence and support; lift is the
    confidence divided by the consequent's share of all baskets.
    """

    antecedents: tuple[int, ...]
    consequent: int
    confidence: float
    lift: float
    support: float
    count: int


def rules_from(bundle: Bundle, product: int) -> Array:
    """Returns the indices of the rules from one product alone, by falling confidence, (r,) int64."""
    return np.arange(bundle.rule_start[product], bundle.rule_start[product + 1])


def complements(bundle: Bundle, product: int) -> Array:
    """Returns the rows of a product's complements, by rules from it or to it, ascending, (m,) integers."""
    indices = rules_from(bundle, product)
    consequents = bundle.rule_consequent[indices[bundle.rule_complement[indices]]]
    rules_to = np.flatnonzero((bundle.rule_consequent == product) & bundle.rule_complement)
    return np.union1d(consequents, _antecedent(bundle, rules_to))


def rules_for_cart(bundle: Bundle, cart: list[int], n: int, allowed: Array | None = None) -> list[Rule]:
    """Returns the most confident rule for each of at most n complements of a cart, most confident first.

    Of two equally confident rules, the rule with a single antecedent wins.

    cart: rows of the bundle. allowed: (P,) bool, the products that may be recommended; None allows all.
    """
    _, indices = most_confident(bundle, np.array(cart, dtype=np.int64), n, allowed)
    return [rule_at(bundle, index) for index in indices.tolist()]


def most_confident(bundle: Bundle, cart: Array, n: int, allowed: Array | None = None) -> tuple[Array, Array]:
    """Returns the products that `rules_for_cart` recommends and the indices of their rules, (m,) int64 each.

    cart: (c,) int64, rows of the bundle.
    """
    in_cart = np.unique(cart)
    pairs, triples = _pair_indices(bundle, in_cart), _triple_indices(bundle, in_cart)
    consequent = np.r_[bundle.rule_consequent[pairs], bundle.triple_consequent[triples]]
    confidence = np.r_[bundle.rule_confidence[pairs], bundle.triple_confidence[triples]]
    wanted = ~bundle.hidden if allowed is None else allowed & ~bundle.hidden
    wanted[in_cart] = False
    order = np.argsort(-confidence, kind="stable")
    order = order[wanted[consequent[order]]]
    first = order[np.sort(np.unique(consequent[order], return_index=True)[1])[:n]]
    return consequent[first], np.r_[pairs, triples + len(bundle.rule_consequent)][first]


def rule_at(bundle: Bundle, index: int) -> Rule:
    """Returns the rule at an index; rules with two antecedents follow those with one."""
    pairs = len(bundle.rule_consequent)
    return _pair(bundle, index) if index < pairs else _triple(bundle, index - pairs)


def _pair_indices(bundle: Bundle, cart: Array) -> Array:
    """Returns the indices of the complement rules whose antecedent is in the cart."""
    _, indices = expand_ranges(bundle.rule_start[cart], bundle.rule_start[cart + 1])
    return indices[bundle.rule_complement[indices]]


def _triple_indices(bundle: Bundle, cart: Array) -> Array:
    """Returns the indices of the rules whose two antecedents are in the cart, whose rows ascend."""
    first, second = np.triu_indices(len(cart), 1)
    keys = cart[first] * len(bundle.products) + cart[second]
    starts, ends = (np.searchsorted(bundle.triple_key, keys, side) for side in ("left", "right"))
    return expand_ranges(starts, ends)[1]


def _antecedent(bundle: Bundle, indices: Array) -> Array:
    return np.searchsorted(bundle.rule_start, indices, "right") - 1


def _pair(bundle: Bundle, index: int) -> Rule:
    return _rule(bundle, "rule", index, (int(_antecedent(bundle, np.array(index))),))


def _triple(bundle: Bundle, index: int) -> Rule:
    first, second = divmod(int(bundle.triple_key[index]), len(bundle.products))
    return _rule(bundle, "triple", index, (first, second))


def _rule(bundle: Bundle, kind: str, index: int, antecedents: tuple[int, ...]) -> Rule:
    consequent, confidence, lift, support, count = (
        getattr(bundle, f"{kind}_{name}")[index].item()
        for name in ("consequent", "confidence", "lift", "support", "count")
    )
    return Rule(antecedents, consequent, confidence, lift, support, count)
