import pytest
from runs import decided, run

from pipelines.report.banner import banner, conditions

NDCG = {"ndcg_at_10_for_you": 0.4}
MET = "it met all 2 conditions, with NDCG@10 0.400 in for-you."


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (
            decided("FIRST", ["a", "b"], against=""),
            f"Version 7 is the first model and serves: {MET}",
        ),
        (
            decided("PROMOTED", ["a", "b"], against="6"),
            f"Version 7 took the place of version 6: {MET}",
        ),
        (
            decided("REFUSED", ["discover: worse", "b", "c"], against="6"),
            "Version 7 was refused and version 6 serves on: discover: worse, and 2 more.",
        ),
        (decided("REFUSED", ["worse"], against=""), "Version 7 was refused and none serves yet: worse."),
    ],
)
def test_a_night_that_came_to_its_end_says_its_verdict(tags, said):
    found = banner(run(metrics=NDCG, tags=tags), "6")
    assert (found.word, found.sentence) == (tags["verdict"], said)


def test_a_stopped_night_says_where_and_why():
    reason = "validation stopped the night: 86 orders, usual is 162"
    for failed in (reason, f"validate: {reason}"):  # as `retrain` and as Airflow write it
        found = banner(run("FAILED", tags={"stopped_at": "validate", "failed": failed}), "6")
        assert found.sentence == "The night stopped in the step validate; version 6 serves on."
        assert (found.word, found.kind, found.more) == ("STOPPED", "bad", reason)


def test_airflow_may_ask_for_the_report_before_it_told_mlflow_of_the_failure():
    assert banner(run("RUNNING", tags={"stopped_at": "extract"})).word == "STOPPED"


def test_a_try_that_failed_before_one_that_did_not_is_no_end():
    tried = {"stopped_at": "extract"} | decided("PROMOTED", against="6")
    assert banner(run(metrics={"seconds_extract": 3.0}, tags=tried)).word == "PROMOTED"
    assert banner(run("RUNNING", metrics={"seconds_extract": 3.0}, tags=tried)).word == "UNFINISHED"


def test_a_version_that_was_published_and_then_found_unsound_is_not_said_to_be_stopped_before():
    tags = {"stopped_at": "smoke", "failed": "version 7 serves and is not sound"} | decided("PROMOTED")
    found = banner(run("FAILED", tags=tags), "7")
    assert found.sentence == "The night stopped in the step smoke, after its version was published."


def test_conditions_that_were_not_met_come_first():
    told = [{"name": "a", "met": True, "told": ""}, {"name": "b", "met": False, "told": ""}]
    assert [one["name"] for one in conditions({"conditions": told})] == ["b", "a"]
    assert conditions({}) == []
