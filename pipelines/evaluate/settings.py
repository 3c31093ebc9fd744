"""Settings of the evaluation: evaluation.toml."""

from pathlib import Path

from pydantic import Field

from pipelines.run import moved_settings
from serving.toml import FrozenModel

FILE = Path(__file__).with_name("evaluation.toml")


class EvaluationSettings(FrozenModel):
    """Windows, and the bootstrap of an interval."""

    horizon_days: int = Field(ge=1)
    folds: int = Field(ge=1)
    resamples: int = Field(ge=100)
    confidence: float = Field(gt=0, lt=1)


def load() -> EvaluationSettings:
    """Returns evaluation.toml; raises NightshelfError naming what is wrong in it."""
    return moved_settings.read(EvaluationSettings, FILE, "evaluation")
