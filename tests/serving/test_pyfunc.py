"""The registered model is also a plain MLflow model."""

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


def test_it_answers_records(model: Any) -> None:
    anna, stranger = model.predict(
        [{"customer": bundles.ANNA, "lane": "discover", "n": 2}, {"customer": bundles.STRANGER, "n": 1}]
    )
    assert (anna.known, anna.products) == (True, ["coffee-3", "tea-1"])
    assert anna.scores == pytest.approx([1.6, 0.5])
    assert (stranger.known, stranger.products, stranger.scores) == (False, ["tea-1"], [5])


def test_it_answers_a_table(model: Any) -> None:
    answers = model.predict(pd.DataFrame({"customer": [bundles.ANNA, bundles.BORIS, bundles.STRANGER]}))
    assert [answer.products[0] for answer in answers] == ["coffee-1", "tea-1", "tea-1"]
    assert [answer.known for answer in answers] == [True, True, False]


def test_its_signature_tells_what_it_takes_and_gives(model: Any) -> None:
    signature = model.metadata.signature
    assert "customer: string (required)" in str(signature.inputs)
    assert "products: Array(string)" in str(signature.outputs)


@pytest.mark.parametrize(
    ("wrong", "said"), [({"lane": "fast"}, "lane"), ({"n": 0}, "n must"), ({"colour": "red"}, "'colour'")]
)
def test_what_is_wrong_is_named_and_nobody_is(model: Any, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(NightshelfError, match=said) as raised:
        model.predict([{"customer": bundles.ANNA} | wrong])
    assert "6205" not in str(raised.value)
