"""A bundle whose facts make requests fail is refused when it is opened."""

import dataclasses

import pytest

from serving.bundle.format import Bundle
from serving.errors import BundleError
from serving.live import opening

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("name", ["alpha", "penalty", "penalty_per_product"])
@pytest.mark.parametrize("value", [1e308, -1.0, float("nan"), "1"])
def test_refuses_a_fold_in_that_cannot_be_solved(bundle: Bundle, name: str, value: object) -> None:
    opening.warm_up(bundle)
    settings = bundle.manifest["fold_in"] | {name: value}
    broken = dataclasses.replace(bundle, manifest=bundle.manifest | {"fold_in": settings})
    with pytest.raises(BundleError, match="can't answer a test request"):
        opening.warm_up(broken)
