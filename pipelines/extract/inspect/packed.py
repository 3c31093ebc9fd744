"""Cells that hold all lines of an order, as name:Tea|sku:P1|quantity:2;name:Cup|sku:P2|quantity:1."""

import json
from collections import Counter

import pandas as pd

from pipelines.extract.inspect.values import with_none
from pipelines.extract.inspect.words import name_score
from pipelines.extract.mapping_tables import Packed

ITEMS = (";", "\n", " || ", ", ", " / ", ",")
FIELDS = ("|", ",", ";", "\t")
VALUES = (":", "=")
SAMPLE = 200  # cells of a column
ENOUGH = 0.9


def recognise_packed(frame: "pd.DataFrame") -> Packed | None:
    """Returns how the lines are packed into a column, or None if there is no such column."""
    for name in frame.columns:
        filled = frame[name].dropna()
        cells = filled[filled.str.contains("[:=]")].head(SAMPLE).tolist()
        if len(cells) < len(frame) * 0.5 and len(cells) < SAMPLE:
            continue
        for items in ITEMS:
            for fields in FIELDS:
                for value in VALUES:
                    packed = Packed(column=str(name), items=items, fields=fields, value=value)
                    if items.strip() != fields.strip() and _fits(cells, packed):
                        return packed
    return None


def expand(frame: "pd.DataFrame", packed: Packed) -> "pd.DataFrame":
    """Returns a row for each item, with the columns <column>.<field>; rows keep the index of their order."""
    rows, owners = [], []
    for owner, cell in frame[packed.column].items():
        for item in _items(cell or "", packed) or [{}]:
            rows.append({f"{packed.column}.{name}": text for name, text in item.items()})
            owners.append(owner)
    lines = pd.DataFrame(rows, index=owners, dtype=object)
    return frame.drop(columns=packed.column).join(with_none(lines))


def _fits(cells: list[str], packed: Packed) -> bool:
    """Returns whether nearly all cells are items of fields that are named alike, a product among them."""
    named = [frozenset(item) for cell in cells for item in _items(cell, packed)]
    if not named:
        return False
    counts = Counter(name for names in named for name in names)
    usual = [name for name, count in counts.items() if count >= ENOUGH * len(named)]
    others = sum(count for name, count in counts.items() if name not in usual)
    whole = sum(len(_items(cell, packed)) > 0 for cell in cells)
    has_product = any(max(name_score(name, kind) for kind in ("product", "name")) >= 0.6 for name in usual)
    return len(usual) >= 2 and has_product and whole >= ENOUGH * len(cells) and others <= len(named)


def _items(cell: str, packed: Packed) -> list[dict[str, str]]:
    if cell.lstrip().startswith("[{"):
        return _json_items(cell)
    items = []
    for text in cell.split(packed.items):
        pairs = [part.partition(packed.value) for part in text.split(packed.fields) if part.strip()]
        fields = {name.strip(): value.strip() for name, sign, value in pairs if sign and name.strip()}
        if fields:
            items.append(fields)
    return items


def _json_items(cell: str) -> list[dict[str, str]]:
    try:
        items = json.loads(cell)
    except ValueError:
        return []
    return [
        {str(name): str(value) for name, value in item.items()} for item in items if isinstance(item, dict)
    ]
