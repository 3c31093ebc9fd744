"""Mappings: TOML files, shipped or written by the user, that assign a source's columns to ours."""

from pathlib import Path

from pydantic import Field

from pipelines import columns as c
from pipelines.extract.source import Dialect
from serving import toml
from serving.errors import NightshelfError
from serving.toml import FrozenModel

MAPPINGS = Path(__file__).parent / "mappings"
REQUIRED = (c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE)
OPTIONAL = (c.NAME, c.CATEGORY, c.BRAND, c.WEIGHT, c.GROUP)


class Query(FrozenModel):
    """The query of source `sql`."""

    lines: str  # a SELECT of all order lines, one row per line
    changed: str  # the column with each order's last change: a time, or a number that only grows


class Mapping(Dialect):
    """A source's dialect, its column for each of ours, and the query if it is a database."""

    columns: dict[str, str] = Field(default_factory=dict)
    sql: Query | None = None


def load_mapping(name: str) -> Mapping:
    """Loads a shipped mapping by its name, or any mapping by the path of its TOML file.

    Raises NightshelfError if there is no such mapping or if it can't be used.
    """
    file = MAPPINGS / f"{name}.toml" if not name.endswith(".toml") else Path(name)
    if not file.exists():
        shipped = ", ".join(sorted(path.stem for path in MAPPINGS.glob("*.toml")))
        raise NightshelfError(
            f"there is no mapping {name!r}: give --mapping, or set NIGHTSHELF_FILES_MAPPING or"
            f" NIGHTSHELF_SQL_MAPPING, as the path of a TOML file or as a shipped mapping ({shipped})"
        )
    mapping = toml.read(Mapping, file, f"mapping {name!r}")
    _check_columns(mapping, name)
    return mapping


def _check_columns(mapping: Mapping, name: str) -> None:
    if missing := [column for column in REQUIRED if column not in mapping.columns]:
        raise NightshelfError(f"mapping {name!r} lacks {', '.join(missing)} under [columns]: add each")
    if unknown := mapping.columns.keys() - {*REQUIRED, *OPTIONAL}:
        raise NightshelfError(
            f"mapping {name!r} has unknown columns {', '.join(sorted(unknown))} under [columns]:"
            f" use only {', '.join((*REQUIRED, *OPTIONAL))}"
        )
    if unmapped := set(mapping.row_key) - mapping.columns.keys() - {c.LINE}:
        raise NightshelfError(
            f"row_key of mapping {name!r} names {', '.join(sorted(unmapped))}, which [columns] lacks: add it"
            " there, or remove it from row_key"
        )
