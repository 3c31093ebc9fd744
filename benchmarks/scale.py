"""Whole nights on demo shops of 1, 4 and 16 million order lines: seconds and memory of each step.

They take 40 minutes with the quick sweep: `make bench` leaves them to `python -m benchmarks.scale >
benchmarks/scale.md`, which tells each step as it is done. `python -m benchmarks.scale 1 4` runs some alone.
"""

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.growth import exponent
from benchmarks.one_step import shop
from benchmarks.processes import measure
from pipelines.settings import settings

MILLIONS = (1, 4, 16)
STEPS = ("extract", "validate", "prepare", "live", "sweep", "rules", "evaluate", "register")
STEPS += ("gate", "publish", "smoke")
LEAST_SECONDS = 5.0  # of CPU, of the largest shop; what takes less shows no growth but noise
ALLOWED_GIB = 12


@dataclass(frozen=True)
class Cost:
    """What a step took."""

    seconds: float
    cpu_seconds: float
    peak_gib: float  # of its process and all its children, Spark's Java among them


Costs = dict[str, Cost]  # by step


def compare(folder: Path, millions: tuple[int, ...] = MILLIONS) -> str:
    """A table of steps and sizes, and the exponent by which each step grows."""
    found = {size: _night(folder / str(size), size) for size in millions}
    sizes = "; ".join(
        f"{size} million: {shop(size).customers:,} customers, {shop(size).products:,} products"
        for size in millions
    )
    return (
        "## A night, by the number of order lines\n\n"
        f"Demo shops of a year, written as a file a day ({sizes}),\n"
        f"solver `auto`, the {settings().sweep} sweep, each step in a process of its own. CPU and\n"
        f"memory are those of all its processes, Spark's Java, which may take {settings().spark_memory},\n"
        f"included (allowed: {ALLOWED_GIB} GB in all). A cost grows as the number of lines to the power of\n"
        "its exponent.\n\n"
        f"{_table(found)}"
    )


def _night(folder: Path, millions: int) -> Costs:
    env = os.environ | {"NIGHTSHELF_HOME": str(folder), "NIGHTSHELF_CUSTOMER_KEY": "a key for benchmarks"}
    files = str(folder / "files")
    found: Costs = {}
    found["write"], _ = _run(env, millions, "write", str(millions), files)
    _, night = _run(env, millions, "begin", files)
    for step in STEPS:
        found[step], _ = _run(env, millions, step, json.dumps(night))
    return found


def _run(env: dict[str, str], millions: int, *asked: str) -> tuple[Cost, dict[str, Any]]:
    measured = measure([sys.executable, "-m", "benchmarks.one_step", *asked], env)
    told = json.loads(measured.output.splitlines()[-1])
    cost, answer = Cost(told["seconds"], measured.cpu_seconds, measured.peak_gib), told["answer"]
    figures = f"{cost.seconds:8.1f} s {cost.cpu_seconds:8.1f} s of CPU {cost.peak_gib:6.2f} GiB"
    print(f"{millions:>3} million {asked[0]:>9} {figures}  {answer}", file=sys.stderr, flush=True)
    return cost, answer


def _table(found: dict[int, Costs]) -> str:
    heads = [f"{size} million: seconds | of CPU | peak GiB" for size in found]
    rows = [_row(step, [costs[step] for costs in found.values()], [*found]) for step in ("write", *STEPS)]
    whole = [
        Cost(
            sum(cost.seconds for cost in costs.values()),
            sum(cost.cpu_seconds for cost in costs.values()),
            max(cost.peak_gib for cost in costs.values()),
        )
        for costs in found.values()
    ]
    head = f"| step | {' | '.join(heads)} | exponent of CPU | of memory |\n"
    return head + "|---" * (3 * len(found) + 3) + "|\n" + "".join(rows) + _row("**all**", whole, [*found])


def _row(name: str, costs: list[Cost], sizes: list[int]) -> str:
    cells = [f"{cost.seconds:,.1f} | {cost.cpu_seconds:,.1f} | {cost.peak_gib:.2f}" for cost in costs]
    tells = len(sizes) > 1 and costs[-1].cpu_seconds >= LEAST_SECONDS
    grows = [
        f"{exponent(sizes, values):.2f}" if tells else ""
        for values in ([cost.cpu_seconds for cost in costs], [cost.peak_gib for cost in costs])
    ]
    return f"| {name} | {' | '.join([*cells, *grows])} |\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        print(compare(Path(home), tuple(map(int, sys.argv[1:])) or MILLIONS))
