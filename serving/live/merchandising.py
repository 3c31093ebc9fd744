"""Merchandising rules: products that the shop pins, boosts, buries or excludes, each for a range of days.

The rules change answers only; training and evaluation don't use them.
"""

import datetime as dt
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from serving import toml
from serving.bundle.format import Array, Bundle
from serving.errors import NightshelfError
from serving.recommend.recommender import Item, Ranking
from serving.recommend.rerank import POOL
from serving.toml import FrozenModel

CACHED_DAYS = 8  # days whose placement is kept: today, and days that are previewed

Act = Literal["pin", "boost", "bury", "exclude"]

log = logging.getLogger(__name__)


class MerchandisingRule(FrozenModel):
    """One rule: what it does, to which products, and when.

    The rule applies from the first day to the last day, both included, in UTC.
    """

    name: str = Field(min_length=1)
    act: Act
    products: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    factor: float = Field(2.0, gt=0, allow_inf_nan=False)  # of a boost
    first: dt.date | None = Field(None, alias="from")
    last: dt.date | None = Field(None, alias="until")

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if not (self.products or self.categories or self.brands):
            raise ValueError("names no products, categories or brands")
        if self.act != "boost" and "factor" in self.model_fields_set:
            raise ValueError("only a boost has a factor")
        if self.first and self.last and self.first > self.last:
            raise ValueError("from is after until")
        return self

    def in_force(self, day: dt.date) -> bool:
        """Returns whether the rule applies on a day."""
        return (self.first or day) <= day <= (self.last or day)

    def mask(self, bundle: Bundle) -> Array:
        """Returns which products the rule names, (P,) bool; products that the bundle lacks are ignored."""
        mask = np.zeros(len(bundle.products), bool)
        mask[[row for product in self.products if (row := bundle.product(product)) is not None]] = True
        for labels, names in ((bundle.categories, self.categories), (bundle.brands, self.brands)):
            for name in names:
                mask |= labels.mask(name)
        return mask


class MerchandisingRules(FrozenModel):
    """All rules of a file, in order.

    For each product only the first rule that pins, boosts or buries it applies; an exclusion always does.
    """

    rule: tuple[MerchandisingRule, ...] = ()


@dataclass(frozen=True)
class Placement:
    """The effect of the rules in force on P products."""

    excluded: Array  # (P,) bool
    pinned: Array  # (P,) bool
    buried: Array  # (P,) bool
    rules: tuple[MerchandisingRule, ...]
    rule_index: Array  # (P,) int16, index in `rules` of the rule that moves a product, or -1

    @classmethod
    def of(cls, rules: MerchandisingRules, bundle: Bundle, day: dt.date) -> "Placement":
        """Returns the effect of a day's rules on the products of a bundle."""
        size, in_force = len(bundle.products), tuple(rule for rule in rules.rule if rule.in_force(day))
        excluded, rule_index = np.zeros(size, bool), np.full(size, -1, np.int16)
        for index, rule in enumerate(in_force):
            mask = rule.mask(bundle)
            if rule.act == "exclude":
                excluded |= mask
            else:
                rule_index[mask & (rule_index == -1)] = index
        acts = np.array([rule.act for rule in in_force] + [""])[rule_index]
        return cls(excluded, acts == "pin", acts == "bury", in_force, rule_index)

    def apply(self, ranking: Ranking, n: int, allowed: Array) -> list[Item]:
        """Returns at most n items: pinned products first, then all others, buried products last.

        A boost multiplies the gain of a product's rank, 1 / log2(rank + 1), among the best POOL; it doesn't
        multiply the score, which may be below zero. Items keep their scores and reasons.
        allowed: (P,) bool, the products that may be returned.
        """
        allowed = allowed & ~self.excluded
        if all(rule.act == "exclude" for rule in self.rules):
            return ranking(n, allowed)
        items: list[Item] = []
        for index, rule in enumerate(self.rules):
            if rule.act == "pin":
                items += self._best(ranking, n - len(items), allowed & (self.rule_index == index))
        rest = allowed & ~self.pinned & ~self.buried
        if n > len(items):
            items += self._boosted(ranking, n - len(items), rest)
        items += self._best(ranking, n - len(items), allowed & self.buried)
        return [self._with_rule(item) for item in items]

    def _best(self, ranking: Ranking, n: int, allowed: Array) -> list[Item]:
        return ranking(n, allowed) if n and allowed.any() else []

    def _boosted(self, ranking: Ranking, n: int, allowed: Array) -> list[Item]:
        if all(rule.act != "boost" for rule in self.rules):
            return ranking(n, allowed)
        items = ranking(max(n, POOL), allowed)
        rules = [self._rule(item) for item in items]
        factor = np.array([rule.factor if rule else 1.0 for rule in rules])
        order = np.argsort(-factor / np.log2(np.arange(len(items)) + 2), kind="stable")
        return [items[index] for index in order[:n].tolist()]

    def _rule(self, item: Item) -> MerchandisingRule | None:
        index = int(self.rule_index[item.product])
        return None if index < 0 else self.rules[index]

    def _with_rule(self, item: Item) -> Item:
        rule = self._rule(item)
        return item if rule is None else replace(item, moved_by=rule.name)


@dataclass
class Merchandising:
    """The rules in a file, read again whenever the file changes.

    If the file can't be used, the rules that were read last stay in force.
    """

    file: Path | None = None
    rules: MerchandisingRules = field(default_factory=MerchandisingRules)
    error: str | None = None  # why the file's present content is not in force
    _stamp: tuple[int, int] | None = None
    _products: Array | None = None
    _placements: dict[dt.date, Placement] = field(default_factory=dict)  # for a bundle with `_products`

    def placement(self, bundle: Bundle, day: dt.date | None = None) -> Placement:
        """Returns the effect of a day's rules on the products of a bundle; day: None for today (UTC)."""
        self.reload()
        day = day or dt.datetime.now(dt.UTC).date()
        if bundle.products is not self._products or len(self._placements) > CACHED_DAYS:
            self._products, self._placements = bundle.products, {}
        if day not in self._placements:
            self._placements[day] = Placement.of(self.rules, bundle, day)
        return self._placements[day]

    def summary(self, bundle: Bundle) -> dict[str, Any]:
        """Returns today's rules with the number of products of each, and the file's error, if any."""
        in_force = [
            {"name": rule.name, "act": rule.act, "products": int(rule.mask(bundle).sum())}
            for rule in self.placement(bundle).rules
        ]
        return {"in_force": in_force, "error": self.error}

    def reload(self) -> None:
        """Reads the file again if it has changed."""
        if self.file is None or (stamp := _file_stamp(self.file)) == self._stamp:
            return
        self._stamp = stamp
        try:
            self.rules = toml.read(MerchandisingRules, self.file, f"NIGHTSHELF_SHOP_RULES ({self.file.name})")
            self.error = None
            self._placements.clear()
            log.info("read %d merchandising rules", len(self.rules.rule))
        except NightshelfError as error:
            self.error = str(error)
            log.warning("%s; the merchandising rules read before stay in force", self.error)


def _file_stamp(file: Path) -> tuple[int, int]:
    """Returns the time of the last change and the size of a file; zeros if there is no file."""
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size
