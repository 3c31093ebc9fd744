"""Mappings: TOML files, shipped or written by the user, that say how to read a source's orders."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from pipelines import columns as c
from pipelines.extract.mapping_tables import (
    FILE,
    FOLDER,
    Column,
    Currency,
    Documents,
    Events,
    FileFormat,
    Join,
    Joined,
    LeaveOut,
    Nested,
    OneColumn,
    Packed,
    Query,
    Refunds,
    Returns,
    alternatives,
)
from pipelines.extract.source import Dialect
from serving import toml
from serving.errors import NightshelfError

MAPPINGS = Path(__file__).parent / "mappings"
REQUIRED = (c.ORDER_ID, c.ORDERED_AT, c.PRODUCT)
OPTIONAL = (
    *(c.CUSTOMER, c.QUANTITY, c.UNIT_PRICE, c.AMOUNT, c.CHANGED_AT),
    *(c.NAME, c.CATEGORY, c.BRAND, c.WEIGHT, c.GROUP),
)


def _in_list(tables: object) -> object:
    """Returns a single table [refunds] as the list that [[refunds]] makes."""
    return [tables] if isinstance(tables, dict) else tables


class Mapping(Dialect):
    """How to read a source: its dialect, its column for each of ours, and what to leave out."""

    columns: dict[str, Column] = Field(default_factory=dict)
    leave_out: tuple[LeaveOut, ...] = ()
    file: FileFormat = FileFormat()
    nested: Nested | None = None
    refunds: Annotated[tuple[Refunds, ...], BeforeValidator(_in_list)] = ()
    minor_units: int = Field(0, ge=0, le=4)  # prices are whole numbers of 1/10^n: 2 for cents
    packed: Packed | None = None
    returns: Returns | None = None
    currency: Currency | None = None
    events: Events | None = None
    join: dict[str, Join] = Field(default_factory=dict)
    sql: Query | None = None
    mongo: Documents | None = None

    @property
    def has_prices(self) -> bool:
        """Whether the source states prices, of a piece or of a line."""
        return bool(self.columns.keys() & {c.UNIT_PRICE, c.AMOUNT})

    @property
    def split_orders(self) -> bool:
        """Whether the lines of one order may lie in several files."""
        return self.file.split_orders

    @property
    def full_dumps(self) -> Literal["no", "report", "remove"]:
        """What to do with orders that the newest file lacks, if each file holds all orders of the shop."""
        return self.file.full_dumps

    @property
    def source_columns(self) -> list[str]:
        """The columns of the source that the mapping names, in order.

        Left out are @folder and @file, and the columns of joined files.
        """
        return [name for name in self.all_columns if self.is_of_file(name)]

    @property
    def all_columns(self) -> list[str]:
        """All columns that the mapping names, in order."""
        names = [name for column in self.columns.values() for name in alternatives(column)]
        names += [rule.column for rule in self.leave_out]
        names += [part.column for part in (self.returns, self.currency, self.events) if part]
        names += [join.on for join in self.join.values()]
        return list(dict.fromkeys(names))

    @property
    def file_columns(self) -> list[str]:
        """The columns that files have: the source's, with the packed column in place of its fields."""
        return list(dict.fromkeys(map(self._file_column, self.source_columns)))

    @property
    def required_columns(self) -> list[tuple[str, ...]]:
        """The columns that a file must have; of alternatives one is enough."""
        parts: list[OneColumn] = []
        for column in self.columns.values():
            parts += column.join if isinstance(column, Joined) else [column]
        parts += [rule.column for rule in self.leave_out]
        parts += [part.column for part in (self.returns, self.currency, self.events) if part]
        parts += [join.on for join in self.join.values()]
        groups = [tuple(filter(self.is_of_file, alternatives(part))) for part in parts]
        whole = [group for part, group in zip(parts, groups, strict=True) if group == alternatives(part)]
        return [tuple(map(self._file_column, group)) for group in whole]

    def in_file(self, ours: str) -> list[str]:
        """Returns the columns of files that one of our columns is made of; none if it isn't mapped."""
        names = alternatives(self.columns[ours]) if ours in self.columns else ()
        return [self._file_column(name) for name in names if self.is_of_file(name)]

    def is_of_file(self, name: str) -> bool:
        """Returns whether a column is one of the files with lines: not @folder, @file or a joined file's."""
        return name not in (FOLDER, FILE) and name.partition(".")[0] not in self.join

    def _file_column(self, column: str) -> str:
        packed = self.packed.column if self.packed else None
        return packed if packed and column.startswith(f"{packed}.") else column

    def require_no_files(self, name: str) -> None:
        """Raises NightshelfError if the mapping names @folder or @file, which only files have."""
        if used := {FOLDER, FILE} & {
            name for column in self.columns.values() for name in alternatives(column)
        }:
            raise NightshelfError(
                f"mapping {name!r} names {', '.join(sorted(used))}, which only files have: remove it"
            )


def load_mapping(name: str) -> Mapping:
    """Loads a shipped mapping by its name, or any mapping by the path of its TOML file.

    Raises NightshelfError if there is no such mapping or if it can't be used.
    """
    file = MAPPINGS / f"{name}.toml" if not name.endswith(".toml") else Path(name)
    if not file.exists():
        shipped = ", ".join(sorted(path.stem for path in MAPPINGS.glob("*.toml")))
        raise NightshelfError(
            f"there is no mapping {name!r}: give --mapping, or set NIGHTSHELF_FILES_MAPPING,"
            f" NIGHTSHELF_SQL_MAPPING or NIGHTSHELF_MONGO_MAPPING, as the path of a TOML file or as a"
            f" shipped mapping ({shipped})"
        )
    mapping = toml.read(Mapping, file, f"mapping {name!r}")
    check_columns(mapping, f"mapping {name!r}")
    return mapping


def check_columns(mapping: Mapping, name: str) -> None:
    """Raises NightshelfError, which names the mapping by `name`, if a column is missing or unknown."""
    if missing := [column for column in REQUIRED if column not in mapping.columns]:
        raise NightshelfError(f"{name} lacks {', '.join(missing)} under [columns]: add each")
    if unknown := mapping.columns.keys() - {*REQUIRED, *OPTIONAL}:
        raise NightshelfError(
            f"{name} has unknown columns {', '.join(sorted(unknown))} under [columns]:"
            f" use only {', '.join((*REQUIRED, *OPTIONAL))}"
        )
    if {c.UNIT_PRICE, c.AMOUNT} <= mapping.columns.keys():
        raise NightshelfError(
            f"{name} names both unit_price and amount under [columns]: remove the one that the"
            " source computes from the other"
        )
    if unmapped := set(mapping.row_key) - mapping.columns.keys() - {c.LINE}:
        raise NightshelfError(
            f"row_key of {name} names {', '.join(sorted(unmapped))}, which [columns] lacks: add it"
            " there, or remove it from row_key"
        )
