"""The report's section on steps: their states and durations."""

from dataclasses import replace

import pytest
from runs import record, run

from pipelines.report.records import STEPS
from pipelines.report.steps import steps

pytestmark = pytest.mark.fast


def test_a_stopped_run_shows_finished_stopped_and_missed_steps():
    stopped = record(
        status="FAILED",
        metrics={"seconds_extract": 4.0, "new_order_lines": 1200.0},
        tags={"stopped_at": "validate"},
    )
    section = steps(stopped)
    assert [step.state for step in section.steps] == ["done", "stopped"] + ["not reached"] * 9
    assert (str(section.steps[0].duration), str(section.steps[0].output)) == ("4.0 s", "1,200")
    assert section.sentence == (
        "The nightly run stopped in validate; the steps before it took 4.0 s, and 9 steps were not reached."
    )


def test_the_sweep_takes_the_sum_of_its_candidates():
    metrics = {f"seconds_{name}": 1.0 for name in STEPS if name != "sweep"}
    finished = replace(record(metrics=metrics), candidates=[run(metrics={"seconds": 20.0})] * 3)
    section = steps(finished)
    sweep = next(step for step in section.steps if step.name == "sweep")
    assert (sweep.duration, sweep.output) == ("1 min 0 s", "3")
    assert section.sentence == "The steps took 1 min 10 s, most of it in sweep (1 min 0 s)."


def test_a_run_without_any_finished_step_says_so():
    assert steps(record(status="FAILED")).sentence == "No step finished."
