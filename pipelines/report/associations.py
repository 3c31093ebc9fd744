"""What goes together: the strongest rules, and what changed since the version that served before."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.lake import tables
from pipelines.report.figures import Figure, count, many
from pipelines.report.records import Record
from pipelines.run import pins
from pipelines.steps import evaluate as evaluate_step
from serving.bundle.format import Bundle
from serving.errors import NightshelfError

MOST = 8

Pair = tuple[str, str]


@dataclass(frozen=True)
class Rule:
    """Who has the first product in a basket has the second too; before: the confidence that was served."""

    first: str
    second: str
    confidence: float
    lift: float
    baskets: int
    before: float | None = None

    @property
    def told(self) -> str:
        """The rule in words."""
        before = "" if self.before is None else f", before in {100 * self.before:.0f} %"
        share = f"in {100 * self.confidence:.0f} % of baskets with it{before}"
        return f"{share}, lift {self.lift:,.1f}, seen {self.baskets:,} times"


@dataclass(frozen=True)
class Associations:
    """The strongest rules and those that are new, gone or changed; counts as the night logged them."""

    sentence: str
    counts: list[tuple[str, Figure]]
    against: str
    top: list[Rule]
    new: list[Rule]
    gone: list[Rule]
    moved: list[Rule]


def associations(record: Record) -> Associations:
    """The rules of a night, of one product each; nothing where none were mined."""
    if f"{pins.PREFIX}{tables.RULES}" not in record.tags:
        return _nothing("No rules were mined: the night did not come that far.")
    try:
        rows, goods = (pins.read(record.night, table) for table in (tables.RULES, tables.PRODUCTS))
    except NightshelfError:
        return _nothing("Later nights have replaced the rules of this one.")
    names = dict(zip(goods[c.PRODUCT].to_pylist(), goods[c.NAME].to_pylist(), strict=True))
    found = _complements(rows, names)
    against = record.tags.get("against", "")
    before = evaluate_step.opened(against) if against else None
    then = _known(before) if before else {}
    top = sorted(_each_once(found).values(), key=lambda rule: (-rule.lift, -rule.baskets))[:MOST]
    new = _most(rule for pair, rule in found.items() if pair not in then) if then else []
    gone = _most(rule for pair, rule in then.items() if pair not in found)
    moved = _moved(found, then)
    counted = {
        "rules": "rules",
        "of_two_products": "of two products",
        "baskets_too_large": "baskets too large",
    }
    counts = [(said, figure) for name, said in counted.items() if (figure := count(record.metrics, name))]
    return Associations(
        _sentence(found, then, against), counts, against if then else "", top, new, gone, moved
    )


def _nothing(why: str) -> Associations:
    return Associations(why, [], "", [], [], [], [])


def _complements(rows: pa.Table, names: dict[str, str]) -> dict[Pair, Rule]:
    """The rules from one product to one that it goes with."""
    wanted = rows.filter(pc.and_(pc.is_null(rows[c.SECOND_ANTECEDENT]), rows[c.COMPLEMENT]))
    wanted = wanted.sort_by([(c.LIFT, "descending")])
    return {
        (row[c.ANTECEDENT], row[c.CONSEQUENT]): Rule(
            names.get(row[c.ANTECEDENT]) or row[c.ANTECEDENT],
            names.get(row[c.CONSEQUENT]) or row[c.CONSEQUENT],
            row[c.CONFIDENCE],
            row[c.LIFT],
            row[c.COUNT],
        )
        for row in wanted.to_pylist()
    }


def _known(bundle: Bundle) -> dict[Pair, Rule]:
    """The same of a bundle."""
    antecedent = np.repeat(np.arange(len(bundle.products)), np.diff(bundle.rule_start))
    places = np.flatnonzero(bundle.rule_complement)
    ids, names = bundle.products.astype(str), bundle.name.astype("S").tolist()
    said = [name.decode() or one for name, one in zip(names, ids.tolist(), strict=True)]
    return {
        (str(ids[first]), str(ids[second])): Rule(said[first], said[second], confidence, lift, baskets)
        for first, second, confidence, lift, baskets in zip(
            antecedent[places].tolist(),
            bundle.rule_consequent[places].tolist(),
            bundle.rule_confidence[places].tolist(),
            bundle.rule_lift[places].tolist(),
            bundle.rule_count[places].tolist(),
            strict=True,
        )
    }


def _each_once(found: dict[Pair, Rule]) -> dict[frozenset[str], Rule]:
    """Of the two rules of a pair of products the surer."""
    ordered = sorted(found.items(), key=lambda one: one[1].confidence)
    return {frozenset(pair): rule for pair, rule in ordered}


def _most(rules: Iterable[Rule]) -> list[Rule]:
    """The rules that were seen the most often."""
    return sorted(rules, key=lambda rule: (-rule.baskets, -rule.lift))[:MOST]


def _moved(found: dict[Pair, Rule], then: dict[Pair, Rule]) -> list[Rule]:
    """The rules whose confidence changed the most, by at least a hundredth."""
    both = [
        Rule(now.first, now.second, now.confidence, now.lift, now.baskets, then[pair].confidence)
        for pair, now in found.items()
        if pair in then and abs(now.confidence - then[pair].confidence) >= 0.01
    ]
    return sorted(both, key=lambda rule: -abs(rule.confidence - (rule.before or 0)))[:MOST]


def _sentence(found: dict[Pair, Rule], then: dict[Pair, Rule], against: str) -> str:
    if not found:
        return "No two products were found to go together."
    best = max(found.values(), key=lambda rule: (rule.lift, rule.baskets))
    told = f"{many(len(found), 'rule')} tell what goes with a product beyond what the same customers like"
    told += f"; the strongest joins {best.first} and {best.second}"
    if not against:
        return f"{told}, and no version served before to compare them with."
    if not then:
        return f"{told}; version {against}, which served before, tells of none."
    new, gone = len(found.keys() - then.keys()), len(then.keys() - found.keys())
    return f"{told}; {new:,} are new and {gone:,} are gone since version {against}."
