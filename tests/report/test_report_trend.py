import re

from runs import decided, run

from pipelines.report import svg
from pipelines.report.records import as_of
from pipelines.report.trend import NIGHTS, latest, trend


def night(day, verdict="PROMOTED", ndcg=0.4, **told):
    metrics = {} if ndcg is None else {"ndcg_at_10_for_you": ndcg}
    return run(run_id=f"run-{day}", as_of=day, metrics=metrics, tags=decided(verdict), **told)


def test_a_night_that_was_run_again_is_told_by_its_last_run_and_later_ones_not_at_all():
    first, again = night("2026-01-02", "REFUSED"), night("2026-01-02")
    runs = [night("2026-01-03"), again, first, night("2026-01-01")]  # the newest first
    assert latest(runs, "2026-01-02") == [runs[3], again]


def test_the_last_thirty_nights_are_told():
    days = [f"2026-{month:02}-{day:02}" for month in (1, 2) for day in range(1, 29)]
    found = latest([night(day) for day in reversed(days)], "2026-12-31")
    assert [as_of(one) for one in found] == days[-NIGHTS:]


def test_each_night_has_the_mark_of_its_verdict():
    nights = [
        night("2026-01-01", "FIRST", 0.30),
        night("2026-01-02", "REFUSED", 0.35),
        run("FAILED", "run-3", "2026-01-03", tags={"stopped_at": "validate"}),
        night("2026-01-04", "PROMOTED", 0.40),
    ]
    found = trend(nights)
    assert found.sentence == (
        "Of the last 4 nights 2 put a model live, 1 had it refused and 1 stopped;"
        " NDCG@10 in for-you went from 0.300 to 0.400."
    )
    drawn = re.findall(
        r'<svg [^>]*class="mark"([^>]*)><title>([^<]*)</title><path d="([^"]*)"', found.panels[0].drawing
    )
    shapes = ["diamond", "circle", "cross", "triangle"]
    assert [shape for *_, shape in drawn] == [svg.SHAPES[one] for one in shapes]
    assert 'data-run="run-2026-01-02"' in drawn[1][0]
    assert [title for _, title, _ in drawn][1:3] == [
        "2026-01-02: refused, NDCG@10 0.3500",
        "2026-01-03: stopped",
    ]
    assert [word for word, _ in found.legend] == ["first", "promoted", "refused", "stopped"]
