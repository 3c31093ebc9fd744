"""What the columns of a file or of a query mean: a TOML file, shipped or a user's own."""

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
    """What source `sql` asks its database."""

    lines: str  # a SELECT of all order lines, one row each
    changed: str  # its column that tells when an order was last written: a time, or a number that only grows


class Mapping(Dialect):
    """A source's dialect, and which of its columns is which of ours."""

    columns: dict[str, str] = Field(default_factory=dict)
    sql: Query | None = None


def load_mapping(name: str) -> Mapping:
    """The mapping of a shipped name or of a TOML file; raises NightshelfError naming what is wrong."""
    file = MAPPINGS / f"{name}.toml" if not name.endswith(".toml") else Path(name)
    if not file.exists():
        shipped = ", ".join(sorted(path.stem for path in MAPPINGS.glob("*.toml")))
        raise NightshelfError(
            f"there is no mapping {name!r}: name a TOML file, or one of those shipped: {shipped}"
        )
    found = toml.read(Mapping, file, f"mapping {name!r}")
    if missing := [column for column in REQUIRED if column not in found.columns]:
        raise NightshelfError(f"mapping {name!r} lacks {', '.join(missing)} under [columns]")
    if unknown := found.columns.keys() - {*REQUIRED, *OPTIONAL}:
        raise NightshelfError(f"mapping {name!r} has no use for {', '.join(sorted(unknown))} under [columns]")
    if unknown := set(found.row_key) - found.columns.keys() - {c.LINE}:
        raise NightshelfError(
            f"row_key of mapping {name!r} names {', '.join(sorted(unknown))}, not in [columns]"
        )
    return found
