"""The banner of a night report: verdict, sentence and conditions."""

import pytest
from runs import gate_tags, run

from pipelines.report.banner import banner, conditions

NDCG = {"ndcg_at_10_for_you": 0.4}
MET = "it met all 2 conditions, with NDCG@10 0.400 in for-you."


@pytest.mark.parametrize(
    ("tags", "sentence"),
    [
        (
            gate_tags("FIRST", ["a", "b"], against=""),
            f"Version 7 is the first model and now serves: {MET}",
        ),
        (
            gate_tags("PROMOTED", ["a", "b"], against="6"),
            f"Version 7 replaces version 6: {MET}",
        ),
        (
            gate_tags("REFUSED", ["discover: worse", "b", "c"], against="6"),
            "The gate refused version 7, and version 6 keeps serving: discover: worse, and 2 more.",
        ),
        (
            gate_tags("REFUSED", ["worse"], against=""),
            "The gate refused version 7, and no version serves yet: worse.",
        ),
    ],
)
def test_a_finished_run_shows_the_gates_verdict(tags, sentence):
    shown = banner(run(metrics=NDCG, tags=tags), "6")
    assert (shown.verdict, shown.sentence) == (tags["verdict"], sentence)


def test_a_stopped_run_shows_step_and_reason():
    reason = "validation rejected the nightly run: 86 orders, usual is 162"
    for failed in (reason, f"validate: {reason}"):  # as `retrain` and as Airflow write it
        shown = banner(run("FAILED", tags={"stopped_at": "validate", "failed": failed}), "6")
        assert shown.sentence == "The nightly run stopped in step validate; version 6 keeps serving."
        assert (shown.verdict, shown.kind, shown.detail) == ("STOPPED", "bad", reason)


def test_a_run_that_stopped_but_still_runs_in_mlflow_is_stopped():
    """Airflow may start the step report before it ends the run in MLflow."""
    assert banner(run("RUNNING", tags={"stopped_at": "extract"})).verdict == "STOPPED"


def test_a_step_that_failed_and_then_succeeded_does_not_count_as_stopped():
    retried = {"stopped_at": "extract"} | gate_tags("PROMOTED", against="6")
    assert banner(run(metrics={"seconds_extract": 3.0}, tags=retried)).verdict == "PROMOTED"
    assert banner(run("RUNNING", metrics={"seconds_extract": 3.0}, tags=retried)).verdict == "UNFINISHED"


def test_a_run_that_stopped_in_smoke_says_that_its_version_is_published():
    tags = {"stopped_at": "smoke", "failed": "version 7 serves and is not sound"} | gate_tags("PROMOTED")
    shown = banner(run("FAILED", tags=tags), "7")
    assert shown.sentence == "The nightly run stopped in step smoke, after it had published its version."


def test_conditions_not_met_come_first():
    rows = [{"name": "a", "met": True, "told": ""}, {"name": "b", "met": False, "told": ""}]
    assert [row["name"] for row in conditions({"conditions": rows})] == ["b", "a"]
    assert conditions({}) == []
