"""Preview of merchandising rules: which products they match and what they change in a list."""

import datetime as dt
from functools import partial
from pathlib import Path

from rich.console import Group
from rich.table import Column, Table

from pipelines.settings import customer_key, settings
from serving import toml
from serving.bundle.format import Bundle
from serving.errors import NightshelfError
from serving.live.identity import Pseudonymiser, rule_of
from serving.live.merchandising import MerchandisingRules, Placement
from serving.live.registry import load_champion
from serving.recommend.recommender import NO_VARIETY, Item, Ranking, rankings, trending


def preview(file: Path | None, day: dt.date | None, customer: str | None, n: int) -> Group:
    """Returns the rules with the number of products that each matches, and a list without and with them.

    file: None means the file of NIGHTSHELF_SHOP_RULES. day: the day whose rules apply, None means today.
    customer: the shop's own id; None means the overall trend. Raises NightshelfError if there is no file or
    it can't be used.
    """
    rules, day = _read(file), day or dt.datetime.now(dt.UTC).date()
    bundle = load_champion(settings())[1]
    ranking = _ranking(bundle, customer)
    after = Placement.of(rules, bundle, day).apply(ranking, n, bundle.in_stock)
    return Group(_rules(rules, bundle, day), _lists(bundle, day, ranking(n, bundle.in_stock), after))


def _read(file: Path | None) -> MerchandisingRules:
    configured = settings().shop_rules
    if file is None and not configured:
        raise NightshelfError("there are no rules: pass a file, or name it in NIGHTSHELF_SHOP_RULES")
    file = file or Path(configured)
    return toml.read(MerchandisingRules, file, f"the rules in {file.name}")


def _ranking(bundle: Bundle, customer: str | None) -> Ranking:
    if customer is None:
        return partial(trending, bundle)
    pseudonym = Pseudonymiser(customer_key(), rule_of(bundle.manifest)).of_request(customer)
    row = None if pseudonym is None else bundle.customer(pseudonym)
    return rankings(bundle, [row], "for-you", NO_VARIETY)[0]


def _rules(rules: MerchandisingRules, bundle: Bundle, day: dt.date) -> Table:
    table = Table("rule", "act", "from", "until", f"in force on {day}", Column("products", justify="right"))
    for rule in rules.rule:
        days = (str(day or "") for day in (rule.first, rule.last))
        in_force = "yes" if rule.in_force(day) else "no"
        table.add_row(rule.name, rule.act, *days, in_force, f"{rule.mask(bundle).sum():,}")
    return table


def _lists(bundle: Bundle, day: dt.date, before: list[Item], after: list[Item]) -> Table:
    table = Table(Column("", justify="right"), "without the rules", f"with those of {day}", "moved by")
    for rank in range(max(len(before), len(after))):
        name_before, name_after = (_name(bundle, items, rank) for items in (before, after))
        rule = after[rank].moved_by if rank < len(after) else None
        table.add_row(str(rank + 1), name_before, name_after, rule or "")
    return table


def _name(bundle: Bundle, items: list[Item], rank: int) -> str:
    if rank >= len(items):
        return ""
    row = items[rank].product
    name: bytes = bundle.name[row] or bundle.products[row]
    return name.decode()
