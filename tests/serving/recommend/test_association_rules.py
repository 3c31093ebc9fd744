"""Complements by association rules, over the small bundle and over many random rules."""

from dataclasses import replace

import bundles
import numpy as np
import pytest

from serving.bundle.format import Bundle
from serving.recommend.association_rules import Rule, complements, rules_for_cart, rules_from

pytestmark = pytest.mark.fast

COFFEE_1, COFFEE_2, COFFEE_3, NEW, TEA_1, TEA_2, TEA_3 = range(7)
CART = 40


def goes_with(bundle: Bundle, *cart: int) -> list[tuple[int, tuple[int, ...]]]:
    return [(rule.consequent, rule.antecedents) for rule in rules_for_cart(bundle, list(cart), 10)]


def test_a_rule_has_its_antecedents_and_measures(bundle: Bundle) -> None:
    (rule,) = rules_for_cart(bundle, [TEA_1], 10)
    assert rule == Rule((TEA_1,), TEA_2, *(pytest.approx(value) for value in (0.9, 4.5, 0.1)), 10)
    (rule, *_) = rules_for_cart(bundle, [TEA_1, COFFEE_1], 10)
    assert rule == Rule((COFFEE_1, TEA_1), TEA_2, *(pytest.approx(value) for value in (0.95, 4.75, 0.19)), 19)


def test_each_product_has_its_most_confident_rule_with_one_or_two_antecedents(bundle: Bundle) -> None:
    assert goes_with(bundle, COFFEE_1) == [(COFFEE_3, (COFFEE_1,)), (TEA_1, (COFFEE_1,))]
    assert goes_with(bundle, TEA_1, COFFEE_1) == [(TEA_2, (COFFEE_1, TEA_1)), (COFFEE_3, (COFFEE_1,))]
    assert goes_with(bundle, COFFEE_2, TEA_3) == goes_with(bundle) == []


def test_excludes_products_in_the_cart_and_ignores_repeated_ones(bundle: Bundle) -> None:
    cart = [TEA_1, COFFEE_1, TEA_2, COFFEE_1]
    assert goes_with(bundle, *cart) == [(COFFEE_3, (COFFEE_1,))]


def test_returns_n_products_if_enough_are_allowed(bundle: Bundle) -> None:
    cart = [COFFEE_1, TEA_1]
    assert [rule.consequent for rule in rules_for_cart(bundle, cart, 1)] == [TEA_2]
    allowed = np.arange(7) != TEA_2
    assert [rule.consequent for rule in rules_for_cart(bundle, cart, 1, allowed)] == [COFFEE_3]
    assert allowed.sum() == 6  # the argument isn't changed


def test_complements_go_both_ways(bundle: Bundle) -> None:
    assert complements(bundle, COFFEE_1).tolist() == [COFFEE_3, TEA_1]
    assert complements(bundle, TEA_1).tolist() == [COFFEE_1, TEA_2]
    assert complements(bundle, COFFEE_2).tolist() == []


def test_rules_from_a_product_include_those_that_are_no_complements(bundle: Bundle) -> None:
    assert rules_from(bundle, COFFEE_1).tolist() == [0, 1, 2]


@pytest.fixture
def many_rules(bundle: Bundle, seed: int) -> Bundle:
    """A bundle with 2,000 products, 40,000 rules with one antecedent and 100,000 with two."""
    rng, products, rules, triples = np.random.default_rng(seed), 2000, 40_000, 100_000
    antecedent = np.sort(rng.integers(products, size=rules))
    # A tenth of the products have all the rules with two antecedents.
    antecedent_pairs = np.sort(rng.integers(products // 10, size=(triples, 2)), axis=1)
    antecedent_pairs = antecedent_pairs[antecedent_pairs[:, 0] < antecedent_pairs[:, 1]]
    key = np.sort(antecedent_pairs @ [products, 1])
    arrays = {"rule_start": np.searchsorted(antecedent, np.arange(products + 1)), "triple_key": key}
    for kind, size in (("rule", rules), ("triple", len(key))):
        arrays[f"{kind}_consequent"] = rng.integers(products, size=size)
        arrays[f"{kind}_confidence"] = rng.random(size)
        arrays |= {f"{kind}_{name}": rng.random(size) for name in ("lift", "support")}
        arrays[f"{kind}_count"] = rng.integers(1000, size=size)
    ids = [f"{product:04}" for product in range(products)]
    arrays |= {"rule_complement": rng.random(rules) < 0.8, "hidden": rng.random(products) < 0.1}
    return replace(bundles.small(), products=np.array(ids, "S"), **arrays)


def highest_confidence(bundle: Bundle, cart: list[int]) -> dict[int, float]:
    """Returns the highest confidence of any rule for each product, by looking at every rule."""
    highest: dict[int, float] = {}
    antecedents = np.repeat(np.arange(len(bundle.products)), np.diff(bundle.rule_start))
    firsts, seconds = np.divmod(bundle.triple_key, len(bundle.products))
    pairs = bundle.rule_complement & np.isin(antecedents, cart)
    triples = np.isin(firsts, cart) & np.isin(seconds, cart)
    for kind, indices in (("rule", np.flatnonzero(pairs)), ("triple", np.flatnonzero(triples))):
        for index in indices:
            consequent = int(getattr(bundle, f"{kind}_consequent")[index])
            confidence = float(getattr(bundle, f"{kind}_confidence")[index])
            if consequent not in cart and not bundle.hidden[consequent]:
                highest[consequent] = max(highest.get(consequent, 0), confidence)
    return highest


def test_a_large_cart_agrees_with_looking_at_every_rule(many_rules: Bundle, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(20):
        cart = rng.choice(len(many_rules.products), CART // 2).tolist()
        cart += rng.choice(len(many_rules.products) // 10, CART // 2).tolist()
        rules = rules_for_cart(many_rules, cart, 10)
        expected = highest_confidence(many_rules, cart)
        highest = sorted(expected.items(), key=lambda item: -item[1])[:10]
        assert [(rule.consequent, rule.confidence) for rule in rules] == highest
