"""Settings come from the environment, and a wrong one is named without its value."""

import pytest

from serving.errors import NightshelfError
from serving.settings import ServingSettings, read


def test_every_wrong_setting_is_named_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHELF_FOLLOW_SECONDS", "-17")
    monkeypatch.setenv("NIGHTSHELF_SERVING_PORT", "harbour")
    with pytest.raises(NightshelfError) as raised:
        read(ServingSettings)
    assert "NIGHTSHELF_FOLLOW_SECONDS: " in str(raised.value)
    assert "NIGHTSHELF_SERVING_PORT: " in str(raised.value)
    assert "-17" not in str(raised.value)
    assert "harbour" not in str(raised.value)


def test_the_key_is_needed_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHELF_CUSTOMER_KEY", "a-very-secret-key")
    settings = read(ServingSettings)
    assert settings.require_customer_key() == "a-very-secret-key"
    assert "a-very-secret-key" not in repr(settings)
    with pytest.raises(NightshelfError, match="NIGHTSHELF_CUSTOMER_KEY is not set"):
        ServingSettings(customer_key="").require_customer_key()


def test_the_registry_is_the_database_below_home_unless_told_otherwise() -> None:
    assert ServingSettings(home="/shop", mlflow_uri="").tracking_uri == "sqlite:////shop/mlruns/mlflow.db"
    assert ServingSettings(mlflow_uri="http://mlflow:5000").tracking_uri == "http://mlflow:5000"
