"""Extraction of 100,000 and of a million orders from a CSV file, a file of JSON lines and a Parquet file."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from benchmarks.processes import Measured, measure

ORDERS, TIMES_MORE, LINES = 100_000, 10, 3
BLOCK = 10_000  # orders that are written at a time
DAYS = 28
OF_ORDER, OF_LINE = ("order_id", "ordered_at", "customer"), ("product", "quantity", "unit_price", "name")


def _mapping(of_line: str) -> str:
    """Returns a mapping; of_line: what stands before the name of a line's column."""
    columns = {name: name for name in OF_ORDER} | {name: f"{of_line}{name}" for name in OF_LINE}
    return 'timezone = "UTC"\n[columns]\n' + "".join(f'{name} = "{path}"\n' for name, path in columns.items())


FLAT, NESTED = _mapping(""), _mapping("lines.") + '[nested]\nlines = "lines"\n'
PULL = """
import datetime as dt, sys
from pipelines import extract
from pipelines.extract import pulls
from pipelines.run.progress import silent
source = extract.source("files", sys.argv[1], sys.argv[2])
print(pulls.pull(source, source.last_day(None), False, silent))
"""


def compare(home: Path) -> str:
    """Returns processor seconds and memory of each format, with ten times the orders beside."""
    rows = []
    for name, (mapping, write) in FORMATS.items():
        for orders in (ORDERS, TIMES_MORE * ORDERS):
            folder = home / f"{name}-{orders}"
            folder.mkdir(parents=True)
            write(orders, file := folder / f"orders.{name}")
            measured = _pull(folder, file, mapping)
            size = file.stat().st_size / 1e6
            rows.append(
                f"| {name} | {orders:,} | {size:,.0f} | {measured.seconds:.1f} | {measured.cpu_seconds:.1f} |"
                f" {measured.peak_gib * 1024:.0f} |\n"
            )
            file.unlink()
    return (
        "## Extraction from files\n\n"
        f"Source `files`, orders of {LINES} lines each, each pull in a fresh process:\n\n"
        "| format | orders | megabytes | seconds | processor seconds | peak MiB |\n"
        "|---|---|---|---|---|---|\n"
        f"{''.join(rows)}"
    )


def _pull(home: Path, file: Path, mapping: str) -> Measured:
    """Measures the first pull of a file into an empty lake, the search for its last day included."""
    (home / "mapping.toml").write_text(mapping)
    env = os.environ | {"NIGHTSHELF_HOME": str(home)}
    return measure([sys.executable, "-c", PULL, str(file), str(home / "mapping.toml")], env)


def _blocks(orders: int) -> Iterator[pa.Table]:
    """Yields the order lines of BLOCK orders at a time."""
    for first in range(0, orders, BLOCK):
        numbers = [number for number in range(first, min(first + BLOCK, orders)) for _ in range(LINES)]
        products = [f"G{number % 997 + i % LINES}" for i, number in enumerate(numbers)]
        yield pa.table({
            "order_id": pa.array(numbers).cast(pa.string()),
            "ordered_at": [f"2026-09-{1 + number * DAYS // orders:02} 10:00:00" for number in numbers],
            "customer": [f"customer{number % 20_000}@shop.example" for number in numbers],
            "product": products,
            "quantity": pa.array([1 + number % 3 for number in numbers]),
            "unit_price": pa.array([9.5 + number % 7 for number in numbers]),
            "name": [f'The {product}, "medium"' for product in products],
        })  # fmt: skip


def _write_csv(orders: int, file: Path) -> None:
    _write_tables(pc.CSVWriter, orders, file)


def _write_parquet(orders: int, file: Path) -> None:
    _write_tables(pq.ParquetWriter, orders, file)


def _write_tables(open_writer: Callable[..., Any], orders: int, file: Path) -> None:
    blocks = _blocks(orders)
    with open_writer(file, (first := next(blocks)).schema) as writer:
        for block in chain([first], blocks):
            writer.write_table(block)


def _write_json_lines(orders: int, file: Path) -> None:
    """Writes one order a line, with the list of its order lines."""
    with file.open("w") as output:
        for block in _blocks(orders):
            rows = block.to_pylist()
            for first in range(0, len(rows), LINES):
                lines = rows[first : first + LINES]
                order = {name: lines[0][name] for name in OF_ORDER}
                output.write(json.dumps(order | {"lines": lines}) + "\n")


FORMATS: dict[str, tuple[str, Callable[[int, Path], None]]] = {
    "csv": (FLAT, _write_csv),
    "jsonl": (NESTED, _write_json_lines),
    "parquet": (FLAT, _write_parquet),
}
