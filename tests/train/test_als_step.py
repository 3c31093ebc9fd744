"""The compiled step of ALS against `implicit`'s own."""

import numpy as np
import pytest
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from pipelines.train.als_step import CompiledAls

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("rank", [1, 8, 33])
def test_fits_the_factors_that_implicit_fits(seed: int, rank: int) -> None:
    rng = np.random.default_rng(seed)
    confidence = sp.random(90, 70, 0.1, "csr", np.float32, random_state=rng)
    confidence.data = 1 + 20 * confidence.data
    confidence = sp.csr_matrix(sp.diags((np.arange(90) != 7).astype(float)) @ confidence, dtype=np.float32)
    confidence.eliminate_zeros()  # customer 7 is without an interaction
    settings = {"factors": rank, "regularization": 2.0, "alpha": 1.0, "iterations": 1, "random_state": 5}
    with threadpool_limits(limits=1, user_api="blas"):  # `implicit` warns of more
        models = [cls(**settings) for cls in (AlternatingLeastSquares, CompiledAls)]
        for model in models:
            model.fit(confidence, show_progress=False)
    (users, items), (own_users, own_items) = [(model.user_factors, model.item_factors) for model in models]
    # Further iterations enlarge the differences of rounding.
    np.testing.assert_allclose(own_users, users, atol=2e-3)
    np.testing.assert_allclose(own_items, items, atol=2e-3)
    assert not own_users[7].any()
