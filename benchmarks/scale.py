"""Nightly runs on demo shops of 1, 4 and 16 million order lines: seconds and memory of each step.

Even with the quick sweep they take 40 minutes, so `make bench` leaves them out. Run
`NIGHTSHELF_SWEEP=quick python -m benchmarks.scale > benchmarks/scale.md`, which reports each step on stderr
as it ends; `python -m benchmarks.scale 1 4` runs only the two smaller shops.
"""

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.growth import exponent
from benchmarks.one_step import shop
from benchmarks.processes import measure
from benchmarks.provenance import provenance
from pipelines.choices import Step
from pipelines.nightly import Json
from pipelines.settings import settings

MILLIONS = (1, 4, 16)
STEPS: tuple[Step | Literal["sweep"], ...] = (
    "extract",
    "validate",
    "prepare",
    "backtest_champion",
    "sweep",
    "association_rules",
    "evaluate",
    "register",
    "gate",
    "publish",
    "smoke",
)
MIN_SECONDS = 5.0  # of CPU on the largest shop; the growth of faster steps is only noise
ALLOWED_GIB = 12


@dataclass(frozen=True)
class Cost:
    """What a step cost."""

    seconds: float
    cpu_seconds: float
    peak_gib: float  # of its process and all children, which include Spark's JVM


Costs = Mapping[str, Cost]  # by step


def compare(folder: Path, millions: tuple[int, ...] = MILLIONS) -> str:
    """Returns a table of steps and sizes, with the exponent by which each step grows."""
    measured = f"Written by `python -m benchmarks.scale`. {provenance()}"
    runs = {size: _nightly_run(folder / str(size), size) for size in millions}
    sizes = "; ".join(
        f"{size} million: {shop(size).customers:,} customers, {shop(size).products:,} products"
        for size in millions
    )
    return (
        f"{measured}\n"
        "## A nightly run, by the number of order lines\n\n"
        f"Demo shops of one year, written as one file per day ({sizes}),\n"
        f"solver `auto`, the {settings().sweep} sweep, each step in a process of its own. CPU and memory\n"
        "include all child processes, also Spark's JVM, whose heap is limited to"
        f" {settings().spark_memory}.\n"
        f"Allowed: {ALLOWED_GIB} GB in all. A cost grows as the number of lines to the power of its\n"
        "exponent.\n\n"
        f"{_table(runs)}"
    )


def _nightly_run(folder: Path, millions: int) -> Costs:
    env = os.environ | {"NIGHTSHELF_HOME": str(folder), "NIGHTSHELF_CUSTOMER_KEY": "a key for benchmarks"}
    files = str(folder / "files")
    costs: dict[str, Cost] = {}
    costs["write"], _ = _run(env, millions, "write", str(millions), files)
    _, night = _run(env, millions, "begin", files)
    for step in STEPS:
        costs[step], _ = _run(env, millions, step, json.dumps(night))
    return costs


def _run(env: dict[str, str], millions: int, name: str, *arguments: str) -> tuple[Cost, Json]:
    """Runs `benchmarks.one_step` in its own process; returns the cost and the result."""
    measured = measure([sys.executable, "-m", "benchmarks.one_step", name, *arguments], env)
    printed = json.loads(measured.output.splitlines()[-1])
    cost, result = Cost(printed["seconds"], measured.cpu_seconds, measured.peak_gib), printed["result"]
    figures = f"{cost.seconds:8.1f} s {cost.cpu_seconds:8.1f} s of CPU {cost.peak_gib:6.2f} GiB"
    print(f"{millions:>3} million {name:>17} {figures}  {result}", file=sys.stderr, flush=True)
    return cost, result


def _table(runs: Mapping[int, Costs]) -> str:
    headings = [f"{size} million: seconds | CPU seconds | peak GiB" for size in runs]
    rows = [_row(step, [costs[step] for costs in runs.values()], [*runs]) for step in ("write", *STEPS)]
    totals = [
        Cost(
            sum(cost.seconds for cost in costs.values()),
            sum(cost.cpu_seconds for cost in costs.values()),
            max(cost.peak_gib for cost in costs.values()),
        )
        for costs in runs.values()
    ]
    head = f"| step | {' | '.join(headings)} | exponent of CPU | exponent of memory |\n"
    return head + "|---" * (3 * len(runs) + 3) + "|\n" + "".join(rows) + _row("**all**", totals, [*runs])


def _row(name: str, costs: list[Cost], sizes: list[int]) -> str:
    cells = [f"{cost.seconds:,.1f} | {cost.cpu_seconds:,.1f} | {cost.peak_gib:.2f}" for cost in costs]
    shows_growth = len(sizes) > 1 and costs[-1].cpu_seconds >= MIN_SECONDS
    exponents = [
        f"{exponent(sizes, values):.2f}" if shows_growth else ""
        for values in ([cost.cpu_seconds for cost in costs], [cost.peak_gib for cost in costs])
    ]
    return f"| {name} | {' | '.join([*cells, *exponents])} |\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        print(compare(Path(home), tuple(map(int, sys.argv[1:])) or MILLIONS))
