"""The batch export of a large shop: customers per second on all cores by lane, and memory."""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from benchmarks import synthetic
from benchmarks.processes import measure
from serving.bundle.files import load, save
from serving.bundle.format import PER_PURCHASE, Bundle, texts

PRODUCTS, N = 50_000, 10
LANES = {"discover": "ALS", "for-you": "the second stage", "buy-again": "re-purchase"}
SIZES = (100_000, 400_000)
KEY = "a secret of the benchmark"


def compare(folder: Path) -> str:
    """A table of lanes and of numbers of customers, each in a process of its own."""
    made = synthetic.bundle(PRODUCTS)
    places = [save(_of_size(made, size), folder / str(size)) for size in SIZES]
    rows = [_measured(places[0], lane, "") for lane in LANES]
    rows += [_measured(places[0], "discover", f"sqlite:///{folder / 'out.db'}")]
    rows += [_measured(places[1], "discover", "")]
    return (
        "## The batch export\n\n"
        f"All customers of a shop of {PRODUCTS:,} products, {N} products for each, by the code of\n"
        "`nightshelf export`, the start of its processes included. The bundle is drawn; its customers are\n"
        "repeated to their number. Memory is the sum over all processes of what is theirs alone, without\n"
        "the mapped bundle.\n\n"
        "| customers | lane by | to | customers/s | peak MB |\n|---|---|---|---|---|\n" + "".join(rows)
    )


def _of_size(made: Bundle, customers: int) -> Bundle:
    """The same with each customer so often that there are as many as asked for."""
    times = customers // len(made.customers)
    sizes = np.tile(np.diff(made.history_start), times)
    repeated = {name: np.concatenate([getattr(made, name)] * times) for name in PER_PURCHASE}
    repeated |= {
        name: np.tile(getattr(made, name), (times, 1)) for name in ("user_factors", "customer_traits")
    }
    names = texts([f"{one:064x}" for one in range(customers)])
    return replace(made, customers=names, history_start=np.r_[0, np.cumsum(sizes)], **repeated)


def _measured(bundle: Path, lane: str, to: str) -> str:
    home = {"NIGHTSHELF_HOME": str(bundle.parent), "NIGHTSHELF_CUSTOMER_KEY": KEY}
    to = to or str(bundle.parent / "out.parquet")
    command = [sys.executable, "-m", "benchmarks.exporting", str(bundle), lane, to]
    ran = measure(command, os.environ | home, _own_memory)
    rate, kind = float(ran.output.split()[-1]), "SQLite" if to.startswith("sqlite") else "Parquet"
    customers = len(load(bundle).customers)
    return f"| {customers:,} | {LANES[lane]} | {kind} | {rate:,.0f} | {ran.peak_gib * 1024:,.0f} |\n"


def _own_memory(process: psutil.Process) -> int:
    found = process.memory_info()
    return int(found.rss - found.shared)  # what is mapped from files is shared


if __name__ == "__main__":
    from pipelines.batch.export import write_customers

    started = time.monotonic()
    written = write_customers(Path(sys.argv[1]), sys.argv[3], N, [sys.argv[2]], "recommendations", True)
    print(written / (time.monotonic() - started))
