"""Alternating least squares on implicit feedback (Hu, Koren, Volinsky 2008), by two solvers.

Both minimise  sum c_ui (p_ui - x_u.y_i)^2 + penalty  with confidence c_ui = 1 + alpha * r_ui and
preference p_ui = 1 where r_ui > 0. MLlib multiplies a customer's penalty by the number of
products that the customer bought, and a product's penalty by the number of its buyers (Zhou et al. 2008);
implicit does not. So MLlib gets the regularisation divided by the mean of those counts.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd
import psutil
import scipy.sparse as sp
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipelines.choices import Solver
from pipelines.lake.spark import session
from serving.bundle.format import Array
from serving.toml import FrozenModel

SEED = 20260
BYTES_PER_VALUE = 40  # both orientations of the matrix, with room for copies
SHARE_OF_MEMORY = 0.5


class AlsSettings(FrozenModel):
    """Hyper-parameters of ALS, which the sweep varies."""

    rank: int = Field(64, ge=1)
    regularisation: float = Field(1.0, ge=0)
    alpha: float = Field(10.0, gt=0)  # confidence that an order of today adds
    half_life_days: float = Field(60.0, gt=0)  # age at which an order counts half
    iterations: int = Field(10, ge=1)
    trend_power: float = Field(0.0, ge=0)  # scores are multiplied by recent popularity ** trend_power


DEFAULTS = AlsSettings.model_validate({})


@dataclass(frozen=True)
class Factors:
    """Factors of C customers and P products, with the settings that they were fitted with.

    Rows of customers and products without an interaction are zeros.
    """

    users: Array  # (C, k) float32
    items: Array  # (P, k) float32
    settings: AlsSettings = DEFAULTS
    penalty: float = 0.0  # penalty on a customer's squared factors
    penalty_per_product: float = 0.0  # penalty that each bought product adds

    def arrays(self) -> dict[str, Array]:
        """Returns everything but the settings, as arrays."""
        penalties = np.array([self.penalty, self.penalty_per_product])
        return {"users": self.users, "items": self.items, "penalties": penalties}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array], settings: AlsSettings) -> Self:
        """Returns the factors whose `arrays` these are."""
        return cls(arrays["users"], arrays["items"], settings, *arrays["penalties"].tolist())


def fit(strengths: sp.csr_matrix, settings: AlsSettings, solver: Solver = "auto") -> Factors:
    """Returns the factors of a (C, P) float32 matrix of strengths, all >= 0."""
    solver = choose_solver(strengths, settings.rank) if solver == "auto" else solver
    return _fit_spark(strengths, settings) if solver == "spark" else _fit_implicit(strengths, settings)


def zero_factors(customers: int, products: int) -> Factors:
    """Returns factors of rank 1 that are all zero."""
    return Factors(np.zeros((customers, 1), np.float32), np.zeros((products, 1), np.float32))


def choose_solver(strengths: sp.csr_matrix, rank: int) -> Literal["implicit", "spark"]:
    """Returns `implicit` if matrix and factors fit in half of the free memory, else `spark`."""
    needed = strengths.nnz * BYTES_PER_VALUE + sum(strengths.shape) * rank * np.float32().nbytes * 2
    return "implicit" if needed < SHARE_OF_MEMORY * psutil.virtual_memory().available else "spark"


def _fit_implicit(strengths: sp.csr_matrix, settings: AlsSettings) -> Factors:
    from pipelines.train.als_step import CompiledAls  # imports numba, which takes most of a second

    confidence = strengths.copy()
    confidence.data = (1 + settings.alpha * confidence.data).astype(np.float32)
    with threadpool_limits(limits=1, user_api="blas"):  # the model spreads over threads itself
        model = CompiledAls(
            factors=settings.rank,
            regularization=settings.regularisation,
            alpha=1.0,
            iterations=settings.iterations,
            random_state=SEED,
        )
        model.fit(confidence, show_progress=False)
    users = _without_empty_rows(model.user_factors, strengths)
    items = _without_empty_rows(model.item_factors, strengths.T.tocsr())
    return Factors(users, items, settings, penalty=settings.regularisation)


def _fit_spark(strengths: sp.csr_matrix, settings: AlsSettings) -> Factors:
    from pyspark.ml.recommendation import ALS

    spark = session()  # first: constructing ALS needs a running session
    entries = strengths.tocoo()
    rows = pd.DataFrame(
        {"user": entries.row.astype(np.int32), "item": entries.col.astype(np.int32), "strength": entries.data}
    )
    penalty = settings.regularisation / (2 * strengths.nnz / sum(strengths.shape))
    model = ALS(
        userCol="user",
        itemCol="item",
        ratingCol="strength",
        implicitPrefs=True,
        rank=settings.rank,
        regParam=penalty,
        alpha=settings.alpha,
        maxIter=settings.iterations,
        seed=SEED,
    ).fit(spark.createDataFrame(rows))
    users, items = strengths.shape
    return Factors(
        _dense(model.userFactors.toPandas(), users, settings.rank),
        _dense(model.itemFactors.toPandas(), items, settings.rank),
        settings,
        penalty_per_product=penalty,
    )


def _dense(factors: pd.DataFrame, count: int, rank: int) -> Array:
    """Returns MLlib's factors as an array, (count, rank) float32; rows that MLlib leaves out are zeros."""
    dense = np.zeros((count, rank), dtype=np.float32)
    dense[factors["id"].to_numpy()] = np.array(factors["features"].tolist())
    return dense


def _without_empty_rows(factors: Array, strengths: sp.csr_matrix) -> Array:
    """Returns the factors, (n, k) float32, with zeros in rows that have no interaction."""
    return np.where(np.diff(strengths.indptr)[:, None] > 0, factors, 0).astype(np.float32)
