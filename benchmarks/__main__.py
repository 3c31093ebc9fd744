"""Runs every benchmark and keeps the latest figures beside the code: figures.md, quality.md."""

import datetime as dt
import os
import platform
import sys
import tempfile
from pathlib import Path

from benchmarks import (
    answers,
    cold,
    evaluation,
    exporting,
    extraction,
    first_answer,
    nightly_run,
    pages,
    quality,
    regions,
    reranking,
    scaling,
    serving,
    solvers,
    swapping,
    validation,
)

FIGURES, QUALITY = (Path(__file__).with_name(name) for name in ("figures.md", "quality.md"))
DATA = Path(os.environ.get("NIGHTSHELF_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def main() -> None:
    """Writes figures.md and quality.md."""
    retail = DATA / "online_retail_ii.parquet"
    if not retail.exists():
        sys.exit("online_retail_ii.parquet is missing: set NIGHTSHELF_TEST_DATA to the folder that holds it")
    machine = (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {dt.datetime.now(dt.UTC):%Y-%m-%d}"
    )
    parts = [f"# Figures\n\n`make bench` wrote this: {machine}.\n"]
    with tempfile.TemporaryDirectory() as folder:
        parts.append(nightly_run.online_retail(retail, Path(folder) / "retail"))
        parts.append(validation.compare(retail, Path(folder) / "validation"))
        parts.append(solvers.compare(Path(folder) / "retail"))
        QUALITY.write_text(quality.compare(Path(folder) / "retail"))
        parts.append(cold.compare(Path(folder) / "retail"))
        parts.append(regions.compare(Path(folder) / "retail"))
        parts.append(reranking.compare(Path(folder) / "retail"))
        parts.append(evaluation.compare())
        parts.append(answers.compare(Path(folder) / "answers"))
        parts.append(scaling.compare())
        parts.append(serving.compare(Path(folder) / "serving"))
        parts.append(swapping.compare(Path(folder) / "swapping"))
        parts.append(exporting.compare(Path(folder) / "exporting"))
        parts.append(pages.compare(Path(folder) / "pages"))
        parts.append(extraction.compare(Path(folder) / "extraction"))
        parts.append(first_answer.demo_shop(Path(folder) / "clone"))
    FIGURES.write_text("\n".join(parts))
    print(FIGURES.read_text(), QUALITY.read_text(), sep="\n")


main()
