"""The sweep of 12 ALS candidates by both solvers, on the same matrix in one run, measured as a night does."""

import os
import time
from pathlib import Path

from pipelines.prepare import interactions

ALLOWED = 60  # seconds for the whole sweep by `implicit`
LANES = ("for-you", "discover")


def compare(home: Path) -> str:
    """A table over the lake that a night has left in `home`."""
    os.environ["NIGHTSHELF_HOME"] = str(home)
    from pipelines import evaluate
    from pipelines.evaluate import settings
    from pipelines.lake import tables
    from pipelines.lake.spark import session
    from pipelines.sweep import space
    from pipelines.train.bundle import fit_candidate

    session()  # its start is not the solver's time
    products = tables.read(tables.PRODUCTS)
    known = interactions.interactions(tables.read(tables.INTERACTIONS), products["product"].to_pylist())
    last = int(known.day.max())
    horizon = settings.load().horizon_days
    before, truth = known.until(last - 2 * horizon), known.bought(last - 2 * horizon, last - horizon)
    tried = [one for one in space.candidates("default") if one.component == "als"]
    rows = []
    for solver in ("implicit", "spark"):
        fitting, found = 0.0, []
        started = time.monotonic()
        for candidate in tried:
            begun = time.monotonic()
            bundle = fit_candidate(before, products, candidate, solver)
            fitting += time.monotonic() - begun
            found.append(evaluate.summary(evaluate.evaluate(bundle, truth, "als", "als"))["als"])
        seconds = time.monotonic() - started
        quality = [f"{max(one[lane][evaluate.NDCG] for one in found):.4f}" for lane in LANES]
        rows.append(f"| {solver} | {seconds:.1f} | {fitting:.1f} | {' | '.join(quality)} |")
    return (
        "## The sweep on Online Retail II by both ALS solvers\n\n"
        f"{len(before.day):,} interactions, {len(tried)} ALS candidates of the default sweep, evaluation\n"
        f"included; NDCG@10 of the best in validation. Allowed: {ALLOWED} s by `implicit`.\n\n"
        "| solver | seconds | of these fitting | for-you | discover |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )
