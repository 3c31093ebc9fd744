"""`nightshelf prepare`: what the containers of the servers find done."""

import json
import sqlite3
from contextlib import closing

import pytest

from pipelines.settings import settings
from pipelines.stack.containers import prepare
from serving.access import keys
from serving.errors import NightshelfError

KEY = "the secret of a key, long enough to be no guess"


@pytest.fixture
def airflow(home, monkeypatch):
    """Airflow's home, with its database."""
    folder = home / "airflow"
    monkeypatch.setenv("AIRFLOW_HOME", str(folder))
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(folder / "passwords.json"))
    monkeypatch.setenv("NIGHTSHELF_AIRFLOW_PASSWORD", "a password")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{folder}/airflow.db")
    return folder


def prepared(monkeypatch, secret):
    monkeypatch.setenv("NIGHTSHELF_SERVICE_KEY", secret)
    settings.cache_clear()
    prepare(settings())
    return keys.load(settings().keys_path)


def test_airflow_knows_its_user_and_a_database_that_is_new_gets_its_tables(airflow, monkeypatch):
    for _ in range(2):  # the second time the home is known, and the database isn't
        prepared(monkeypatch, KEY)
        with closing(sqlite3.connect(airflow / "airflow.db")) as database:
            assert database.execute("SELECT count(*) FROM dag_run").fetchone() == (0,)
        (airflow / "airflow.db").unlink()
    assert json.loads((airflow / "passwords.json").read_text()) == {"admin": "a password"}


def test_the_service_knows_the_key_and_only_the_latest(airflow, monkeypatch):
    known = prepared(monkeypatch, KEY)
    assert keys.matching(known, KEY).scope == "read"
    keys.add(settings().keys_path, "shop", "write")
    known = prepared(monkeypatch, KEY[::-1])
    assert keys.matching(known, KEY) is None
    assert keys.matching(known, KEY[::-1]).name == "nightshelf"
    assert {key.name for key in known} == {"shop", "nightshelf"}


@pytest.mark.parametrize("secret", ["", "short"])
def test_a_key_that_could_be_guessed_is_refused(airflow, monkeypatch, secret):
    with pytest.raises(NightshelfError, match="32 random letters") as caught:
        prepared(monkeypatch, secret)
    assert not secret or secret not in str(caught.value)
    assert not settings().keys_path.exists()
