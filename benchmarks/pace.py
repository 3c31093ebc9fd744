"""How long benchmarks take relative to a yardstick timed beside them, and what got slower since the last run.

Seconds differ from machine to machine and from hour to hour; a figure's ratio to fixed work differs less.
"""

import json
import time
from pathlib import Path

import numpy as np

from serving.bundle.format import Array

FILE = Path(__file__).with_name("pace.json")
SLOWER = 1.25  # times the last ratio; below it, runs of the same code differ, too
TIMES, VALUES, SIDE, STEPS = 3, 2_000_000, 700, 1_000_000
SEED = 1

_ratios: dict[str, float] = {}


def note(name: str, seconds: float) -> None:
    """Keeps the ratio of a figure to the yardstick, which is timed now, for `compare`."""
    _ratios[name] = seconds / yardstick()


def yardstick() -> float:
    """Returns the seconds of fixed work, the shortest of TIMES: sorting, multiplying matrices, and Python."""
    rng = np.random.default_rng(SEED)
    values, matrix = rng.random(VALUES, np.float32), rng.random((SIDE, SIDE), np.float32)
    return min(_once(values, matrix) for _ in range(TIMES))


def compare(file: Path = FILE) -> str:
    """Returns a section that names the figures that got slower, and writes the ratios for the next run."""
    last = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(last | _ratios, indent=1, sort_keys=True) + "\n")
    known = {name: ratio / last[name] for name, ratio in _ratios.items() if name in last}
    slower = [f"- {name}: {times:.2f} times\n" for name, times in known.items() if times > SLOWER]
    return (
        "## Slower than at the last run\n\n"
        f"Of {len(_ratios)} figures, {len(known)} were measured at the last run, too. Each is compared as\n"
        f"its ratio to a yardstick timed beside it; named are those above {SLOWER} times the last ratio.\n\n"
        + ("".join(slower) or "None.\n")
    )


def _once(values: Array, matrix: Array) -> float:
    started = time.perf_counter()
    np.sort(values)
    matrix @ matrix
    total = 0
    for step in range(STEPS):
        total += step
    return time.perf_counter() - started
