"""The commands `inspect` and `check-source`: exit codes, the JSON object, no traceback, nothing changed."""

import json
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import published
import pytest

from pipelines.cli import main
from pipelines.settings import settings

KEYS = {"fetched", "used", "orders", "customers", "products", "left_out", "warnings", "would_stop"}


@dataclass(frozen=True)
class Finished:
    """What a command returned and printed."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def nightshelf(tmp_path, monkeypatch, capsys):
    """A function that runs the command in this process, in a home of its own, and returns what it did."""
    (home := tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NIGHTSHELF_HOME", str(home))
    monkeypatch.delenv("NIGHTSHELF_CUSTOMER_KEY", raising=False)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["nightshelf", *map(str, arguments)])
        settings.cache_clear()
        capsys.readouterr()  # what the fixtures printed
        with pytest.raises(SystemExit) as exit_:
            main()
        assert list(home.iterdir()) == []
        return Finished(exit_.value.code or 0, *capsys.readouterr())

    yield run
    settings.cache_clear()


@pytest.fixture
def orders(tmp_path, seed):
    """The path of a WooCommerce export, and what was bought."""
    drawn = published.draw(seed, orders=4000)  # enough that no day is unusual by chance
    return published.woocommerce(drawn, tmp_path), drawn


def test_a_guessed_mapping_passes_the_check(nightshelf, orders, tmp_path):
    path, drawn = orders
    looked = nightshelf("inspect", path, "--to", "shop.toml")
    assert looked.returncode == 0
    assert "shop.example" not in looked.stdout  # customers are masked
    checked = nightshelf(
        "check-source", "--source", "files", "--mapping", "shop.toml", "--path", path, "--json"
    )
    assert checked.returncode == 0
    result = json.loads(checked.stdout)
    assert result.keys() == KEYS
    cancelled = len(drawn.lines) - len(drawn.bought)
    assert result["left_out"] == {"cancelled": cancelled}
    assert (result["fetched"], result["used"]) == (len(drawn.lines), len(drawn.bought))
    sizes = [len({getattr(line, name) for line in drawn.bought}) for name in ("order", "customer", "product")]
    assert [result[name] for name in ("orders", "customers", "products")] == sizes
    assert result["would_stop"] is None


def test_a_source_that_would_stop_says_why(nightshelf, orders, tmp_path):
    path, drawn = orders
    path.write_text(path.read_text().replace("quantity:", "quantity:several "))
    checked = nightshelf(
        "check-source", "--source", "files", "--mapping", "woocommerce_csv", "--path", path, "--json"
    )
    assert checked.returncode == 1
    result = json.loads(checked.stdout)
    assert result["fetched"] == len(drawn.lines)
    assert result["left_out"]["bad_quantity"] == len(drawn.bought)
    assert result["would_stop"]


@pytest.mark.parametrize(
    ("mapping", "path"),
    [
        ("nothing.toml", "orders.csv"),
        ("wrong.toml", "orders.csv"),
        ("shopify_csv", "orders.csv"),
        ("ta_feng", "no.csv"),
    ],
)
def test_a_file_that_cannot_be_read_would_stop_the_run(mapping, path, nightshelf, orders, tmp_path):
    (tmp_path / "wrong.toml").write_text("[columns")
    checked = nightshelf("check-source", "--source", "files", "--mapping", mapping, "--path", path, "--json")
    result = json.loads(checked.stdout)
    assert checked.returncode == 1
    assert result["fetched"] == 0
    assert result["would_stop"]


def test_a_message_about_a_wrong_column_quotes_the_nearest_names(nightshelf, orders, tmp_path):
    path, _ = orders
    mapping = Path(__file__).parents[1] / "pipelines/extract/mappings/woocommerce_csv.toml"
    (tmp_path / "near.toml").write_text(mapping.read_text().replace('"order_date"', '"orderdate"'))
    checked = nightshelf(
        "check-source", "--source", "files", "--mapping", "near.toml", "--path", path, "--json"
    )
    assert "'order_date'" in json.loads(checked.stdout)["would_stop"]


def test_the_mapping_is_not_overwritten(nightshelf, orders, tmp_path):
    path, _ = orders
    (tmp_path / "shop.toml").write_text("# mine")
    assert nightshelf("inspect", path, "--to", "shop.toml").returncode == 1
    assert (tmp_path / "shop.toml").read_text() == "# mine"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x01\x02" * 400,
        b"one line",
        b"1;2;3\n4;5;6\n",
        b"a,b\n1,2\n",
        b'"never closed\n' * 50,
        b"{}",
        b"[1, 2]",
    ],
)
def test_inspecting_a_file_without_orders_exits_with_1(content, nightshelf, tmp_path):
    for name in ("orders.csv", "orders.json", "orders.xlsx", "orders.parquet"):
        (tmp_path / name).write_bytes(content)
        assert nightshelf("inspect", name, "--to", f"{name}.toml").returncode == 1
        if (tmp_path / f"{name}.toml").exists():
            tomllib.loads((tmp_path / f"{name}.toml").read_text())
