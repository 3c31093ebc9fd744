"""A trial: fits one candidate of the sweep and measures it on the validation window."""

import time
from dataclasses import dataclass

import pyarrow as pa

from pipelines import evaluate as evaluation
from pipelines.choices import Solver
from pipelines.evaluate import windows
from pipelines.evaluate.night_data import NightData
from pipelines.sweep.choice import Metrics
from pipelines.train.bundle import fit_candidate
from pipelines.train.recipe import Candidate


@dataclass(frozen=True)
class Trial:
    """A candidate's metrics by lane, and the seconds that fitting took."""

    metrics: Metrics
    seconds: float


def run(data: NightData, candidate: Candidate, folds: int, solver: Solver) -> Trial:
    """Returns the trial of a candidate on `folds` validation windows, all before the test window.

    Metrics are means over the customers of all windows.
    """
    seconds, parts = 0.0, []
    for train_end, validation_end in windows.folds(data.cut, folds, int(data.known.day.min())):
        started = time.monotonic()
        bundle = fit_candidate(data.known.until(train_end), data.products, candidate, solver)
        seconds += time.monotonic() - started
        truth = data.known.bought(train_end, validation_end)
        parts.append(evaluation.evaluate(bundle, truth, candidate.name, candidate.component))
    return Trial(evaluation.summary(pa.concat_tables(parts)).get(candidate.name, {}), seconds)
