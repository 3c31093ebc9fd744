"""The DAG `nightly` as Airflow loads it: its tasks, their order, limits and documentation."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DAGS = Path(__file__).parents[2] / "dags"


def described(folder, **settings):
    """The DAG as `describe.py` prints it, with these settings."""
    env = os.environ | {"AIRFLOW_HOME": str(folder), "NIGHTSHELF_HOME": str(folder), **settings}
    describe = [sys.executable, Path(__file__).with_name("describe.py"), DAGS]
    output = subprocess.run(describe, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(output.splitlines()[-1])


@pytest.fixture(scope="module")
def dag(tmp_path_factory):
    """The DAG with the default settings."""
    return described(tmp_path_factory.mktemp("airflow"))


def test_airflow_loads_it_without_errors_and_warnings(dag):
    assert dag["errors"] == {}
    assert dag["warnings"] == []


def test_loading_it_imports_no_heavy_package(dag):
    assert dag["heavy"] == []


def test_the_steps_follow_one_another(dag):
    after = {name: set(task["after"]) - {"begin"} for name, task in dag["tasks"].items()}
    assert after == {
        "begin": set(),
        "extract": set(),
        "validate": {"extract"},
        "prepare": {"validate"},
        "backtest_champion": {"prepare"},
        "candidates": {"backtest_champion"},
        "sweep": {"candidates"},
        "association_rules": {"backtest_champion"},
        "evaluate": {"sweep", "association_rules"},
        "register": {"evaluate"},
        "gate": {"register"},
        "publish": {"gate"},
        "smoke": {"publish"},
        "report": {"smoke"},
    }


def test_candidates_are_mapped_and_carry_their_names(dag):
    assert [name for name, task in dag["tasks"].items() if task["mapped"]] == ["sweep"]
    assert "candidate" in dag["template"]


def test_it_runs_daily_one_run_at_a_time_and_without_catchup(dag):
    assert dag["schedule"] == ["0 0 * * *", "0:00:00"]
    assert (dag["catchup"], dag["max_active_runs"]) == (False, 1)


def test_the_schedule_and_its_time_zone_are_settings(tmp_path):
    dag = described(tmp_path, NIGHTSHELF_SCHEDULE="03:30", NIGHTSHELF_TIMEZONE="Asia/Tokyo")
    assert (dag["schedule"][0], dag["timezone"], dag["errors"]) == ("30 3 * * *", "Asia/Tokyo", {})
    assert dag["last_day"]["scheduled"] == "2026-11-20"


def test_the_trigger_form_has_every_option_of_a_run(dag):
    empty = dict.fromkeys(["as_of", "source", "path", "mapping", "let_pass", "sweep", "solver"])
    assert dag["defaults"] == empty | {"full": False}
    assert dag["params"]["as_of"]["format"] == "date"
    assert dag["params"]["source"]["enum"] == [None, "shop-api", "files", "sql"]
    assert dag["params"]["solver"]["enum"] == [None, "auto", "implicit", "spark"]


def test_only_extract_is_retried(dag):
    assert [name for name, task in dag["tasks"].items() if task["retries"]] == ["extract"]


def test_every_task_has_a_timeout_and_a_documentation(dag):
    assert all(0 < task["timeout"] <= 4 * 3600 for task in dag["tasks"].values())
    assert all(task["doc"] for task in dag["tasks"].values())
    assert all(f"**{name}**" in dag["doc"] for name in dag["tasks"])


def test_every_failing_task_ends_the_run_in_mlflow(dag):
    assert {tuple(task["failure"]) for task in dag["tasks"].values()} == {("close_failed",)}


def test_tables_and_model_are_assets(dag):
    outlets = {name: task["outlets"] for name, task in dag["tasks"].items() if task["outlets"]}
    assert outlets == {"validate": ["orders"], "prepare": ["baskets", "interactions"], "publish": ["model"]}


def test_smoke_runs_also_if_the_gate_refused_the_model(dag):
    assert dag["tasks"]["smoke"]["rule"] == "none_failed"


def test_the_report_is_written_however_the_run_ends_and_hides_no_failure(dag):
    report = dag["tasks"]["report"]
    assert (report["rule"], report["teardown"], report["fails_the_run"]) == (
        "all_done_setup_success",
        True,
        False,
    )
    assert report["links"] == ["Night report"]


def test_a_scheduled_run_ends_with_the_day_before_and_a_manual_run_with_the_last_of_its_source(dag):
    assert dag["last_day"] == {"scheduled": "2026-11-20", "backfill": "2026-11-20", "manual": None}
