"""Step `sweep`: trains one candidate and measures it on the validation window."""

import time
from typing import Any

from pipelines import evaluate as evaluation
from pipelines.evaluate import night_data, settings
from pipelines.run import tracking
from pipelines.run.night import Night
from pipelines.sweep import trial
from pipelines.train.recipe import Candidate


def run(night: Night, candidate: dict[str, Any]) -> dict[str, Any]:
    """Returns the candidate's name and its NDCG@10 by lane; all its measures are a child run in MLflow."""
    started, recipe = time.monotonic(), Candidate.model_validate(candidate)
    data = night_data.load(night)
    result = trial.run(data, recipe, settings.load().folds, night.solver)
    metrics = evaluation.flatten(result.metrics, evaluation.MAIN_METRICS) | {"fit_seconds": result.seconds}
    metrics |= {tracking.CANDIDATE_SECONDS: time.monotonic() - started}
    tracking.log_child(night.run_id, recipe.name, recipe.model_dump_json(), recipe.params(), metrics)
    ndcg = {name: round(value, 4) for name, value in metrics.items() if "ndcg" in name}
    return {"name": recipe.name} | ndcg
