"""What a model is trained with: the settings of one candidate, and those that the sweep chose."""

from typing import Any, Literal

from pydantic import Field

from pipelines.train.als import AlsSettings
from pipelines.train.ranker import RankerSettings
from serving.toml import FrozenModel


class HalfLives(FrozenModel):
    """Days after which a purchase counts half in a baseline."""

    trend: float = Field(gt=0)
    repurchase: float = Field(gt=0)


class Candidate(FrozenModel):
    """One thing to train and judge: a component, and what it is trained with."""

    name: str
    component: Literal["popularity", "trend", "repurchase", "als", "ranker"]
    als: AlsSettings | None = None
    ranker: RankerSettings | None = None
    half_life_days: float | None = None

    def params(self) -> dict[str, Any]:
        """What MLflow compares candidates by."""
        own = {"half_life_days": self.half_life_days} if self.half_life_days else {}
        factors = self.als.model_dump() if self.als else {}
        learned = self.ranker.model_dump() if self.ranker else {}
        ranker = {f"ranker_{name}": value for name, value in learned.items()}
        return {"component": self.component} | own | factors | ranker


class ModelSettings(FrozenModel):
    """What the sweep picked: the settings to train with, and the component that answers each lane."""

    als: AlsSettings
    ranker: RankerSettings | None = None  # None where it answers no lane
    half_lives: HalfLives
    lanes: dict[str, str]
    strength: float = Field(0.0, ge=0)  # with which the products' weight re-ranks the lanes
