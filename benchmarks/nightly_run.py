"""A whole night on all rows of Online Retail II, in a fresh process."""

import os
from pathlib import Path

from benchmarks.processes import NIGHTSHELF, measure


def online_retail(file: Path, home: Path) -> str:
    """Time, memory, seconds per step, and the table that the night printed."""
    env = os.environ | {"NIGHTSHELF_HOME": str(home), "COLUMNS": "110"}
    asked = ["--source", "files", "--mapping", "online_retail_ii", "--path", str(file)]
    found = measure([NIGHTSHELF, "retrain", *asked], env)
    output = "\n".join(line.rstrip() for line in found.output.splitlines())
    return (
        "## A night on Online Retail II, all 1,067,370 rows\n\n"
        "`nightshelf retrain --source files --mapping online_retail_ii --path FILE`, solver `auto`,\n"
        "the default sweep of 12 ALS candidates, 2 rankers and 5 baselines, test window the last 28 days:\n"
        f"**{found.seconds:.0f} s, peak {found.peak_gib:.1f} GiB** (allowed: 300 s, 6 GB).\n\n"
        f"```\n{output}\n```\n"
    )
