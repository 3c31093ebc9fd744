from dataclasses import replace

from runs import record, run

from pipelines.report.steps import stages


def test_a_night_that_broke_off_shows_what_was_done_and_what_was_not_reached():
    night = record(
        status="FAILED",
        metrics={"seconds_extract": 4.0, "new_order_lines": 1200.0},
        tags={"stopped_at": "validate"},
    )
    found = stages(night)
    assert [one.state for one in found.steps] == ["done", "stopped"] + ["not reached"] * 9
    assert (str(found.steps[0].took), str(found.steps[0].made)) == ("4.0 s", "1,200")
    assert found.sentence == (
        "The night broke off in validate; what was done before took 4.0 s, and 9 steps were not reached."
    )


def test_a_sweep_takes_what_its_candidates_take():
    names = ("extract", "validate", "prepare", "live", "rules", "evaluate", "register", "gate", "publish")
    metrics = {f"seconds_{name}": 1.0 for name in (*names, "smoke")}
    night = replace(record(metrics=metrics), candidates=[run(metrics={"seconds": 20.0})] * 3)
    found = stages(night)
    sweep = next(one for one in found.steps if one.name == "sweep")
    assert (sweep.took, sweep.made) == ("1 min 0 s", "3")
    assert found.sentence == "The steps took 1 min 10 s, most of it in sweep (1 min 0 s)."


def test_a_night_without_any_step_says_so():
    assert stages(record(status="FAILED")).sentence == "No step came to its end."
