"""Step `smoke`: sends a few requests to the champion, and ends the run in MLflow."""

from pipelines.gate import settings, soundness
from pipelines.registry import versions
from pipelines.run import tracking
from pipelines.run.night import Night
from serving.errors import NightshelfError


def run(night: Night) -> dict[str, float]:
    """Returns the number of the champion's answers and the slowest's milliseconds; {} without a champion.

    Raises NightshelfError if its answers are not sound.
    """
    metrics = _query_champion()
    tracking.log(night.run_id, metrics=metrics)
    tracking.end(night.run_id)
    return metrics


def _query_champion() -> dict[str, float]:
    champion = versions.champion()
    if champion is None:  # the gate refused a first model
        return {}
    answers, conditions = soundness.check(versions.bundle(champion.version), settings.load().thresholds)
    if failed := [condition for condition in conditions if not condition.met]:
        reasons = "; ".join(f"{condition.name}: {condition.detail}" for condition in failed)
        raise NightshelfError(
            f"version {champion.version} serves and is not sound ({reasons}): run `nightshelf rollback`"
        )
    return {
        "champion_version": float(champion.version),
        "smoke_answers": float(answers.count),
        "smoke_slowest_ms": answers.slowest * 1000,
    }
