"""The shop's own rules: what is pinned, boosted, buried or excluded in answers, as data and by date.

They change answers alone: what is learned and what is measured knows nothing of them.
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

DAYS_KEPT = 8  # days that are kept worked out: today, and those that are looked ahead to

Act = Literal["pin", "boost", "bury", "exclude"]

log = logging.getLogger(__name__)


class MerchandisingRule(FrozenModel):
    """One rule: what it does, to which products, and when; both days count, in UTC."""

    name: str = Field(min_length=1)
    act: Act
    products: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    factor: float = Field(2.0, gt=0, allow_inf_nan=False)  # of a boost
    first: dt.date | None = Field(None, alias="from")
    last: dt.date | None = Field(None, alias="until")

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if not (self.products or self.categories or self.brands):
            raise ValueError("names no products, categories or brands")
        if self.act != "boost" and "factor" in self.model_fields_set:
            raise ValueError("only a boost has a factor")
        if self.first and self.last and self.first > self.last:
            raise ValueError("from is after until")
        return self

    def in_force(self, day: dt.date) -> bool:
        """Whether the rule counts on a day."""
        return (self.first or day) <= day <= (self.last or day)

    def of(self, bundle: Bundle) -> Array:
        """True for the products that the rule is about, (P,) bool; what the bundle lacks is passed over."""
        mask = np.zeros(len(bundle.products), bool)
        mask[[row for one in self.products if (row := bundle.product(one)) is not None]] = True
        for filed, names in ((bundle.categories, self.categories), (bundle.brands, self.brands)):
            for name in names:
                mask |= filed.under(name)
        return mask


class MerchandisingRules(FrozenModel):
    """All of the file; of rules about the same product the first that pins, buries or boosts it counts."""

    rule: tuple[MerchandisingRule, ...] = ()


@dataclass(frozen=True)
class Placement:
    """What the rules in force do to P products."""

    excluded: Array  # (P,) bool
    pinned: Array  # (P,) bool
    buried: Array  # (P,) bool
    rules: tuple[MerchandisingRule, ...]
    by: Array  # (P,) int16, the rule that moves a product, its place among the rules, or -1

    @classmethod
    def of(cls, rules: MerchandisingRules, bundle: Bundle, day: dt.date) -> "Placing":
        """What the rules of a day do to the products of a bundle."""
        size, now = len(bundle.products), tuple(rule for rule in rules.rule if rule.in_force(day))
        excluded, by = np.zeros(size, bool), np.full(size, -1, np.int16)
        for place, rule in enumerate(now):
            about = rule.of(bundle)
            if rule.act == "exclude":
                excluded |= about
            else:
                by[about & (by == -1)] = place
        acts = np.array([rule.act for rule in now] + [""])[by]
        return cls(excluded, acts == "pin", acts == "bury", now, by)

    def place(self, ranking: Ranking, n: int, allowed: Array) -> list[Item]:
        """At most n items: the pinned ones, the others, and where these are too few the buried ones.

        A boosted product has its gain, 1 / log2(rank + 1) over the best POOL, multiplied by the factor: a
        score may be below zero, a rank may not. Each keeps its score and its reason.
        """
        allowed = allowed & ~self.excluded
        if all(rule.act == "exclude" for rule in self.rules):
            return ranking(n, allowed)
        found: list[Item] = []
        for place, rule in enumerate(self.rules):
            if rule.act == "pin":
                found += self._some(ranking, n - len(found), allowed & (self.by == place))
        rest = allowed & ~self.pinned & ~self.buried
        if n > len(found):
            found += self._boosted(ranking, n - len(found), rest)
        found += self._some(ranking, n - len(found), allowed & self.buried)
        return [self._told(item) for item in found]

    def _some(self, ranking: Ranking, n: int, allowed: Array) -> list[Item]:
        return ranking(n, allowed) if n and allowed.any() else []

    def _boosted(self, ranking: Ranking, n: int, allowed: Array) -> list[Item]:
        if all(rule.act != "boost" for rule in self.rules):
            return ranking(n, allowed)
        items = ranking(max(n, POOL), allowed)
        moved = [self._rule(item) for item in items]
        factor = np.array([rule.factor if rule else 1.0 for rule in moved])
        order = np.argsort(-factor / np.log2(np.arange(len(items)) + 2), kind="stable")
        return [items[place] for place in order[:n].tolist()]

    def _rule(self, item: Item) -> MerchandisingRule | None:
        place = int(self.by[item.product])
        return None if place < 0 else self.rules[place]

    def _told(self, item: Item) -> Item:
        rule = self._rule(item)
        return item if rule is None else replace(item, moved_by=rule.name)


@dataclass
class Merchandising:
    """The rules of a file, read again whenever it changes; a file that can't be used changes nothing."""

    file: Path | None = None
    rules: MerchandisingRules = field(default_factory=MerchandisingRules)
    error: str | None = None  # why the file as it is now isn't what counts
    _seen: tuple[int, int] | None = None
    _products: Array | None = None
    _placings: dict[dt.date, Placement] = field(default_factory=dict)  # of the bundle with these products

    def placing(self, bundle: Bundle, day: dt.date | None = None) -> Placement:
        """What the rules of a day, today where None, do to the products of a bundle."""
        self.look()
        day = day or dt.datetime.now(dt.UTC).date()
        if bundle.products is not self._products or len(self._placings) > DAYS_KEPT:
            self._products, self._placings = bundle.products, {}
        if day not in self._placings:
            self._placings[day] = Placement.of(self.rules, bundle, day)
        return self._placings[day]

    def told(self, bundle: Bundle) -> dict[str, Any]:
        """The rules in force today, with how many products each is about, and why the file can't be used."""
        in_force = [
            {"name": rule.name, "act": rule.act, "products": int(rule.of(bundle).sum())}
            for rule in self.placing(bundle).rules
        ]
        return {"in_force": in_force, "error": self.error}

    def look(self) -> None:
        """Reads the file again if it isn't what was read last."""
        if self.file is None or (seen := _stamp(self.file)) == self._seen:
            return
        self._seen = seen
        try:
            self.rules = toml.read(MerchandisingRules, self.file, f"NIGHTSHELF_SHOP_RULES ({self.file.name})")
            self.error = None
            self._placings.clear()
            log.info("%d rules of the shop are read", len(self.rules.rule))
        except NightshelfError as error:
            self.error = str(error)
            log.warning("%s; the rules read before go on", self.error)


def _stamp(file: Path) -> tuple[int, int]:
    """What changes with a file; zeros where there is none."""
    try:
        found = file.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
