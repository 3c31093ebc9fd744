"""Wrong input to the installed command: one line that says what to correct, exit code 1, no traceback."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ports import free_port

from pipelines.demo.api import app
from pipelines.demo.shop import Shop

COMMAND = Path(sys.executable).with_name("nightshelf")
SHOP = Shop(start=dt.date(2026, 9, 1), customers=300, products=200, orders_per_day=40)
PHONE = "79165396205"
PASSWORD = "not to be seen"
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
LINE = f"1,85123A,HEART,{{}},2011-12-01 10:00:00,2.55,{PHONE},France"
GOOD = "\n".join([HEADER, LINE.format(6), ""])
BAD = "\n".join([HEADER, LINE.format(0), ""])
FILES = ("retrain", "--source", "files", "--mapping", "online_retail_ii", "--path")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """One home for all commands: creating MLflow's database takes seconds."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def nightshelf(home, tmp_path):
    """A function that runs the command and returns its one line of error."""

    def run(*arguments, **variables):
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("NIGHTSHELF_")
        }
        overrides = {"NIGHTSHELF_HOME": str(home), "NIGHTSHELF_SHOP_TRIES": "1", **variables}
        process = subprocess.run(
            [COMMAND, *map(str, arguments)],
            check=False,
            env=environment | overrides,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert process.returncode == 1, process
        lines = process.stderr.splitlines()
        assert len(lines) == 1, process
        assert lines[0].startswith("nightshelf: ")
        for unwanted in ("Traceback", PHONE, PASSWORD):
            assert unwanted not in process.stdout + process.stderr
        return lines[0]

    return run


@pytest.fixture
def orders(tmp_path):
    """A function from the text of a CSV file to its path."""

    def write(text):
        (tmp_path / "orders.csv").write_text(text)
        return tmp_path / "orders.csv"

    return write


def shop(address, password=PASSWORD):
    return {
        "NIGHTSHELF_SHOP_URL": address,
        "NIGHTSHELF_SHOP_USER": "me",
        "NIGHTSHELF_SHOP_PASSWORD": password,
    }


def test_an_unreachable_shop(nightshelf):
    address = f"http://127.0.0.1:{free_port()}"
    message = nightshelf("retrain", **shop(address))
    assert f"the shop at {address} can't be reached" in message
    assert "NIGHTSHELF_SHOP_URL" in message


def test_a_wrong_password(nightshelf, serve):
    address = serve(app(SHOP, "me", PASSWORD, lambda: SHOP.start + dt.timedelta(days=1)))
    message = nightshelf("retrain", **shop(address, "another"))
    assert "refused user 'me'" in message
    assert "NIGHTSHELF_SHOP_PASSWORD" in message


def test_a_shop_without_orders(nightshelf, serve):
    address = serve(app(SHOP, "me", PASSWORD, lambda: SHOP.start))
    assert "no order line with a date" in nightshelf("retrain", **shop(address))


def test_a_missing_file(nightshelf):
    assert "there is no file 'nowhere.csv'" in nightshelf(*FILES, "nowhere.csv")


def test_a_missing_column(nightshelf, orders):
    without = GOOD.replace("UnitPrice", "Cost")
    assert "orders.csv has no column" in nightshelf(*FILES, orders(without))


def test_no_java_for_spark(nightshelf, orders, tmp_path):
    spark = {"NIGHTSHELF_SPARK_MASTER": "local[*]"}
    message = nightshelf(*FILES, orders(GOOD), PATH=str(tmp_path), JAVA_HOME="", **spark)
    assert "Spark needs Java 17 or newer" in message
    assert "default-jre-headless" in message


def test_a_day_of_bad_lines_is_rejected_by_validation(nightshelf, orders):
    assert "no order line is left after validation (fetched 1, bad_quantity 1)" in nightshelf(
        *FILES, orders(BAD)
    )


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        (["--as-of", "31.01.2026"], {}, "as-of '31.01.2026' is no date"),
        (["--sweep", "broom"], {}, "sweep.toml has no sweep 'broom': choose one of default, quick"),
        (["--source", "files", "--path", "."], {}, "there is no mapping ''"),
        ([], {"NIGHTSHELF_SOLVER": "abacus"}, "NIGHTSHELF_SOLVER"),
    ],
)
def test_a_wrong_option_or_setting_fails_before_the_nightly_run_begins(
    nightshelf, arguments, variables, message
):
    assert message in nightshelf("retrain", *arguments, **variables)


def test_compare_rollback_and_promote_fail_before_the_first_nightly_run(nightshelf):
    assert "no model serves yet" in nightshelf("compare")
    assert "no version served before this one" in nightshelf("rollback", "--reason", "none")
    assert "the registry has no version '1'" in nightshelf("promote", "1", "--reason", "none")


def test_export_fails_without_a_model_and_with_contradictory_options(nightshelf):
    assert "the registry has no" in nightshelf("export", "--to", "out.csv")
    command = ("export", "--to", "out.csv", "--products")
    for option in (["--lane", "discover"], ["--pseudonyms"]):
        assert "--products exports no customers" in nightshelf(*command, *option)
