"""The registered model works as an MLflow Python model."""

from pathlib import Path
from typing import Any

import bundles
import mlflow
import pandas as pd
import pytest

from serving.bundle.format import Bundle
from serving.errors import NightshelfError


@pytest.fixture
def model(uri: str, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("NIGHTSHELF_CUSTOMER_KEY", bundles.KEY)
    bundles.publish(uri, bundle, tmp_path)
    return mlflow.pyfunc.load_model("models:/nightshelf@champion")


def test_predicts_from_records(model: Any) -> None:
    anna, unknown = model.predict(
        [
            {"customer": bundles.ANNA, "lane": "discover", "n": 2},
            {"customer": bundles.UNKNOWN_CUSTOMER, "n": 1},
        ]
    )
    assert (anna.known, anna.products) == (True, ["coffee-3", "tea-1"])
    assert anna.scores == pytest.approx([1.6, 0.5])
    assert (unknown.known, unknown.products, unknown.scores) == (False, ["tea-1"], [5])


def test_predicts_from_a_data_frame(model: Any) -> None:
    answers = model.predict(
        pd.DataFrame({"customer": [bundles.ANNA, bundles.BORIS, bundles.UNKNOWN_CUSTOMER]})
    )
    assert [answer.products[0] for answer in answers] == ["coffee-1", "tea-1", "tea-1"]
    assert [answer.known for answer in answers] == [True, True, False]


def test_the_signature_lists_inputs_and_outputs(model: Any) -> None:
    signature = model.metadata.signature
    assert "customer: string (required)" in str(signature.inputs)
    assert "products: Array(string)" in str(signature.outputs)


@pytest.mark.parametrize(
    ("invalid", "message"),
    [({"lane": "fast"}, "lane"), ({"n": 0}, "n must"), ({"colour": "red"}, "'colour'")],
)
def test_an_error_names_the_field_and_not_the_customer(
    model: Any, invalid: dict[str, Any], message: str
) -> None:
    with pytest.raises(NightshelfError, match=message) as raised:
        model.predict([{"customer": bundles.ANNA} | invalid])
    assert "6205" not in str(raised.value)
