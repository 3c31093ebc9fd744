"""`nightshelf keys`: adds a key and shows its secret once, lists keys without secrets, removes a key."""

import pytest
from typer.testing import CliRunner

from pipelines import cli
from pipelines.settings import settings
from serving.access import keys


@pytest.fixture
def run(home):
    """A function that runs the command and returns its output."""

    def run_command(*arguments):
        result = CliRunner().invoke(cli.app, ["keys", *arguments])
        assert result.exit_code == 0, result.output
        return result.output.strip()

    return run_command


def test_adds_lists_and_removes_keys(run, home):
    secret = run("add", "shop", "--scope", "read")
    assert keys.find(keys.load(home / "keys"), secret).name == "shop"
    run("add", "cron", "--scope", "write")
    assert run("list") == "shop read\ncron write"
    run("remove", "shop")
    assert run("list") == "cron write"
    assert keys.find(keys.load(home / "keys"), secret) is None


def test_uses_the_file_of_the_setting(run, home, monkeypatch):
    monkeypatch.setenv("NIGHTSHELF_KEYS_FILE", str(home / "secrets" / "shop"))
    settings.cache_clear()
    run("add", "shop", "--scope", "admin")
    assert [key.name for key in keys.load(home / "secrets" / "shop")] == ["shop"]
    assert not (home / "keys").exists()


@pytest.mark.parametrize("arguments", [["remove", "nobody"], ["add", "two words", "--scope", "read"]])
def test_reports_a_mistake_in_one_line(home, monkeypatch, capsys, arguments):
    monkeypatch.setattr("sys.argv", ["nightshelf", "keys", *arguments])
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    message = capsys.readouterr().err
    assert message.startswith("nightshelf: ")
    assert message.count("\n") == 1


def test_rejects_an_unknown_scope(home):
    result = CliRunner().invoke(cli.app, ["keys", "add", "shop", "--scope", "root"])
    assert result.exit_code == 2
    assert not (home / "keys").exists()
