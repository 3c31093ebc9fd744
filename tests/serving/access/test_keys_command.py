"""`nightshelf keys`: a key is shown once, listed without its secret, and taken back."""

import pytest
from typer.testing import CliRunner

from pipelines import cli
from serving.access import keys


@pytest.fixture
def run(home):
    """A function that runs the command and returns what it prints."""

    def ended(*arguments):
        result = CliRunner().invoke(cli.app, ["keys", *arguments])
        assert result.exit_code == 0, result.output
        return result.output.strip()

    return ended


def test_the_life_of_a_key(run, home):
    secret = run("add", "shop", "--scope", "read")
    assert keys.matching(keys.load(home / "keys"), secret).name == "shop"
    run("add", "cron", "--scope", "write")
    assert run("list") == "shop read\ncron write"
    run("remove", "shop")
    assert run("list") == "cron write"
    assert keys.matching(keys.load(home / "keys"), secret) is None


def test_the_file_may_lie_elsewhere(run, home, monkeypatch):
    monkeypatch.setenv("NIGHTSHELF_KEYS_FILE", str(home / "secrets" / "shop"))
    cli.settings.cache_clear()
    run("add", "shop", "--scope", "admin")
    assert [key.name for key in keys.load(home / "secrets" / "shop")] == ["shop"]
    assert not (home / "keys").exists()


@pytest.mark.parametrize("arguments", [["remove", "nobody"], ["add", "two words", "--scope", "read"]])
def test_a_mistake_is_one_line(home, monkeypatch, capsys, arguments):
    monkeypatch.setattr("sys.argv", ["nightshelf", "keys", *arguments])
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    told = capsys.readouterr().err
    assert told.startswith("nightshelf: ")
    assert told.count("\n") == 1


def test_a_scope_is_one_of_three(home):
    result = CliRunner().invoke(cli.app, ["keys", "add", "shop", "--scope", "root"])
    assert result.exit_code == 2
    assert not (home / "keys").exists()
