"""Recognises the row with the names of the columns."""

import re
from collections.abc import Sequence

from pipelines.extract.inspect.words import name_score, words

SEARCHED_ROWS = 60
LIKE_DATA = re.compile(r"@|^\W*\d[\d.,:/\sT+-]*$|\d{4,}")


def find_header(rows: Sequence[Sequence[str]]) -> int | None:
    """Returns the index of the row that names the columns; None if every row looks like data.

    It is the row with the most names that words.toml knows; without any, the first row of text alone that
    has the usual number of columns.
    """
    searched = rows[:SEARCHED_ROWS]
    widths = [len(cells) for cells in rows]
    usual = max(set(widths), key=widths.count, default=0)
    known = {index: _known(cells) for index, cells in enumerate(searched) if len(cells) == usual}
    best = max(known, key=lambda index: known[index], default=None)
    if best is not None and known[best] >= 2:
        return best
    return next((index for index in known if _is_text(searched[index])), None)


def unique(cells: Sequence[str]) -> list[str]:
    """Returns names of columns without surrounding spaces; an empty or repeated one gets a number."""
    names: list[str] = []
    for index, cell in enumerate(cells):
        name = " ".join(cell.replace("\ufeff", "").replace("\xa0", " ").split())
        names.append(name if name and name not in names else f"{name or 'column'} #{index + 1}")
    return names


def _known(cells: Sequence[str]) -> int:
    """Returns how many cells are names that words.toml knows; 0 if a cell can't be a name."""
    if any(LIKE_DATA.search(cell.strip()) for cell in cells if cell.strip()):
        return 0
    kinds = words().columns
    return sum(max(name_score(cell, kind) for kind in kinds) >= 0.5 for cell in cells if cell.strip())


def _is_text(cells: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in cells if cell.strip()]
    distinct = len(set(filled)) == len(filled)
    return len(filled) > 1 and distinct and not any(LIKE_DATA.search(cell) for cell in filled)
