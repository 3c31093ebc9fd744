"""The registered model: the bundle as MLflow's plain Python model, for batches and other MLflow tools.

`mlflow.pyfunc.load_model("models:/nightshelf@champion").predict([{"customer": "+7 (905) 545-5709"}])`
"""

from pathlib import Path
from typing import cast

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from pydantic import BaseModel, ConfigDict

from serving.bundle.files import load
from serving.errors import NightshelfError
from serving.live.identity import pseudonym
from serving.recommend.recommender import LANES, Lane, recommend
from serving.settings import ServingSettings, read


class Asked(BaseModel):
    """One question; `customer` is the shop's own id, a text, which NIGHTSHELF_CUSTOMER_KEY hides.

    `check` finds what is wrong with the rest, since MLflow's own errors quote the whole question.
    """

    model_config = ConfigDict(extra="allow")

    customer: str
    lane: str = "for-you"
    n: int = 10

    def check(self) -> None:
        """Raises NightshelfError naming a field that isn't known or has a value that can't be."""
        if self.model_extra:
            raise NightshelfError(f"a question has no field {min(self.model_extra)!r}: leave it out")
        if self.lane not in LANES:
            raise NightshelfError(f"lane must be one of {', '.join(LANES)}")
        if self.n < 1:
            raise NightshelfError("n must be at least 1")


class Recommended(BaseModel):
    """One answer: products and their scores, best first; what trends for a stranger."""

    known: bool
    products: list[str]
    scores: list[float]


class NightshelfModel(PythonModel):
    """A bundle that answers `predict`, one answer for each question."""

    def load_context(self, context: PythonModelContext) -> None:
        """Opens the bundle among the artifacts; raises BundleError where it isn't whole and sound."""
        self.bundle = load(Path(context.artifacts["bundle"]))
        self.key = read(ServingSettings).require_customer_key()

    def predict(self, model_input: list[Asked]) -> list[Recommended]:  # type: ignore[override] # as MLflow documents
        """Answers in the order of the questions."""
        return [self._answer(asked) for asked in model_input]

    def _answer(self, asked: Asked) -> Recommended:
        asked.check()
        customer = self.bundle.customer(pseudonym(asked.customer, self.key))
        items = recommend(self.bundle, customer, cast(Lane, asked.lane), asked.n)
        return Recommended(
            known=customer is not None,
            products=[self.bundle.products[item.product].decode() for item in items],
            scores=[item.score for item in items],
        )


set_model(NightshelfModel())
