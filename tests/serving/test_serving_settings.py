"""Settings come from the environment; errors name the setting and not its value."""

import pytest

from serving.errors import NightshelfError
from serving.settings import ServingSettings, read


def test_names_every_invalid_setting_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHELF_FOLLOW_SECONDS", "-17")
    monkeypatch.setenv("NIGHTSHELF_SERVING_PORT", "harbour")
    with pytest.raises(NightshelfError) as raised:
        read(ServingSettings)
    assert "NIGHTSHELF_FOLLOW_SECONDS: " in str(raised.value)
    assert "NIGHTSHELF_SERVING_PORT: " in str(raised.value)
    assert "-17" not in str(raised.value)
    assert "harbour" not in str(raised.value)


def test_requires_the_customer_key_and_never_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHELF_CUSTOMER_KEY", "a-very-secret-key")
    settings = read(ServingSettings)
    assert settings.require_customer_key() == "a-very-secret-key"
    assert "a-very-secret-key" not in repr(settings)
    with pytest.raises(NightshelfError, match="NIGHTSHELF_CUSTOMER_KEY is not set"):
        ServingSettings(customer_key="").require_customer_key()


def test_the_registry_is_a_database_in_home_by_default() -> None:
    assert ServingSettings(home="/shop", mlflow_uri="").tracking_uri == "sqlite:////shop/mlruns/mlflow.db"
    assert ServingSettings(mlflow_uri="http://mlflow:5000").tracking_uri == "http://mlflow:5000"
