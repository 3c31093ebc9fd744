"""`nightshelf prepare`: what the containers of the servers find done."""

import json
from importlib.metadata import version

import pytest

from pipelines.settings import settings
from pipelines.stack.containers import prepare
from serving import keys
from serving.errors import NightshelfError

KEY = "the secret of a key, long enough to be no guess"


@pytest.fixture
def airflow(home, monkeypatch):
    """Airflow's home, whose database is of this version already."""
    folder = home / "airflow"
    monkeypatch.setenv("AIRFLOW_HOME", str(folder))
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(folder / "passwords.json"))
    monkeypatch.setenv("NIGHTSHELF_AIRFLOW_PASSWORD", "a password")
    folder.mkdir()
    (folder / "migrated-to").write_text(version("apache-airflow-core"))
    return folder


def prepared(monkeypatch, secret):
    monkeypatch.setenv("NIGHTSHELF_SERVICE_KEY", secret)
    settings.cache_clear()
    prepare(settings())
    return keys.load(settings().keys_path)


def test_airflow_knows_its_user(airflow, monkeypatch):
    prepared(monkeypatch, KEY)
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
