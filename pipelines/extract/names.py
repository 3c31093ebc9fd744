"""Finds the columns that a mapping names among those that a source has."""

from collections.abc import Sequence
from difflib import get_close_matches

from serving.errors import NightshelfError

MOST_QUOTED = 30  # columns in a message


def resolve(named: Sequence[str], present: Sequence[str], where: str) -> dict[str, str]:
    """Returns the source's own name of each column that a mapping names.

    Case and surrounding spaces don't matter where the name is unique without them.
    Raises NightshelfError that quotes the nearest names for the columns that `where` lacks.
    """
    matches = {name: _match(name, present) for name in dict.fromkeys(named)}
    if missing := [name for name, match in matches.items() if match is None]:
        raise NightshelfError(
            f"{where}, has no column {', '.join(map(repr, missing))}, which the mapping names"
            f" ({_nearest(missing, present)}): correct [columns] of the mapping"
        )
    return {name: match for name, match in matches.items() if match is not None}


def _match(name: str, present: Sequence[str]) -> str | None:
    if name in present:
        return name
    alike = [other for other in present if _plain(other) == _plain(name)]
    return alike[0] if len(alike) == 1 else None


def _nearest(missing: Sequence[str], present: Sequence[str]) -> str:
    """Returns the present names that resemble the missing ones, or else the first of all names."""
    plain = {_plain(other): other for other in present}
    close = {name: get_close_matches(_plain(name), plain, n=3) for name in missing}
    if any(close.values()):
        alike = (
            f"{name!r}: {', '.join(repr(plain[text]) for text in texts)}"
            for name, texts in close.items()
            if texts
        )
        return f"nearest to {'; to '.join(alike)}"
    more = ", ..." if len(present) > MOST_QUOTED else ""
    return f"its columns are {', '.join(map(repr, present[:MOST_QUOTED]))}{more}"


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
