"""The header of a table: finding it, and the position of each column that a mapping names."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.extract.mapping import Mapping
from serving.errors import NightshelfError

SEARCHED_ROWS = 200  # the first rows, among which the header is searched
NEAREST = 3
LIKE_DATA = re.compile(r"@|\d{3}|^[\s\d.,:/+-]*$")  # what cells of data hold, and names of columns don't
MARK = "\ufeff"

Positions = dict[str, int]  # of the source's columns that exist


@dataclass(frozen=True)
class Header:
    """A row that holds all required columns: its index, its cells, and the positions of the columns."""

    row: int
    cells: Sequence[str]
    positions: Positions


def normal(name: str) -> str:
    """Returns a column's name without case, byte order mark, quotes, and spaces that make no difference.

    >>> normal("\\ufeff Order\\xa0ID ") == normal("order id")
    True
    """
    return " ".join(name.replace(MARK, "").replace("\xa0", " ").strip(" \t'\"").split()).casefold()


def find(rows: Iterable[Sequence[str]], mapping: Mapping) -> Header | None:
    """Returns the first row that names all columns, or the row at header_row; None if it doesn't."""
    for index, cells in enumerate(rows):
        if mapping.file.header_row not in (None, index + 1):
            continue
        positions = _positions(cells, mapping)
        if not _missing(positions, mapping):
            return Header(index, cells, positions)
    return None


def check(header: Sequence[str], mapping: Mapping, name: str) -> Positions:
    """Returns the positions of the mapping's columns in a header.

    Raises NightshelfError if a column is missing, with the nearest names, or occurs more than once.
    """
    positions = _positions(header, mapping)
    if missing := _missing(positions, mapping):
        raise missing_column(missing[0], header, name)
    for column in positions:
        if len(_indices(header, column)) > 1:
            raise NightshelfError(
                f"{name} has more than one column {column!r}: rename all but one in the file"
            )
    return positions


def missing_column(column: str, header: Sequence[str], name: str) -> NightshelfError:
    """Returns the error for a missing column; it quotes a header's nearest names, but never a row of data."""
    message = f"{name} has no column {column!r}"
    if is_header(header):
        names = list(dict.fromkeys(_clean(cell) for cell in header if cell.strip()))
        by_normal = {normal(cell): cell for cell in names}
        close = difflib.get_close_matches(normal(column), list(by_normal), NEAREST, 0.4)
        nearest = [by_normal[cell] for cell in close] or names[:12]
        message += f"; the nearest of its columns: {', '.join(map(repr, nearest))}"
    return NightshelfError(f"{message}: correct the file's header or the mapping's columns")


def is_header(cells: Sequence[str]) -> bool:
    """Returns whether a row looks like the names of columns; any doubt means no, to quote no data."""
    filled = [cell for cell in cells if cell.strip()]
    return len(filled) >= 3 and len(set(filled)) == len(filled) and not any(map(LIKE_DATA.search, filled))


def matched(cells: Sequence[str], mapping: Mapping) -> int:
    """Returns how many of the mapping's columns a row names."""
    return len(_positions(cells, mapping))


def _positions(cells: Sequence[str], mapping: Mapping) -> Positions:
    indices = {column: _indices(cells, column) for column in mapping.file_columns}
    return {column: same[0] for column, same in indices.items() if same}


def _indices(cells: Sequence[str], column: str) -> list[int]:
    """Returns the indices of a column: those of the exact name, or else of names that are similar."""
    exact = [index for index, cell in enumerate(cells) if _clean(cell) == column]
    return exact or [index for index, cell in enumerate(cells) if normal(cell) == normal(column)]


def _missing(positions: Positions, mapping: Mapping) -> list[str]:
    """Returns the first name of each group of alternatives of which the header has none."""
    return [names[0] for names in mapping.required_columns if not positions.keys() & set(names)]


def _clean(cell: str) -> str:
    return cell.replace(MARK, "").strip()
