"""The section on association rules: the strongest, and the differences from the previous champion's."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.lake import tables
from pipelines.registry import versions
from pipelines.report.figures import Figure, count, quantity
from pipelines.report.records import Record
from pipelines.run import pins
from serving.bundle.format import Bundle
from serving.errors import NightshelfError

SHOWN = 8  # rules per list, at most
LEAST_CHANGE = 0.01  # of a rule's confidence

Pair = tuple[str, str]  # antecedent and consequent, by product id


@dataclass(frozen=True)
class Rule:
    """An association rule: baskets with the antecedent also hold the consequent.

    antecedent, consequent: product names; baskets: those that hold both; before: the confidence in the
    previous champion's bundle, None if the rule is not compared.
    """

    antecedent: str
    consequent: str
    confidence: float
    lift: float
    baskets: int
    before: float | None = None

    @property
    def description(self) -> str:
        """The rule's figures in words."""
        before = "" if self.before is None else f" (before: {100 * self.before:.0f} %)"
        share = f"in {100 * self.confidence:.0f} % of baskets with the first{before}"
        return f"{share}, lift {self.lift:,.1f}, {quantity(self.baskets, 'basket')} with both"


@dataclass(frozen=True)
class Associations:
    """The section on association rules; previous: the version compared with; empty if none."""

    sentence: str
    counts: list[tuple[str, Figure]]
    previous: str
    strongest: list[Rule]
    new: list[Rule]
    gone: list[Rule]
    changed: list[Rule]


def associations(record: Record) -> Associations:
    """The section on association rules of a nightly run: complements with one antecedent."""
    if f"{pins.PREFIX}{tables.RULES}" not in record.tags:
        return _empty(
            "No association rules were mined: the nightly run did not complete step association_rules."
        )
    try:
        table, products = (pins.read(record.night, name) for name in (tables.RULES, tables.PRODUCTS))
    except NightshelfError:
        return _empty("The association rules of this run are gone from the lake: later runs replaced them.")
    names = dict(zip(products[c.PRODUCT].to_pylist(), products[c.NAME].to_pylist(), strict=True))
    now = _mined(table, names)
    previous = record.tags.get("against", "")
    bundle = versions.readable_bundle(previous) if previous else None
    before = _served(bundle) if bundle else {}
    strongest = sorted(_one_per_pair(now), key=lambda rule: (-rule.lift, -rule.baskets))[:SHOWN]
    new = _most_frequent(rule for pair, rule in now.items() if pair not in before) if before else []
    gone = _most_frequent(rule for pair, rule in before.items() if pair not in now)
    sentence = _sentence(now, before, previous)
    compared = previous if before else ""
    return Associations(sentence, _counts(record), compared, strongest, new, gone, _changed(now, before))


def _empty(sentence: str) -> Associations:
    return Associations(sentence, [], "", [], [], [], [])


def _counts(record: Record) -> list[tuple[str, Figure]]:
    captions = {
        "rules": "association rules",
        "of_two_products": "with two antecedents",
        "baskets_too_large": "baskets too large to mine",
    }
    return [
        (caption, figure) for name, caption in captions.items() if (figure := count(record.metrics, name))
    ]


def _mined(table: pa.Table, names: dict[str, str]) -> dict[Pair, Rule]:
    """The complements with one antecedent in the lake's table of rules."""
    complements = table.filter(pc.and_(pc.is_null(table[c.SECOND_ANTECEDENT]), table[c.COMPLEMENT]))
    complements = complements.sort_by([(c.LIFT, "descending")])
    return {
        (row[c.ANTECEDENT], row[c.CONSEQUENT]): Rule(
            names.get(row[c.ANTECEDENT]) or row[c.ANTECEDENT],
            names.get(row[c.CONSEQUENT]) or row[c.CONSEQUENT],
            row[c.CONFIDENCE],
            row[c.LIFT],
            row[c.COUNT],
        )
        for row in complements.to_pylist()
    }


def _served(bundle: Bundle) -> dict[Pair, Rule]:
    """The complements with one antecedent in a bundle."""
    antecedent = np.repeat(np.arange(len(bundle.products)), np.diff(bundle.rule_start))
    complements = np.flatnonzero(bundle.rule_complement)
    ids = bundle.products.astype(str)
    names = [
        name.decode() or product
        for name, product in zip(bundle.name.astype("S").tolist(), ids.tolist(), strict=True)
    ]
    return {
        (str(ids[first]), str(ids[second])): Rule(names[first], names[second], confidence, lift, baskets)
        for first, second, confidence, lift, baskets in zip(
            antecedent[complements].tolist(),
            bundle.rule_consequent[complements].tolist(),
            bundle.rule_confidence[complements].tolist(),
            bundle.rule_lift[complements].tolist(),
            bundle.rule_count[complements].tolist(),
            strict=True,
        )
    }


def _one_per_pair(rules: dict[Pair, Rule]) -> Iterable[Rule]:
    """Of the two rules between a pair of products, the one with the higher confidence."""
    ordered = sorted(rules.items(), key=lambda entry: entry[1].confidence)
    return {frozenset(pair): rule for pair, rule in ordered}.values()


def _most_frequent(rules: Iterable[Rule]) -> list[Rule]:
    """The rules with the most baskets."""
    return sorted(rules, key=lambda rule: (-rule.baskets, -rule.lift))[:SHOWN]


def _changed(now: dict[Pair, Rule], before: dict[Pair, Rule]) -> list[Rule]:
    """The rules whose confidence changed the most, by at least LEAST_CHANGE."""
    changed = [
        replace(rule, before=before[pair].confidence)
        for pair, rule in now.items()
        if pair in before and abs(rule.confidence - before[pair].confidence) >= LEAST_CHANGE
    ]
    return sorted(changed, key=lambda rule: -abs(rule.confidence - (rule.before or 0)))[:SHOWN]


def _sentence(now: dict[Pair, Rule], before: dict[Pair, Rule], previous: str) -> str:
    if not now:
        return "No two products are bought together more often than their shared buyers explain."
    best = max(now.values(), key=lambda rule: (rule.lift, rule.baskets))
    rules = quantity(len(now), "rule links", "rules link")
    summary = f"{rules} products that are bought together more often than their shared buyers explain"
    summary += f"; the strongest links {best.antecedent} and {best.consequent}"
    if not previous:
        return f"{summary}. There is no previous champion to compare with."
    if not before:
        return f"{summary}. Version {previous}, the previous champion, has no readable rules to compare with."
    new, gone = len(now.keys() - before.keys()), len(before.keys() - now.keys())
    return f"{summary}. Since version {previous}: {new:,} new, {gone:,} gone."
