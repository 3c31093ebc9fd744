"""The ALS candidates of the default sweep fitted by both solvers, on the same data."""

import os
import time
from pathlib import Path

from pipelines.prepare import interactions

ALLOWED = 60  # seconds for all candidates by `implicit`
LANES = ("for-you", "discover")


def compare(home: Path) -> str:
    """Returns a table of both solvers, on the lake that a nightly run has left in `home`."""
    os.environ["NIGHTSHELF_HOME"] = str(home)
    from pipelines import evaluate
    from pipelines.evaluate import settings
    from pipelines.lake import tables
    from pipelines.lake.spark import session
    from pipelines.sweep import space
    from pipelines.train.bundle import fit_candidate

    session()  # started first, so that its start does not count
    products = tables.read(tables.PRODUCTS)
    known = interactions.interactions(tables.read(tables.INTERACTIONS), products["product"].to_pylist())
    last = int(known.day.max())
    horizon = settings.load().horizon_days
    before, truth = known.until(last - 2 * horizon), known.bought(last - 2 * horizon, last - horizon)
    candidates = [candidate for candidate in space.candidates("default") if candidate.component == "als"]
    rows = []
    for solver in ("implicit", "spark"):
        fitting, measured = 0.0, []
        started = time.monotonic()
        for candidate in candidates:
            fit_started = time.monotonic()
            bundle = fit_candidate(before, products, candidate, solver)
            fitting += time.monotonic() - fit_started
            measured.append(evaluate.summary(evaluate.evaluate(bundle, truth, "als", "als"))["als"])
        seconds = time.monotonic() - started
        quality = [f"{max(means[lane][evaluate.NDCG] for means in measured):.4f}" for lane in LANES]
        rows.append(f"| {solver} | {seconds:.1f} | {fitting:.1f} | {' | '.join(quality)} |")
    return (
        "## The sweep on Online Retail II by both ALS solvers\n\n"
        f"{len(before.day):,} interactions, {len(candidates)} ALS candidates of the default sweep,\n"
        f"fitted and evaluated; NDCG@10 of the best on the validation window. Allowed: {ALLOWED} s\n"
        "by `implicit`.\n\n"
        "| solver | seconds | fitting only | for-you | discover |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )
