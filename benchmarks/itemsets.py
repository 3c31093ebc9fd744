"""Frequent itemsets of FIMI's data set retail, beside FP-Growth in C.

The C code is pyfim's (Borgelt), which no part of Nightshelf needs: install it with `pip install pyfim`.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import pace
from pipelines.train.itemsets import Itemsets, vertical
from serving.bundle.format import Array

SUPPORTS, LARGEST, TIMES = (0.01, 0.001, 0.0005), 20, 5


def compare(file: Path) -> str:
    """Returns a table of supports: itemsets, and milliseconds of this search and of FP-Growth in C."""
    try:
        import fim  # type: ignore[import-not-found]
    except ImportError:
        fim = None
    items, starts = _baskets(file)
    lists = pa.ListArray.from_arrays(pa.array(starts, pa.int32()), pa.array(items.astype(str)))
    rows = "".join(_row(lists, support, fim, np.split(items, starts[1:-1])) for support in SUPPORTS)
    return (
        "## Frequent itemsets\n\n"
        "All itemsets of FIMI's data set retail (88,162 baskets), medians of five runs, by the compiled\n"
        "search of Nightshelf and by FP-Growth in C (pyfim), which finds the same ones. Allowed at 0.05 %:\n"
        "5 times its time. Ours starts from lists of Arrow, pyfim from lists of Python.\n\n"
        f"| support | itemsets | ms | ms in C | ratio |\n|---|---|---|---|---|\n{rows}"
    )


def _row(lists: pa.ListArray, support: float, fim: Any, baskets: list[Array]) -> str:
    own, milliseconds = _timed(lambda: vertical(lists, support, LARGEST))
    size = sum(map(len, own.counts))
    pace.note(f"itemsets at {support:.2%}", milliseconds / 1000)
    if not fim:
        return f"| {support:.2%} | {size:,} | {milliseconds:.0f} | not installed | |\n"
    in_python = [basket.tolist() for basket in baskets]
    found, in_c = _timed(lambda: fim.fpgrowth(in_python, target="s", supp=100 * support, zmax=LARGEST))
    if _as_set(own) != {(frozenset(map(str, items)), count) for items, count in found}:
        raise AssertionError(f"the itemsets of {support:.2%} differ from those of pyfim")
    return f"| {support:.2%} | {size:,} | {milliseconds:.0f} | {in_c:.0f} | {milliseconds / in_c:.1f} |\n"


def _as_set(itemsets: Itemsets) -> set[tuple[frozenset[str], int]]:
    names = itemsets.products.to_pylist()
    return {
        (frozenset(names[row] for row in rows), count)
        for members, counts in zip(itemsets.members, itemsets.counts, strict=True)
        for rows, count in zip(members.tolist(), counts.tolist(), strict=True)
    }


def _baskets(file: Path) -> tuple[Array, Array]:
    """Returns the items of all baskets, and where each basket starts, with the end."""
    table = pq.read_table(file).sort_by("basket_id")
    basket = table["basket_id"].to_numpy()
    starts = np.flatnonzero(np.r_[True, np.diff(basket) != 0, True])
    return table["item"].to_numpy(), starts


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Returns the result, and the median milliseconds of TIMES runs after a first one."""
    result, seconds = work(), []
    for _ in range(TIMES):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return result, 1000 * float(np.median(seconds))
