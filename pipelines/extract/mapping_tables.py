"""The tables of a mapping's TOML file, and how a mapping names the columns of a source."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pipelines.extract.source import Pattern
from serving.toml import FrozenModel

FOLDER, FILE = "@folder", "@file"  # stand for the folder and the name of the file that holds a line
REASON = r"[a-z][a-z0-9_]{0,40}"


def _known_encoding(name: str) -> str:
    try:
        "".encode(name)
    except (LookupError, ValueError):
        raise ValueError("unknown encoding; write one such as utf-8, utf-16 or windows-1252") from None
    return name


Encoding = Annotated[str, AfterValidator(_known_encoding)]


# Several columns of the source, of which the first that isn't empty counts and one must exist.
Alternatives = Annotated[tuple[str, ...], Field(min_length=1)]
OneColumn = Annotated[str | Alternatives, Field(union_mode="left_to_right")]


class Joined(FrozenModel):
    """One of our columns that joins several of the source's, as the key of an order does."""

    join: tuple[OneColumn, ...] = Field(min_length=2)


Column = Annotated[str | Alternatives | Joined, Field(union_mode="left_to_right")]


def alternatives(column: Column) -> tuple[str, ...]:
    """Returns the source's columns that one of ours is made of."""
    if isinstance(column, Joined):
        return tuple(name for part in column.join for name in alternatives(part))
    return (column,) if isinstance(column, str) else column


class LeaveOut(FrozenModel):
    """A rule that leaves lines out: those whose column meets the one condition given.

    Values are compared without regard to case and surrounding spaces.
    """

    reason: str = Field(pattern=f"^{REASON}$")  # the waterfall counts the lines under left_out_<reason>
    column: str
    values: tuple[str, ...] | None = None  # it has one of these values
    other_than: tuple[str, ...] | None = None  # it has none of these values
    matches: Pattern | None = None  # this regular expression matches a part of it
    filled: bool | None = None  # true: it isn't empty; false: it is empty

    @model_validator(mode="after")
    def _check_one_condition(self) -> "LeaveOut":
        given = [
            name for name in ("values", "other_than", "matches", "filled") if getattr(self, name) is not None
        ]
        if len(given) != 1:
            raise ValueError("give exactly one of values, other_than, matches and filled")
        return self


class FileFormat(FrozenModel):
    """How the files of a source are written; what isn't given is recognised from each file."""

    encoding: Encoding | None = None  # by default UTF-8, or what a byte order mark says
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    quote: str | None = Field(None, max_length=1)  # "" if quotes mean nothing; by default recognised
    header_row: int | None = Field(None, ge=1)  # by default the first row that names the mapped columns
    sheets: tuple[str, ...] = ()  # of a workbook; by default all that have the mapped columns
    fill_down: bool = False  # order fields stand on an order's first line only
    split_orders: bool = False  # the lines of one order may lie in several files
    full_dumps: Literal["no", "report", "remove"] = "no"  # what to do with orders that a full dump lacks
    records: str | None = None  # path of the list of orders in a JSON document; by default recognised
    names: tuple[str, ...] = ()  # patterns such as items*.csv of the files with lines; by default all


class Nested(FrozenModel):
    """An order's lines as a list inside the order, as JSON from shops' APIs has them."""

    lines: str  # path of the list, such as line_items


class Changes(FrozenModel):
    """Changes of an order's own lines after it was placed, as a list inside the order.

    The lines already state the result, so a refund that such a change made is ignored.
    """

    lines: str  # path of the list, such as modifications.*.lines
    line: str  # path of the id of the order's line
    quantity: str  # path of the pieces added to that line, negative if some were removed
    refund: str  # path of the id of the refund that the change made


class Refunds(FrozenModel):
    """Refunded lines as a list of their own inside the order; each becomes a line with a negative quantity.

    A line whose quantity is empty or zero refunds nothing and is passed over. The columns that are not given
    are those of the order.
    """

    lines: str  # path of the list, such as refunds.*.line_items; * stands for each entry of a list
    columns: dict[str, Column] = Field(default_factory=dict)  # product, quantity, and unit_price or amount
    ignore: tuple[LeaveOut, ...] = ()  # refunds that were not made, such as failed ones
    # Where the order's line itself may state fewer pieces after a refund: the path of its id, of its pieces
    # when it was bought, and of its pieces now. Their difference is not subtracted a second time.
    line: str = ""
    bought: str = ""
    stated: str = ""
    id: str = ""  # path of the refund's own id, if changes name it
    changes: Changes | None = None

    @model_validator(mode="after")
    def _check_paths(self) -> "Refunds":
        if self.line and not (self.bought and self.stated):
            raise ValueError("line needs bought and stated: add both")
        if self.changes and not (self.line and self.id):
            raise ValueError("changes need the paths line and id: add both")
        return self

    @property
    def source_columns(self) -> list[str]:
        """The paths that these refunds name, without those of the changes."""
        names = [name for column in self.columns.values() for name in alternatives(column)]
        names += [rule.column for rule in self.ignore]
        return names + [path for path in (self.line, self.bought, self.stated, self.id) if path]


class Packed(FrozenModel):
    """An order's lines packed into one cell: name:Tea|sku:P1|quantity:2;name:Cup|sku:P2|quantity:1.

    A field of an item is a column of the source, <column>.<field>. A cell may hold a JSON list, too.
    """

    column: str
    items: str = ";"  # separates the items
    fields: str = "|"  # separates the fields of an item
    value: str = ":"  # separates a field's name from its value; "" if fields have numbers, from 1, as names


class Returns(FrozenModel):
    """Lines that take back what was sold, whatever the sign of their quantity and their price."""

    column: str
    values: tuple[str, ...] = Field(min_length=1)  # such as refund; without regard to case


class Currency(FrozenModel):
    """The currency of an order's prices; lines in one without a rate are left out as other_currency."""

    column: str
    to: str  # the currency of all prices after conversion
    rates: dict[str, float] = Field(default_factory=dict)  # by currency: what one unit of it is worth in `to`


class Events(FrozenModel):
    """A source of events of which some are purchases; the others are left out under their own name."""

    column: str
    purchases: tuple[str, ...] = Field(min_length=1)


class Elapsed(FrozenModel):
    """Times of orders in a file that states only the days since each customer's previous order.

    They become the joined file's column `ordered_at`.
    """

    days: str  # column of the days since the customer's previous order; empty for the first
    customer: str
    number: str  # column that counts a customer's orders
    hour: str | None = None  # column of the hour of the day
    start: dt.date  # the assumed day of each customer's first order


class Join(FrozenModel):
    """Another file that has more columns for each line: those of its order, its customer or its product.

    Its columns are named with the join's name in front: orders.status. The file is held in memory.
    """

    file: str  # its name, or a pattern such as orders.csv*; it lies beside the file with the lines
    on: str  # the column of the lines whose values the file's column has
    column: str = ""  # the file's column; by default its name is that of `on`
    required: bool = True  # false: without the file its columns are empty
    elapsed: Elapsed | None = None

    @property
    def key(self) -> str:
        """The file's column that identifies its rows."""
        return self.column or self.on.rpartition(".")[2]


class Query(FrozenModel):
    """The query of source `sql`."""

    lines: str  # a SELECT of all order lines, one row per line
    changed: str  # the column with each order's last change: a time, or a number that only grows


class Documents(FrozenModel):
    """The collection of source `mongo`."""

    collection: str = Field(min_length=1)
    database: str = ""  # by default the one that the URL names
    # The field with each document's last change: a time, or a number that only grows.
    changed: str = Field(min_length=1)
