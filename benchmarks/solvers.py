"""Both ALS solvers on the same matrix, in one run: seconds, and quality on the validation window."""

import os
import time
from pathlib import Path

RANKS = (32, 64)


def compare(home: Path) -> str:
    """A table over the lake that a night has left in `home`."""
    os.environ["NIGHTSHELF_HOME"] = str(home)
    from pipelines import evaluate, lake, split
    from pipelines import sweep as sweeps
    from pipelines.spark import session
    from pipelines.train.bundle import attempt

    session()  # its start is not the solver's time
    products = lake.read(lake.PRODUCTS)
    known = split.interactions(lake.read(lake.INTERACTIONS), products["product"].to_pylist())
    last = int(known.day.max())
    before, truth = known.until(last - 28), known.bought(last - 28, last)
    rows = []
    for rank in RANKS:
        for solver in ("implicit", "spark"):
            als = sweeps.AlsSettings(rank=rank, regularisation=10, alpha=10, half_life_days=30, iterations=10)
            candidate = sweeps.Candidate(name="als", component="als", als=als)
            started = time.monotonic()
            bundle = attempt(before, products, candidate, solver)
            seconds = time.monotonic() - started
            found = evaluate.summary(evaluate.evaluate(bundle, truth, "als", "als"))["als"]
            quality = [f"{found[lane][evaluate.NDCG]:.4f}" for lane in ("for-you", "discover")]
            rows.append(f"| {solver} | {rank} | {seconds:.1f} | {' | '.join(quality)} |")
    return (
        "## Both ALS solvers on Online Retail II\n\n"
        f"{len(before.day):,} interactions, 10 iterations; trained up to 28 days before the end.\n\n"
        "| solver | rank | seconds | NDCG@10 for-you | NDCG@10 discover |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )
