"""What the gate requires of a challenger: gate.toml and product_weight.toml."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, PositiveFloat

from pipelines.evaluate import settings as evaluation_settings
from pipelines.evaluate.settings import EvaluationSettings
from pipelines.run import moved_settings
from serving.toml import FrozenModel

HERE = Path(__file__).parent


class Thresholds(FrozenModel):
    """The bounds of the gate's conditions; gate.toml says what each is for."""

    tolerance: float = Field(ge=0, lt=1)
    sure: float = Field(gt=0, lt=1)
    live_customers: int = Field(ge=2)
    measured_apart: float = Field(gt=1)
    measured_lost: float = Field(gt=1)
    live_apart: float = Field(gt=1)
    kept: float = Field(ge=0, le=1)
    steady: float = Field(ge=0, le=1)
    answer_seconds: float = Field(gt=0)


class ProductWeightSettings(FrozenModel):
    """The strengths of re-ranking by weight to try, and the share of NDCG@10 that re-ranking may cost."""

    most_lost: float = Field(ge=0, lt=1)
    strengths: tuple[PositiveFloat, ...]


@dataclass(frozen=True)
class GateSettings:
    """Everything that the gate's conditions compare with."""

    thresholds: Thresholds
    product_weight: ProductWeightSettings
    evaluation: EvaluationSettings


def load() -> GateSettings:
    """Returns the gate's settings; raises NightshelfError naming what is wrong, and in which file."""
    return GateSettings(
        moved_settings.read(Thresholds, HERE / "gate.toml", "gate"),
        moved_settings.read(ProductWeightSettings, HERE / "product_weight.toml", "business"),
        evaluation_settings.load(),
    )
