"""The batch export of a large shop: customers per second on all cores by lane, and memory."""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil

from benchmarks import pace, synthetic
from benchmarks.processes import measure
from serving.bundle.files import load, save
from serving.bundle.format import PER_PURCHASE, Bundle, texts
from serving.recommend.lanes import Lane

PRODUCTS, N = 50_000, 10
COMPONENTS: dict[Lane, str] = {"discover": "ALS", "for-you": "ranker", "buy-again": "re-purchase"}
SIZES = (100_000, 400_000)  # customers
KEY = "a secret of the benchmark"


def compare(folder: Path) -> str:
    """Returns a table of lanes, targets and numbers of customers; each row runs in its own process."""
    fitted = synthetic.bundle(PRODUCTS)
    small, large = (save(_with_customers(fitted, size), folder / str(size)) for size in SIZES)
    rows = [_row(small, lane, str(folder / "out.parquet")) for lane in COMPONENTS]
    rows.append(_row(small, "discover", f"sqlite:///{folder / 'out.db'}"))
    rows.append(_row(large, "discover", str(folder / "out.parquet")))
    return (
        "## The batch export\n\n"
        f"All customers of a shop of {PRODUCTS:,} products, {N} products for each, by the code of\n"
        "`nightshelf export`; the start of its processes is included. The bundle is fitted on random\n"
        "purchases, and its customers are repeated to reach the number. Memory is the sum over all\n"
        "processes of what they don't share, without the memory-mapped bundle.\n\n"
        "| customers | lane answered by | target | customers/s | peak MB |\n|---|---|---|---|---|\n"
        + "".join(rows)
    )


def _with_customers(bundle: Bundle, customers: int) -> Bundle:
    """Returns the bundle with its customers repeated until there are `customers`."""
    times = customers // len(bundle.customers)
    sizes = np.tile(np.diff(bundle.history_start), times)
    arrays: dict[str, Any] = {name: np.concatenate([getattr(bundle, name)] * times) for name in PER_PURCHASE}
    for name in ("user_factors", "customer_traits"):
        arrays[name] = np.tile(getattr(bundle, name), (times, 1))
    ids = texts([f"{number:064x}" for number in range(customers)])
    return replace(bundle, customers=ids, history_start=np.r_[0, np.cumsum(sizes)], **arrays)


def _row(bundle: Path, lane: Lane, to: str) -> str:
    variables = {"NIGHTSHELF_HOME": str(bundle.parent), "NIGHTSHELF_CUSTOMER_KEY": KEY}
    command = [sys.executable, "-m", "benchmarks.exporting", str(bundle), lane, to]
    measured = measure(command, os.environ | variables, _unshared_memory)
    rate = float(measured.output.split()[-1])
    target = "SQLite" if to.startswith("sqlite") else "Parquet"
    customers, peak = len(load(bundle).customers), measured.peak_gib * 1024
    pace.note(f"export of {customers:,} customers by {COMPONENTS[lane]} to {target}", 1 / rate)
    return f"| {customers:,} | {COMPONENTS[lane]} | {target} | {rate:,.0f} | {peak:,.0f} |\n"


def _unshared_memory(process: psutil.Process) -> int:
    """Returns the resident bytes of a process without shared pages, which include mapped files."""
    memory = process.memory_info()
    return int(memory.rss - memory.shared)


def _customers_per_second(bundle: Path, lane: Lane, to: str) -> float:
    from pipelines.batch.export import write_customers

    started = time.monotonic()
    customers = write_customers(bundle, to, N, [lane], "recommendations", True)
    return customers / (time.monotonic() - started)


if __name__ == "__main__":
    print(_customers_per_second(Path(sys.argv[1]), cast(Lane, sys.argv[2]), sys.argv[3]))
