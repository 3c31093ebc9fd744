"""Order lines that are packed into one cell of their order's row."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from pipelines.extract.mapping_tables import Packed
from pipelines.extract.records import ROW, ROW_FAULT, plain_text, value_at

FIELD_NAME = r"\s*[^\W\d][\w .-]*"
Item = dict[str, str | None]  # a value by its field's name, in lower case


def unpacked(tables: Iterable[pa.Table], packed: Packed, columns: list[str]) -> Iterator[pa.Table]:
    """Yields a row per item of the packed cells, with new numbers; an order without items keeps one row."""
    prefix = f"{packed.column}."
    fields = [name.removeprefix(prefix) for name in columns if name.startswith(prefix)]
    number = 0
    for rows in tables:
        cells = [items(cell, packed, fields) or [{}] for cell in rows[packed.column].to_pylist()]
        parents = [index for index, cell in enumerate(cells) for _ in cell]
        lines = rows.take(pa.array(parents, pa.int64()))
        for name in fields:
            values = [item.get(name.casefold()) for cell in cells for item in cell]
            lines = lines.append_column(prefix + name, pa.array(values, pa.string()))
        if ROW_FAULT not in rows.column_names:
            numbers = pa.array(range(number, number + lines.num_rows), pa.int64())
            lines = lines.set_column(lines.column_names.index(ROW), ROW, numbers)
            number += lines.num_rows
        yield lines


def items(cell: str | None, packed: Packed, fields: list[str]) -> list[Item]:
    """Returns the items of a cell: its JSON, or texts between the mapping's separators.

    >>> items("name:Tea; green|sku:P1;name:Cup|sku:P2", Packed(column="items"), ["sku"])
    [{'name': 'Tea; green', 'sku': 'P1'}, {'name': 'Cup', 'sku': 'P2'}]
    >>> items("P1 x 2, P2 x 1", Packed(column="items", items=",", fields=" x ", value=""), ["1", "2"])
    [{'1': 'P1', '2': '2'}, {'1': 'P2', '2': '1'}]
    """
    text = (cell or "").strip()
    if text[:1] in ("[", "{"):
        return _from_json(text, fields)
    if not packed.value:
        pieces = [piece.split(packed.fields) for piece in text.split(packed.items) if piece.strip()]
        return [{str(index): value.strip() for index, value in enumerate(piece, 1)} for piece in pieces]
    # Every item begins with the same field. So a separator within a name doesn't end the item.
    first = re.escape(text.partition(packed.value)[0].strip())
    value = re.escape(packed.value)
    starts = re.split(rf"{re.escape(packed.items)}(?=\s*{first}\s*{value})", text)
    pieces = [re.split(rf"{re.escape(packed.fields)}(?={FIELD_NAME}{value})", piece) for piece in starts]
    return [dict(_field(text, packed) for text in piece) for piece in pieces if any(map(str.strip, piece))]


def _field(text: str, packed: Packed) -> tuple[str, str]:
    name, _, value = text.partition(packed.value)
    return name.strip().casefold(), value.strip().removesuffix(packed.items)


def _from_json(text: str, fields: list[str]) -> list[Item]:
    """Returns the items of a list of objects; none if the text is no such list, which a row check reports."""
    try:
        parsed: Any = json.loads(text)
        records = parsed if isinstance(parsed, list) else [parsed]
        return [
            {name.casefold(): plain_text(value_at(record, name)) for name in fields} for record in records
        ]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return []
