"""Settings: errors name wrong settings, secrets are masked, and the documentation lists all settings."""

import datetime as dt
import re

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.settings import Settings, settings, write_env
from serving.errors import NightshelfError
from serving.settings import PROJECT

pytestmark = pytest.mark.fast

PAGE = PROJECT / "docs" / "settings.md"
ROW = re.compile(r"^\| `NIGHTSHELF_(\w+)` \| (.*?) \| (.*?) \|$", re.MULTILINE)
SECRETS = [name for name, field in Settings.model_fields.items() if field.annotation is SecretStr]


@pytest.fixture
def read_settings(home, monkeypatch):
    """A function that sets variables and reads the settings anew."""

    def read(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"NIGHTSHELF_{name}", value)
        settings.cache_clear()
        return settings()

    return read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SOURCE", "ftp"),
        ("SOLVER", "pen and paper"),
        ("SHOP_CONCURRENCY", "0"),
        ("SHOP_PAGE_SIZE", "many"),
        ("SHOP_TIMEOUT", "-17"),
        ("SHOP_TRIES", "0"),
        ("QUARANTINE_SHARE", "5%"),
        ("QUARANTINE_SHARE", "1.5"),
        ("DEMO_START", "yesterday"),
        ("SHOP_PORT", "harbour"),
    ],
)
def test_a_wrong_setting_is_an_error_of_one_line_without_its_value(read_settings, name, value):
    with pytest.raises(NightshelfError) as caught:
        read_settings(**{name: value})
    assert re.fullmatch(rf"wrong settings: NIGHTSHELF_{name}: [^\n]+", str(caught.value))
    assert value not in str(caught.value).replace("1.5", "").split()


def test_all_wrong_settings_are_named_at_once(read_settings):
    with pytest.raises(NightshelfError, match=r"NIGHTSHELF_SOURCE: .*; NIGHTSHELF_SHOP_TRIES: "):
        read_settings(SOURCE="ftp", SHOP_TRIES="none")


def test_the_environment_overrides_the_file_and_an_empty_variable_counts_as_unset(home, read_settings):
    (home / ".env").write_text("NIGHTSHELF_SWEEP=quick\nNIGHTSHELF_SHOP_USER=me\nNIGHTSHELF_SHOP_TRIES=2\n")
    actual = read_settings(SHOP_USER="you", SHOP_TRIES="")
    assert (actual.sweep, actual.shop_user, actual.shop_tries) == ("quick", "you", 2)
    assert actual.lake_url == str(home / "lake")


def test_config_prints_every_setting_and_no_secret(read_settings):
    secrets = {name: f"hidden {name}" for name in SECRETS}
    read_settings(**{name.upper(): value for name, value in secrets.items()})
    output = CliRunner().invoke(app, ["config"]).output
    assert len(SECRETS) == 9
    assert [name for name in Settings.model_fields if f"NIGHTSHELF_{name.upper()}=" not in output] == []
    assert [value for value in secrets.values() if value in output] == []
    assert "NIGHTSHELF_SHOP_TRIES=5\n" in output


def test_a_token_in_the_address_of_spark_connect_is_an_error(read_settings):
    with pytest.raises(NightshelfError, match="SPARK_CONNECT_AUTHENTICATE_TOKEN") as caught:
        read_settings(SPARK_MASTER="sc://spark.example:15002/;token=hidden")
    assert "hidden" not in str(caught.value)


def test_the_env_file_is_written_once_for_its_owner_alone(home, monkeypatch):
    monkeypatch.delenv("NIGHTSHELF_CUSTOMER_KEY")
    file = home / ".env"
    assert write_env()
    text = file.read_text()
    assert oct(file.stat().st_mode & 0o777) == oct(0o600)
    assert not write_env()
    assert file.read_text() == text
    written = settings()
    without_default = ("sql_url", "store_url", "service_key", "shop_token")
    generated = [name for name in SECRETS if name not in without_default]
    values = [getattr(written, name).get_secret_value() for name in generated]
    assert len(set(values)) == len(values)
    assert min(map(len, values)) >= 12
    assert written.demo_start == dt.datetime.now(dt.UTC).date() - dt.timedelta(days=60)
    file.unlink()
    assert write_env()
    assert not {value for value in values if value in file.read_text()}


def test_the_documentation_lists_every_setting_as_it_is():
    rows = ROW.findall(PAGE.read_text())
    documented = [(name.lower(), default.strip("` "), description) for name, default, description in rows]
    actual = [(name, _default(field), field.description) for name, field in Settings.model_fields.items()]
    assert documented == actual, "run: .venv/bin/python -m docs.settings_table"


def _default(field):
    if field.default_factory:
        return "the project's folder"
    return "" if field.default is None or field.annotation is SecretStr else str(field.default)
