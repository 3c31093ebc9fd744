"""The identity rules under which a source's customers got pseudonyms, and all pseudonyms of one id.

The lake keeps the rules of each source, oldest first, because the store, earlier tables and a champion may
still hold pseudonyms made under an earlier rule.
"""

import datetime as dt
import re
from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

from pipelines.lake import tables
from pipelines.settings import customer_key
from serving.live.identity import (
    AUTO,
    PREFIXED_PSEUDONYM,
    RULE_VERSION,
    IdentityRule,
    Pseudonymiser,
    keyed_hash,
)

EVENTS = "events"  # the source of what the service received; it alone has pseudonyms in raw/
Pseudonyms = Callable[[str], set[str]]  # all pseudonyms of an id in a raw row

SCHEMA = pa.schema([("version", pa.int64()), ("rule", pa.string()), ("since", pa.timestamp("us", "UTC"))])
FIRST_VERSION = 1  # of releases 0.1 and 0.2
FIRST_PHONE = re.compile(r"\+?[\d\s().\-]+")
FIRST_PHONE_DIGITS = range(10, 16)


class UsedRule(NamedTuple):
    """A rule that a source uses or used, the version of its canonical forms, and when its use began."""

    version: int
    rule: IdentityRule
    since: dt.datetime

    def pseudonym(self, customer: str) -> str | None:
        """Returns the pseudonym of a shop's own id under this rule, None for an anonymous visitor."""
        if self.version == FIRST_VERSION:
            spelling = first_spelling(customer)
            return keyed_hash(spelling, customer_key()) if spelling else None
        return Pseudonymiser(customer_key(), self.rule).of_id(customer)


def used(source: str) -> list[UsedRule]:
    """Returns the rules of a source, oldest first; a source of an earlier release has that release's rule."""
    table = tables.IDENTITY.format(source=source)
    if not tables.exists(table):
        epoch = dt.datetime.fromtimestamp(0, dt.UTC)
        return [UsedRule(FIRST_VERSION, AUTO, epoch), UsedRule(RULE_VERSION, AUTO, epoch)]
    rows = tables.read(table).to_pylist()
    return [
        UsedRule(row["version"], IdentityRule.model_validate_json(row["rule"]), row["since"]) for row in rows
    ]


def record(source: str, rule: IdentityRule, has_data: bool) -> bool:
    """Records the rule that a source uses from now on; returns whether its customers had another one before.

    has_data: whether raw/ holds orders of the source.
    """
    before = _before(source, rule, has_data)
    if before and (before[-1].version, before[-1].rule) == (RULE_VERSION, rule):
        return False
    rules = [*before, UsedRule(RULE_VERSION, rule, dt.datetime.now(dt.UTC))]
    rows = [
        {"version": item.version, "rule": item.rule.model_dump_json(), "since": item.since} for item in rules
    ]
    if before:
        tables.remove(tables.CUSTOMERS.format(source=source))  # no later run could recognise these pseudonyms
    tables.write(tables.IDENTITY.format(source=source), pa.Table.from_pylist(rows, SCHEMA))
    return bool(before)


def _before(source: str, rule: IdentityRule, has_data: bool) -> list[UsedRule]:
    """Returns the rules under which customers of a source have pseudonyms until now."""
    rules = used(source)
    if tables.exists(tables.IDENTITY.format(source=source)):
        return rules
    if has_data:
        return rules[:1]
    # The service accepts events before the first model, under the default rule.
    return [] if rule == AUTO else rules[1:]


def pseudonyms_of(source: str) -> Pseudonyms:
    """Returns the function that returns all pseudonyms of an id in a source's raw rows, under each rule."""
    if source == EVENTS:
        return lambda customer: set(PREFIXED_PSEUDONYM.findall(customer))
    rules = used(source)
    return lambda customer: {pseudonym for rule in rules if (pseudonym := rule.pseudonym(customer))}


def sources() -> list[str]:
    """Returns the sources of which rules are recorded."""
    folder = tables.IDENTITY.partition("/source=")[0]
    return [name.removeprefix("source=") for name in tables.entries(folder)]


def first_spelling(customer: str) -> str:
    """Returns the canonical form of releases 0.1 and 0.2.

    Only the digits of what is written like a telephone number, any other text trimmed.

    >>> first_spelling("+7(916)539-6205"), first_spelling(" Anna@Shop.Example ")
    ('79165396205', 'Anna@Shop.Example')
    """
    text = customer.strip()
    digits = re.sub(r"\D", "", text)
    return digits if FIRST_PHONE.fullmatch(text) and len(digits) in FIRST_PHONE_DIGITS else text
