"""The environment of the stack's programs, and Airflow's home."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from pipelines.settings import Settings
from pipelines.stack.airflow_home import prepare_home
from pipelines.stack.environment import AIRFLOW_LIMITS, environment
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


def test_holds_the_settings_and_the_secrets(settings, home):
    variables = environment(settings)
    assert variables["NIGHTSHELF_HOME"] == str(home)
    assert variables["NIGHTSHELF_CUSTOMER_KEY"] == "customer key"
    assert variables["NIGHTSHELF_SHOP_PASSWORD"] == "shop password"
    assert variables["NIGHTSHELF_MLFLOW_URI"] == "http://127.0.0.1:5123"
    assert variables["AIRFLOW__API_AUTH__JWT_SECRET"] == "jwt secret"
    assert variables["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8123/execution/"


def test_settings_read_from_the_environment_are_the_same(settings, monkeypatch):
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings.model_copy(update={"mlflow_uri": "http://127.0.0.1:5123"})


def test_lets_programs_write_bytecode(settings, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in environment(settings)


@pytest.mark.parametrize("name", AIRFLOW_LIMITS)
def test_airflow_has_each_limit_and_a_tighter_default(name):
    section, option = name.lower().split("__")
    reference = Path(find_spec("airflow").origin).with_name("config_templates") / "config.yml"
    default = yaml.safe_load(reference.read_text())[section]["options"][option]["default"]
    assert AIRFLOW_LIMITS[name] > float(default)


def test_a_limit_that_the_user_sets_takes_precedence(settings, monkeypatch):
    monkeypatch.setenv("AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT", "7")
    assert environment(settings)["AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT"] == "7"


def test_uses_an_mlflow_that_runs_elsewhere(settings):
    elsewhere = settings.model_copy(update={"mlflow_uri": "http://mlflow.example"})
    assert environment(elsewhere)["NIGHTSHELF_MLFLOW_URI"] == "http://mlflow.example"


def test_missing_secrets_are_an_error_naming_them(home):
    with pytest.raises(
        NightshelfError, match="NIGHTSHELF_AIRFLOW_PASSWORD, NIGHTSHELF_AIRFLOW_JWT_SECRET is not"
    ):
        environment(Settings())


def test_airflows_home_is_prepared_once_and_its_password_file_is_private(settings, capsys):
    variables = environment(settings)
    prepare_home(settings, variables)
    assert "Preparing" in capsys.readouterr().out
    home = settings.state / "airflow"
    assert json.loads((home / "passwords.json").read_text()) == {"admin": "airflow password"}
    assert (home / "passwords.json").stat().st_mode & 0o777 == 0o600
    assert (home / "airflow.db").exists()

    prepare_home(settings, variables)
    assert capsys.readouterr().out == ""
