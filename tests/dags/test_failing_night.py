"""A nightly run in Airflow whose step `extract` fails: the shop refuses the password of the connection."""

import html
import json
import re
import sqlite3

import pytest
from airflows import demo_shop_of, run_nightly, written
from mlflow import MlflowClient

SECRET = "n0t-t0-be-seen"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def night(home):
    """The completed `airflow dags test nightly` at a shop that refuses the password."""
    with demo_shop_of("another password") as connection:
        shop = json.dumps(connection | {"password": SECRET})
        return run_nightly(home, {"as_of": "2026-09-30"}, AIRFLOW_CONN_NIGHTSHELF_SHOP=shop)


@pytest.fixture(scope="module")
def logged(night, home):
    """The run in MLflow."""
    client = MlflowClient(f"sqlite:///{home / 'mlruns' / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("nightly").experiment_id])
    return run


def test_the_task_fails_at_once(night):
    assert night.returncode == 1
    assert "task_id=extract" in night.stdout
    assert "up_for_retry" not in night.stdout.lower()
    assert "task_id=validate" not in night.stdout


def test_the_run_in_mlflow_fails_with_the_message_of_the_task(night, logged):
    task, _, message = logged.data.tags["failed"].partition(": ")
    assert (task, logged.info.status) == ("extract", "FAILED")
    assert re.search(r"'me'.*\(401\)", message)
    assert f"AirflowFailException: {message}" in night.stdout


def test_its_report_shows_where_and_why_it_stopped(night, logged, home):
    report = (home / "nights" / "2026-09-30.html").read_text()
    _, _, message = logged.data.tags["failed"].partition(": ")
    assert "The nightly run stopped in step extract." in report
    assert message in html.unescape(report)
    assert "No order lines were checked" in report


def test_the_button_of_the_task_leads_to_the_report(night, home):
    with sqlite3.connect(home / "airflow" / "airflow.db") as database:
        ((link,),) = database.execute("SELECT value FROM xcom WHERE key = '_link_NightReport'").fetchall()
    assert json.loads(link) == "http://127.0.0.1:3000/nights/2026-09-30"


def test_the_password_is_written_nowhere(night, home):
    assert SECRET not in night.stdout
    assert SECRET not in written(home)
