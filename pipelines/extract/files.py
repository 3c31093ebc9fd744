"""A file, or a folder of files, whose columns a mapping names."""

import datetime as dt
import tomllib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset as ds
from pydantic import Field, ValidationError

from pipelines import columns as c
from pipelines.extract.source import RAW_ORDERS, RAW_PRODUCTS, Dialect, Progress
from serving.errors import NightshelfError

MAPPINGS = Path(__file__).parent / "mappings"
FORMATS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "json", ".json": "json"}
REQUIRED = (c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE)
OPTIONAL = (c.NAME, c.CATEGORY, c.BRAND)


class Mapping(Dialect):
    """A source's dialect, and which of its columns is which of ours."""

    columns: dict[str, str] = Field(default_factory=dict)


def mapping(name: str) -> Mapping:
    """The mapping of a shipped name or of a TOML file; raises NightshelfError naming what is wrong."""
    file = MAPPINGS / f"{name}.toml" if not name.endswith(".toml") else Path(name)
    try:
        found = Mapping.model_validate(tomllib.loads(file.read_text()))
    except FileNotFoundError:
        shipped = ", ".join(sorted(path.stem for path in MAPPINGS.glob("*.toml")))
        raise NightshelfError(
            f"there is no mapping {name!r}: name a TOML file, or one of those shipped: {shipped}"
        ) from None
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise NightshelfError(f"mapping {name!r} can't be used: {error}") from None
    if missing := [column for column in REQUIRED if column not in found.columns]:
        raise NightshelfError(f"mapping {name!r} lacks {', '.join(missing)} under [columns]")
    return found


class Files:
    """Source `files`: Parquet, CSV or JSON lines."""

    def __init__(self, path: str, mapping_name: str) -> None:
        if not path or not Path(path).exists():
            raise NightshelfError(f"there is no file {path!r}: set NIGHTSHELF_FILES_PATH or give --path")
        self.path = Path(path)
        self.dialect: Dialect = mapping(mapping_name)
        self.columns = mapping(mapping_name).columns
        self.table = self._table()

    def last_day(self) -> dt.date:
        """The day of the last order in the files."""
        latest = pc.max(self.table[c.ORDERED_AT]).as_py()
        try:
            return dt.date.fromisoformat(str(latest)[:10])
        except ValueError:
            raise NightshelfError(
                f"the last time in {self.path.name} is no ISO date: give --as-of, or correct the column"
                f" {self.columns[c.ORDERED_AT]!r}"
            ) from None

    def orders(self, progress: Progress) -> pa.Table:
        """All rows; a row's line is its place in the files."""
        rows = self.table.num_rows
        stamps = {
            c.LINE: pa.array(range(rows), pa.int64()),
            c.SOURCE: pa.repeat(self.path.name, rows),
            c.PAGE: pa.repeat(pa.scalar(0, pa.int64()), rows),
            c.EXTRACTED_AT: pa.repeat(pa.scalar(dt.datetime.now(dt.UTC), pa.timestamp("us", "UTC")), rows),
        }
        raw = self.table
        for name, values in stamps.items():
            raw = raw.append_column(name, values)
        progress(1, 1)
        kept = set(self.dialect.row_key) - set(RAW_ORDERS.names)
        return raw.select(RAW_ORDERS.names + sorted(kept))

    def products(self) -> pa.Table:
        """Every product that was sold, with the text and the price that stood beside its last sale."""
        texts = [name for name in OPTIONAL if name in self.columns]
        price, quantity = _numbers(self.table[c.UNIT_PRICE]), _numbers(self.table[c.QUANTITY])
        sales = pc.and_(pc.greater(price, 0), pc.greater(quantity, 0))
        sold = pc.and_(sales, pc.is_valid(self.table[c.PRODUCT]))
        ordered = self.table.append_column(c.PRICE, price).filter(sold).sort_by(c.ORDERED_AT)
        last = ordered.group_by(c.PRODUCT, use_threads=False).aggregate(
            [(name, "last") for name in (*texts, c.PRICE)]
        )
        found = {name: last[f"{name}_last"] for name in (*texts, c.PRICE)}
        empty = {name: pa.nulls(last.num_rows, pa.string()) for name in OPTIONAL if name not in texts}
        stock = pa.repeat(pa.scalar(True), last.num_rows)
        return pa.table({c.PRODUCT: last[c.PRODUCT], c.IN_STOCK: stock} | found | empty).select(
            RAW_PRODUCTS.names
        )

    def _table(self) -> pa.Table:
        wanted = {ours: theirs for ours, theirs in self.columns.items() if ours in REQUIRED + OPTIONAL}
        read = self._dataset(list(wanted.values()))
        if missing := [theirs for theirs in wanted.values() if theirs not in read.schema.names]:
            raise NightshelfError(
                f"{self.path.name} has no column {missing[0]!r}; it has: {', '.join(read.schema.names)}"
            )
        table = read.to_table(columns=list(wanted.values())).rename_columns(list(wanted))
        if table.num_rows == 0:
            raise NightshelfError(f"{self.path.name} holds no rows")
        return table.cast(pa.schema([(name, pa.string()) for name in wanted]))

    def _dataset(self, names: list[str]) -> ds.Dataset:
        file = self.path if self.path.is_file() else next(iter(sorted(self.path.iterdir())), self.path)
        suffix = file.suffixes[0] if file.suffixes else ""
        if suffix not in FORMATS:
            raise NightshelfError(f"{file.name} is none of the formats read: {', '.join(FORMATS)}")
        text = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True)
        chosen = ds.CsvFileFormat(convert_options=text) if suffix == ".csv" else FORMATS[suffix]
        try:
            return ds.dataset(self.path, format=chosen)
        except (pa.ArrowInvalid, OSError) as error:
            raise NightshelfError(f"{self.path.name} can't be read as {suffix}: {error}") from None


def _numbers(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts as numbers; null where a text is none."""
    plain = pc.match_substring_regex(texts, r"^-?\d+(\.\d+)?$")
    return pc.if_else(plain, texts, pa.scalar(None, pa.string())).cast(pa.float64())
