"""`nightshelf prepare-containers`: what it prepares for the servers' containers."""

import json
import sqlite3
from contextlib import closing

import pytest

from pipelines.settings import settings
from pipelines.stack.containers import prepare
from serving.access import keys
from serving.errors import NightshelfError

KEY = "an API key that is long enough not to be guessed"


@pytest.fixture
def airflow(home, monkeypatch):
    """Airflow's home folder, where its database is too."""
    folder = home / "airflow"
    monkeypatch.setenv("AIRFLOW_HOME", str(folder))
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(folder / "passwords.json"))
    monkeypatch.setenv("NIGHTSHELF_AIRFLOW_PASSWORD", "a password")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{folder}/airflow.db")
    return folder


def prepare_with_key(monkeypatch, secret):
    """The API keys that the service knows after `prepare` with this NIGHTSHELF_SERVICE_KEY."""
    monkeypatch.setenv("NIGHTSHELF_SERVICE_KEY", secret)
    settings.cache_clear()
    prepare(settings())
    return keys.load(settings().keys_path)


def test_writes_the_password_and_migrates_a_new_database_each_time(airflow, monkeypatch):
    for _ in range(2):  # the second time the home exists, and the database doesn't
        prepare_with_key(monkeypatch, KEY)
        with closing(sqlite3.connect(airflow / "airflow.db")) as database:
            assert database.execute("SELECT count(*) FROM dag_run").fetchone() == (0,)
        (airflow / "airflow.db").unlink()
    assert json.loads((airflow / "passwords.json").read_text()) == {"admin": "a password"}


def test_a_new_service_key_replaces_the_previous_one(airflow, monkeypatch):
    stored = prepare_with_key(monkeypatch, KEY)
    assert keys.find(stored, KEY).scope == "read"
    keys.add(settings().keys_path, "shop", "write")
    stored = prepare_with_key(monkeypatch, KEY[::-1])
    assert keys.find(stored, KEY) is None
    assert keys.find(stored, KEY[::-1]).name == "nightshelf"
    assert {key.name for key in stored} == {"shop", "nightshelf"}


@pytest.mark.parametrize("secret", ["", "guessable"])
def test_refuses_a_key_that_could_be_guessed(airflow, monkeypatch, secret):
    with pytest.raises(NightshelfError, match="32 random characters") as caught:
        prepare_with_key(monkeypatch, secret)
    assert not secret or secret not in str(caught.value)
    assert not settings().keys_path.exists()
