"""A file, or a folder of files, whose columns a mapping names."""

import datetime as dt
import re
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset as ds

from pipelines import columns as c
from pipelines.extract.mapping import OPTIONAL, REQUIRED, mapping
from pipelines.extract.source import RAW_ORDERS, RAW_PRODUCTS, Dialect, Progress
from serving.errors import NightshelfError

FORMATS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "json", ".json": "json"}
PACKED = (".gz", ".bz2", ".zst")
DAY_LETTERS = len("2026-01-31")


class Files:
    """Source `files`: Parquet, CSV or JSON lines."""

    def __init__(self, path: str, mapping_name: str) -> None:
        if not path or not Path(path).exists():
            raise NightshelfError(f"there is no file {path!r}: set NIGHTSHELF_FILES_PATH or give --path")
        self.path = Path(path)
        found = mapping(mapping_name)
        self.dialect: Dialect = found
        self.columns = found.columns

    @cached_property
    def table(self) -> pa.Table:
        """All rows of all files, every value as text, under our names.

        Raises NightshelfError naming the file and what is wrong with it, never a value of it.
        """
        table = pa.concat_tables([self._read(file) for file in self._files()])
        if table.num_rows == 0:
            raise NightshelfError(f"{self.path.name} holds no rows")
        return table

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

    def products(self, as_of: dt.date) -> pa.Table:
        """Every product sold up to a day, with the text and the price that stood beside its last sale."""
        texts = [name for name in OPTIONAL if name in self.columns]
        price, quantity = _numbers(self.table[c.UNIT_PRICE]), _numbers(self.table[c.QUANTITY])
        sales = pc.and_(pc.greater(price, 0), pc.greater(quantity, 0))
        day = pc.utf8_slice_codeunits(self.table[c.ORDERED_AT], 0, DAY_LETTERS)
        seen = pc.and_(pc.is_valid(self.table[c.PRODUCT]), pc.less_equal(day, str(as_of)))
        ordered = self.table.append_column(c.PRICE, price).filter(pc.and_(sales, seen)).sort_by(c.ORDERED_AT)
        last = ordered.group_by(c.PRODUCT, use_threads=False).aggregate(
            [(name, "last") for name in (*texts, c.PRICE)]
        )
        found = {name: last[f"{name}_last"] for name in (*texts, c.PRICE)}
        empty = {name: pa.nulls(last.num_rows, pa.string()) for name in OPTIONAL if name not in texts}
        stock = pa.repeat(pa.scalar(True), last.num_rows)
        return pa.table({c.PRODUCT: last[c.PRODUCT], c.IN_STOCK: stock} | found | empty).select(
            RAW_PRODUCTS.names
        )

    def _files(self) -> list[Path]:
        if self.path.is_file():
            return [self.path]
        found = sorted(file for file in self.path.rglob("*") if file.is_file() and not self._hidden(file))
        if not found:
            raise NightshelfError(f"the folder {self.path} holds no files")
        return found

    def _hidden(self, file: Path) -> bool:
        return any(part[0] in "._" for part in file.relative_to(self.path).parts)

    def _read(self, file: Path) -> pa.Table:
        wanted = {ours: self.columns[ours] for ours in REQUIRED + OPTIONAL if ours in self.columns}
        try:
            read = _dataset(file, list(wanted.values()), self.columns[c.ORDERED_AT])
            if missing := [theirs for theirs in wanted.values() if theirs not in read.schema.names]:
                # Without a header its names are a row, and that may hold a phone number.
                raise NightshelfError(
                    f"{file.name} has no column {missing[0]!r}: correct the file's header or the mapping"
                )
            table = read.to_table(columns=list(wanted.values())).rename_columns(list(wanted))
            return pa.table({name: _text(table[name]) for name in wanted})
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise NightshelfError(f"{file.name} can't be read: {_cause(error)}") from None


def _dataset(file: Path, names: list[str], time: str) -> ds.Dataset:
    suffix = (file.with_suffix("") if file.suffix.lower() in PACKED else file).suffix.lower()
    if suffix not in FORMATS:
        raise NightshelfError(f"{file.name} is none of the formats read: {', '.join(FORMATS)}")
    text = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True)
    chosen = ds.CsvFileFormat(convert_options=text) if suffix == ".csv" else FORMATS[suffix]
    found = ds.dataset(file, format=chosen)
    if chosen == "json" and time in found.schema.names:
        # Arrow would take JSON's text for a time, and lose whether it stated a zone.
        at = found.schema.get_field_index(time)
        return ds.dataset(file, format=chosen, schema=found.schema.set(at, pa.field(time, pa.string())))
    return found


def _text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values as text: ids that were made floating point numbers because some are missing are whole again."""
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
        if pc.all(pc.equal(values, pc.trunc(values))).as_py():
            values = values.cast(pa.int64())
    return values.cast(pa.string())


def _cause(error: Exception) -> str:
    """The cause in Arrow's words, without what it quotes of a row."""
    line = re.sub(r"(got \d+:|columns named) .*", r"\1 ...", str(error).splitlines()[0])
    return line.rpartition("Invalid: ")[2]


def _numbers(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts as numbers; null where a text is none."""
    plain = pc.match_substring_regex(texts, r"^-?\d+(\.\d+)?$")
    return pc.if_else(plain, texts, pa.scalar(None, pa.string())).cast(pa.float64())
