"""The registered model: the bundle as an MLflow Python model, for batch scoring and other MLflow tools.

`mlflow.pyfunc.load_model("models:/nightshelf@champion").predict([{"customer": "+7 (905) 545-5709"}])`
"""

from pathlib import Path
from typing import cast

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from pydantic import BaseModel, ConfigDict

from serving.bundle.files import load
from serving.errors import NightshelfError
from serving.live.identity import Pseudonymiser, rule_of
from serving.recommend.lanes import LANES, Lane
from serving.recommend.recommender import recommend
from serving.settings import ServingSettings, read


class Query(BaseModel):
    """One input row. `customer` is the shop's own id, which NIGHTSHELF_CUSTOMER_KEY turns into a pseudonym.

    `check` validates the other fields, because MLflow's own errors quote the whole input.
    """

    model_config = ConfigDict(extra="allow")

    customer: str
    lane: str = "for-you"
    n: int = 10

    def check(self) -> None:
        """Raises NightshelfError that names an unknown field, or a field with an invalid value."""
        if self.model_extra:
            raise NightshelfError(f"the model takes no input {min(self.model_extra)!r}: remove it")
        if self.lane not in LANES:
            raise NightshelfError(f"lane must be one of {', '.join(LANES)}")
        if self.n < 1:
            raise NightshelfError("n must be at least 1")


class Recommendations(BaseModel):
    """One output row: products and their scores, best first; for an unknown customer, the trending ones."""

    known: bool
    products: list[str]
    scores: list[float]


class NightshelfModel(PythonModel):
    """The MLflow model of a bundle."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads the bundle from the artifacts; raises BundleError if it is incomplete or invalid."""
        self.bundle = load(Path(context.artifacts["bundle"]))
        key = read(ServingSettings).require_customer_key()
        self.identify = Pseudonymiser(key, rule_of(self.bundle.manifest))

    def predict(self, model_input: list[Query]) -> list[Recommendations]:  # type: ignore[override] # as MLflow documents
        """Returns recommendations for each query, in the same order."""
        return [self._recommend(query) for query in model_input]

    def _recommend(self, query: Query) -> Recommendations:
        query.check()
        pseudonym = self.identify.of_id(query.customer)
        customer = None if pseudonym is None else self.bundle.customer(pseudonym)
        items = recommend(self.bundle, customer, cast(Lane, query.lane), query.n)
        return Recommendations(
            known=customer is not None,
            products=[self.bundle.products[item.product].decode() for item in items],
            scores=[item.score for item in items],
        )


set_model(NightshelfModel())
