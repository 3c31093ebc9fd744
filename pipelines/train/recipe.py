"""Settings that models are fitted with: those of a sweep's candidate, and those that were chosen."""

from typing import Any, Literal

from pydantic import Field

from pipelines.train.als import AlsSettings
from pipelines.train.ranker import RankerSettings
from serving.toml import FrozenModel


class HalfLives(FrozenModel):
    """Days after which a purchase counts half in the baselines."""

    trend: float = Field(gt=0)
    repurchase: float = Field(gt=0)


class Candidate(FrozenModel):
    """One candidate of the sweep: a component and its settings."""

    name: str
    component: Literal["popularity", "trend", "repurchase", "als", "ranker"]
    als: AlsSettings | None = None
    ranker: RankerSettings | None = None
    half_life_days: float | None = None

    def params(self) -> dict[str, Any]:
        """Returns the parameters that MLflow shows for the candidate."""
        half_life = {"half_life_days": self.half_life_days} if self.half_life_days else {}
        als = self.als.model_dump() if self.als else {}
        ranker = self.ranker.model_dump() if self.ranker else {}
        prefixed = {f"ranker_{name}": value for name, value in ranker.items()}
        return {"component": self.component} | half_life | als | prefixed


class ModelSettings(FrozenModel):
    """Everything that a model is fitted with, and the component that answers each lane."""

    als: AlsSettings
    ranker: RankerSettings | None = None  # None if the ranker answers no lane
    half_lives: HalfLives
    lanes: dict[str, str]
    strength: float = Field(0.0, ge=0)  # lanes are re-ranked by product weight ** strength
