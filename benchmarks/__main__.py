"""Runs all benchmarks but `scale`, and writes the figures beside the code: figures.md and quality.md."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import (
    answers,
    attacks,
    cold,
    evaluation,
    exporting,
    extraction,
    file_extraction,
    first_answer,
    itemsets,
    nightly_run,
    pace,
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
from benchmarks.provenance import provenance

FIGURES, QUALITY = (Path(__file__).with_name(name) for name in ("figures.md", "quality.md"))
DATA = Path(os.environ.get("NIGHTSHELF_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def main() -> None:
    """Writes and prints figures.md and quality.md."""
    retail = DATA / "online_retail_ii.parquet"
    if not retail.exists():
        sys.exit(
            f"online_retail_ii.parquet is not in {DATA}: set NIGHTSHELF_TEST_DATA to the folder that holds it"
        )
    measured = f"Written by `make bench`. {provenance()}"
    with tempfile.TemporaryDirectory() as folder:
        sections = [*_on_online_retail(retail, Path(folder))]
        QUALITY.write_text(f"# Quality\n\n{measured}\n{quality.compare(Path(folder) / 'retail')}")
        sections += _on_synthetic_shops(Path(folder))
    FIGURES.write_text("\n".join([f"# Figures\n\n{measured}", pace.compare(), *sections]))
    print(FIGURES.read_text(), QUALITY.read_text(), sep="\n")


def _on_online_retail(retail: Path, folder: Path) -> Iterator[str]:
    """Yields the sections on real orders; most of them use the lake of the first."""
    home = folder / "retail"
    yield nightly_run.online_retail(retail, home)
    yield nightly_run.supermarket(retail.with_name("supermarket.parquet"), folder / "supermarket")
    yield itemsets.compare(retail.with_name("fimi_retail.parquet"))
    yield validation.compare(retail, folder / "validation")
    yield solvers.compare(home)
    yield cold.compare(home)
    yield regions.compare(home)
    yield reranking.compare(home)


def _on_synthetic_shops(folder: Path) -> Iterator[str]:
    yield evaluation.compare()
    yield answers.compare(folder / "answers")
    yield scaling.compare()
    yield serving.compare(folder / "serving")
    yield attacks.compare(folder / "attacks")
    yield swapping.compare(folder / "swapping")
    yield exporting.compare(folder / "exporting")
    yield pages.compare(folder / "pages")
    yield extraction.compare(folder / "extraction")
    yield file_extraction.compare(folder / "files")
    yield first_answer.demo_shop(folder / "clone")


if __name__ == "__main__":
    main()
