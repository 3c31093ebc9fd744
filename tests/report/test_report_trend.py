"""The report's section on recent nightly runs."""

import re

import pytest
from runs import gate_tags, run

from pipelines.report import svg
from pipelines.report.records import as_of
from pipelines.report.trend import NIGHTS, latest, trend

pytestmark = pytest.mark.fast


def night(day, verdict="PROMOTED", ndcg=0.4, **fields):
    metrics = {} if ndcg is None else {"ndcg_at_10_for_you": ndcg}
    return run(run_id=f"run-{day}", as_of=day, metrics=metrics, tags=gate_tags(verdict), **fields)


def test_a_repeated_day_counts_by_its_last_run_and_later_days_are_left_out():
    first, again = night("2026-01-02", "REFUSED"), night("2026-01-02")
    runs = [night("2026-01-03"), again, first, night("2026-01-01")]  # newest first
    assert latest(runs, "2026-01-02") == [runs[3], again]


def test_only_the_last_thirty_days_are_shown():
    days = [f"2026-{month:02}-{day:02}" for month in (1, 2) for day in range(1, 29)]
    runs = latest([night(day) for day in reversed(days)], "2026-12-31")
    assert [as_of(run) for run in runs] == days[-NIGHTS:]


def test_each_run_has_the_mark_of_its_verdict():
    nights = [
        night("2026-01-01", "FIRST", 0.30),
        night("2026-01-02", "REFUSED", 0.35),
        run("FAILED", "run-3", "2026-01-03", tags={"stopped_at": "validate"}),
        night("2026-01-04", "PROMOTED", 0.40),
    ]
    section = trend(nights)
    assert section.sentence == (
        "The last 4 nightly runs: 2 published a model, 1 had its model refused and 1 stopped;"
        " NDCG@10 in for-you went from 0.300 to 0.400."
    )
    marks = re.findall(
        r'<svg [^>]*class="mark"([^>]*)><title>([^<]*)</title><path d="([^"]*)"', section.panels[0].drawing
    )
    shapes = ["diamond", "circle", "cross", "triangle"]
    assert [path for *_, path in marks] == [svg.SHAPES[shape] for shape in shapes]
    assert 'data-run="run-2026-01-02"' in marks[1][0]
    assert [title for _, title, _ in marks][1:3] == [
        "2026-01-02: refused, NDCG@10 0.3500",
        "2026-01-03: stopped",
    ]
    assert [label for label, _ in section.legend] == ["first", "promoted", "refused", "stopped"]
