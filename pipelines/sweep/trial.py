"""One candidate of the sweep: trained on what came before a validation window, and measured on it."""

import time
from dataclasses import dataclass

import pyarrow as pa

from pipelines import evaluate as evaluation
from pipelines.evaluate import windows
from pipelines.evaluate.windows import Windows
from pipelines.prepare.interactions import Interactions
from pipelines.settings import Solver
from pipelines.sweep.space import Candidate, Metrics
from pipelines.train.bundle import attempt


@dataclass(frozen=True)
class Trial:
    """What was measured of a candidate, by lane, and the seconds that fitting it took."""

    metrics: Metrics
    seconds: float


def run(
    known: Interactions, products: pa.Table, cut: Windows, tried: Candidate, folds: int, solver: Solver
) -> Trial:
    """The trial of a candidate on a number of validation windows, all before the test window.

    Its measures are means over the customers of all windows.
    """
    seconds, judged = 0.0, []
    for learned, judged_until in windows.folds(cut, folds, int(known.day.min())):
        started = time.monotonic()
        bundle = attempt(known.until(learned), products, tried, solver)
        seconds += time.monotonic() - started
        truth = known.bought(learned, judged_until)
        judged.append(evaluation.evaluate(bundle, truth, tried.name, tried.component))
    return Trial(evaluation.summary(pa.concat_tables(judged)).get(tried.name, {}), seconds)
