"""The steps of a nightly run, by name.

Each step is a module of `pipelines.steps`: it takes the night and returns names and counts; its output is in
the lake or in MLflow. So the steps run in one process (`nightshelf retrain`) or each in its own (Airflow).
A step's module is imported when the step runs, since some take seconds to import.
"""

import time
from collections.abc import Callable
from typing import Any, Unpack, assert_never

from pipelines.choices import Step
from pipelines.run import tracking
from pipelines.run.night import Night, RunOptions
from pipelines.run.progress import Progress

Json = dict[str, Any]


def begin(**options: Unpack[RunOptions]) -> Night:
    """Opens a nightly run; options left out come from the settings, and the day from the source."""
    from pipelines.steps import begin as step

    return step.run(**options)


def run(step: Step, night: Night) -> Json:
    """Runs a step and returns what it counted.

    Its seconds become a metric of the run in MLflow; if it fails, the run is tagged with the step's name.
    """
    return _timed(step, night, _function(step))


def extract(night: Night, progress: Progress) -> Json:
    """Runs the step `extract`, reporting its progress."""
    from pipelines.steps import extract as step

    return _timed("extract", night, lambda night: step.run(night, progress))


def candidates(night: Night) -> list[Json]:
    """Runs the step `candidates`: returns what the sweep tries, each with its name and settings."""
    from pipelines.steps import candidates as step

    return step.run(night)


def sweep(night: Night, candidate: Json) -> Json:
    """Runs the step `sweep` for one candidate; its seconds are a metric of the candidate's own run."""
    from pipelines.steps import sweep as step

    with tracking.mark_failed_step(night.run_id, "sweep"):
        return step.run(night, candidate)


def report(night: Night) -> Json:
    """Runs the step `report`, also for a run that stopped: returns the address of its page."""
    from pipelines.steps import report as step

    return step.run(night)


def fail(night: Night, reason: str) -> None:
    """Ends the night's run as failed, with the reason."""
    tracking.end(night.run_id, reason)


def _timed(step: str, night: Night, function: Callable[[Night], Json]) -> Json:
    with tracking.mark_failed_step(night.run_id, step):
        started = time.monotonic()
        counts = function(night)
        tracking.log(night.run_id, metrics={f"{tracking.SECONDS}{step}": time.monotonic() - started})
        return counts


def _function(step: Step) -> Callable[[Night], Json]:
    match step:
        case "extract":
            from pipelines.steps import extract

            return extract.run
        case "validate":
            from pipelines.steps import validate

            return validate.run
        case "prepare":
            from pipelines.steps import prepare

            return prepare.run
        case "backtest_champion":
            from pipelines.steps import backtest_champion

            return backtest_champion.run
        case "association_rules":
            from pipelines.steps import association_rules

            return association_rules.run
        case "evaluate":
            from pipelines.steps import evaluate

            return evaluate.run
        case "register":
            from pipelines.steps import register

            return register.run
        case "gate":
            from pipelines.steps import gate

            return gate.run
        case "publish":
            from pipelines.steps import publish

            return publish.run
        case "smoke":
            from pipelines.steps import smoke

            return smoke.run
        case _:
            assert_never(step)
