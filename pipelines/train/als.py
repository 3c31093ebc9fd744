"""Alternating least squares on implicit strengths: Hu, Koren, Volinsky (2008), by two solvers.

Both minimise  sum c_ui (p_ui - x_u.y_i)^2 + penalty  with confidence c_ui = 1 + alpha * r_ui and
preference p_ui = 1 where r_ui > 0. MLlib multiplies the penalty of a customer by the number of that
customer's products, and of a product by its customers (Zhou et al. 2008); implicit does not. So
MLlib is given the regularisation divided by the mean of those counts.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import psutil
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
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
    """What the sweep varies."""

    rank: int = Field(64, ge=1)
    regularisation: float = Field(1.0, ge=0)
    alpha: float = Field(10.0, gt=0)  # confidence that one fresh order adds
    half_life_days: float = Field(60.0, gt=0)  # age at which an order counts half
    iterations: int = Field(10, ge=1)
    trend_power: float = Field(0.0, ge=0)  # exponent of recent popularity, by which scores are multiplied


DEFAULTS = AlsSettings.model_validate({})


@dataclass(frozen=True)
class Factors:
    """User factors (C, k) and item factors (P, k), float32; zeros where there was nothing to learn.

    settings: what they were fitted with; of no use where there are no factors.
    """

    users: Array
    items: Array
    settings: AlsSettings = DEFAULTS
    penalty: float = 0.0  # of a customer's squared factors
    penalty_per_product: float = 0.0  # the same, for each product that the customer bought


def fit(strengths: sp.csr_matrix, settings: AlsSettings, solver: Solver = "auto") -> Factors:
    """The factors of a (C, P) matrix of strengths >= 0."""
    chosen = choose_solver(strengths, settings.rank) if solver == "auto" else solver
    return _fit_spark(strengths, settings) if chosen == "spark" else _fit_implicit(strengths, settings)


def zero_factors(customers: int, products: int) -> Factors:
    """Factors that say nothing, of rank 1."""
    return Factors(np.zeros((customers, 1), np.float32), np.zeros((products, 1), np.float32))


def choose_solver(strengths: sp.csr_matrix, rank: int) -> Literal["implicit", "spark"]:
    """`implicit` where matrix and factors fit half of the free memory, else `spark`."""
    needed = strengths.nnz * BYTES_PER_VALUE + sum(strengths.shape) * rank * np.float32().nbytes * 2
    return "implicit" if needed < SHARE_OF_MEMORY * psutil.virtual_memory().available else "spark"


def _fit_implicit(strengths: sp.csr_matrix, settings: AlsSettings) -> Factors:
    confidence = strengths.copy()
    confidence.data = (1 + settings.alpha * confidence.data).astype(np.float32)
    with threadpool_limits(limits=1, user_api="blas"):  # implicit spreads over threads itself
        model = AlternatingLeastSquares(
            factors=settings.rank,
            regularization=settings.regularisation,
            alpha=1.0,
            iterations=settings.iterations,
            random_state=SEED,
        )
        model.fit(confidence, show_progress=False)
    found = _found(model.user_factors, strengths), _found(model.item_factors, strengths.T.tocsr())
    return Factors(*found, settings, penalty=settings.regularisation)


def _fit_spark(strengths: sp.csr_matrix, settings: AlsSettings) -> Factors:
    from pyspark.ml.recommendation import ALS

    spark = session()  # before ALS is made, which asks for one that runs
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
    dense = np.zeros((count, rank), dtype=np.float32)
    dense[factors["id"].to_numpy()] = np.array(factors["features"].tolist())
    return dense


def _found(factors: Array, seen: sp.csr_matrix) -> Array:
    """The factors, with zeros for rows that nothing was seen of."""
    return np.where(np.diff(seen.indptr)[:, None] > 0, factors, 0).astype(np.float32)
