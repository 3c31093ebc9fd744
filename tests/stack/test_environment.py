import json

import pytest

from pipelines.settings import Settings
from pipelines.stack.airflow_home import prepare_home
from pipelines.stack.environment import environment
from serving.errors import NightshelfError

SECRETS = {
    "customer_key": "customer key",
    "airflow_password": "airflow password",
    "airflow_jwt_secret": "jwt secret",
    "shop_password": "shop password",
}


@pytest.fixture
def settings(home):
    return Settings(airflow_port=8123, mlflow_port=5123, **SECRETS)


def test_programs_get_the_settings_and_the_secrets(settings, home):
    found = environment(settings)
    assert found["NIGHTSHELF_HOME"] == str(home)
    assert found["NIGHTSHELF_CUSTOMER_KEY"] == "customer key"
    assert found["NIGHTSHELF_SHOP_PASSWORD"] == "shop password"
    assert found["NIGHTSHELF_MLFLOW_URI"] == "http://127.0.0.1:5123"
    assert found["AIRFLOW__API_AUTH__JWT_SECRET"] == "jwt secret"
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8123/execution/"


def test_settings_survive_the_way_through_the_environment(settings, monkeypatch):
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings.model_copy(update={"mlflow_uri": "http://127.0.0.1:5123"})


def test_programs_may_write_bytecode(settings, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in environment(settings)


def test_nothing_calls_home(settings):
    found = environment(settings)
    assert found["BENTOML_DO_NOT_TRACK"] == "True"
    assert found["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert found["GX_ANALYTICS_ENABLED"] == "false"


def test_an_mlflow_elsewhere_is_the_one_that_is_used(settings):
    elsewhere = settings.model_copy(update={"mlflow_uri": "http://mlflow.example"})
    assert environment(elsewhere)["NIGHTSHELF_MLFLOW_URI"] == "http://mlflow.example"


def test_a_secret_that_is_missing_is_named(home):
    with pytest.raises(
        NightshelfError, match="NIGHTSHELF_AIRFLOW_PASSWORD, NIGHTSHELF_AIRFLOW_JWT_SECRET is not"
    ):
        environment(Settings())


def test_the_home_of_airflow_is_made_once_and_its_password_is_kept_from_others(settings, capsys):
    variables = environment(settings)
    prepare_home(settings, variables)
    assert "Preparing" in capsys.readouterr().out
    home = settings.state / "airflow"
    assert json.loads((home / "passwords.json").read_text()) == {"admin": "airflow password"}
    assert (home / "passwords.json").stat().st_mode & 0o777 == 0o600
    assert (home / "airflow.db").exists()

    prepare_home(settings, variables)
    assert capsys.readouterr().out == ""
