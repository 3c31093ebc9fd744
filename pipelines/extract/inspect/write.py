"""Writes a draft as the TOML file of a mapping, with a comment beside what was guessed."""

from typing import Any

import tomlkit
from tomlkit.items import AoT, InlineTable, Table

from pipelines import columns as c
from pipelines.extract.inspect.draft import Draft, Json
from pipelines.extract.inspect.shapes import shipped_text

KEYS = ("extends", "timezone", "times", "decimal", "row_key", "guests", "free_lines", "not_products")
TABLES = ("file", "columns", "identity", "packed", "nested", "events", "currency")
COLUMNS = (
    *(c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE, c.AMOUNT),
    *(c.NAME, c.CATEGORY, c.BRAND, c.GROUP, c.CHANGED_AT),
)
WIDTH = 110  # of a comment


def to_toml(draft: Draft, source: str) -> str:
    """Returns the mapping as TOML.

    source: names the file or folder in the first line.
    """
    if draft.shape:
        return f"# {source}: the shipped mapping {draft.shape}.\n{shipped_text(draft.shape)}"
    document = tomlkit.document()
    _comment(document, f"Guessed by `nightshelf inspect` from {source}: read it before you use it.")
    for item in draft.undecided:
        _comment(document, f"Undecided: {item}.")
    for name in KEYS:
        if name in draft.content:
            _put(document, draft, name, name, draft.content[name])
    for table in TABLES:
        if table in draft.content:
            document[table] = _table(draft, table)
    if joins := draft.content.get("join"):
        document["join"] = _joins(joins)
    if rules := draft.content.get("leave_out"):
        document["leave_out"] = _rules(draft, rules)
    return tomlkit.dumps(document)


def _table(draft: Draft, name: str) -> Table:
    table = tomlkit.table()
    if note := draft.notes.get(name):
        table.comment(note)
    content = draft.content[name]
    names = [*(key for key in COLUMNS if key in content), *(key for key in content if key not in COLUMNS)]
    for key in names:
        _put(table, draft, f"{name}.{key}", key, content[key])
    return table


def _joins(joins: Json) -> Table:
    tables = tomlkit.table(is_super_table=True)
    for name, join in joins.items():
        tables[name] = tomlkit.item(join)
    return tables


def _rules(draft: Draft, rules: list[Json]) -> AoT:
    array = tomlkit.aot()
    for index, rule in enumerate(rules):
        table = tomlkit.table()
        if note := draft.notes.get(f"leave_out.{index}"):
            table.comment(note)
        for key, value in rule.items():
            table[key] = value
        array.append(table)
    return array


def _put(table: Any, draft: Draft, path: str, key: str, value: Any) -> None:
    item = tomlkit.item(_inline(value) if isinstance(value, dict) else value)
    if note := draft.notes.get(path):
        item.comment(note)
    table[key] = item


def _inline(value: Json) -> InlineTable:
    inline = tomlkit.inline_table()
    inline.update(value)
    return inline


def _comment(document: Any, text: str) -> None:
    """Adds a comment, broken into lines."""
    line = ""
    for word in text.split():
        if len(line) + len(word) > WIDTH:
            document.add(tomlkit.comment(line.strip()))
            line = " "
        line += f" {word}"
    document.add(tomlkit.comment(line.strip()))
