"""A nightly run on all rows of Online Retail II, in a fresh process."""

import os
from pathlib import Path

from benchmarks.processes import NIGHTSHELF, measure


def online_retail(file: Path, home: Path) -> str:
    """Returns seconds, peak memory and what `nightshelf retrain` printed; leaves the lake in `home`."""
    env = os.environ | {"NIGHTSHELF_HOME": str(home), "COLUMNS": "110"}
    options = ["--source", "files", "--mapping", "online_retail_ii", "--path", str(file)]
    measured = measure([NIGHTSHELF, "retrain", *options], env)
    output = "\n".join(line.rstrip() for line in measured.output.splitlines())
    return (
        "## A nightly run on Online Retail II, all 1,067,370 rows\n\n"
        "`nightshelf retrain --source files --mapping online_retail_ii --path FILE`, solver `auto`,\n"
        "the default sweep of 12 ALS candidates, 2 rankers and 5 baselines, test window the last 28 days:\n"
        f"**{measured.seconds:.0f} s, peak {measured.peak_gib:.1f} GiB** (allowed: 300 s, 6 GB).\n\n"
        f"```\n{output}\n```\n"
    )
