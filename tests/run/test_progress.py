"""Progress of an extraction: the text, and how often it is reported."""

import logging

import pytest

from pipelines.run import progress

pytestmark = pytest.mark.fast


def test_sentence_has_pages_orders_rate_and_time_left():
    text = progress.sentence(250, 1000, 25_000, 60.0)
    assert text == "250 of 1,000 pages, 25,000 orders, 417 orders/s, 0:03:00 left"
    assert progress.sentence(0, 0, 0, 0.0) == "0 of 0 pages, 0 orders, 0 orders/s, 0:00:00 left"


def test_logs_a_line_for_each_tenth_of_the_pages(caplog):
    caplog.set_level(logging.INFO)
    report = progress.progress_lines()
    for done in range(1, 1001):
        report(done, 1000, done * 100)
    assert [line.split()[0] for line in caplog.messages] == [str(done) for done in range(100, 901, 100)] + [
        "1,000"
    ]


def test_slow_pages_get_a_line_every_thirty_seconds(monkeypatch):
    clock = iter(range(0, 10_000, 20))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    written = []
    report = progress.progress_lines(written.append)
    for done in range(1, 9):
        report(done, 1000, done)
    assert [line.split()[0] for line in written] == ["2", "4", "6", "8"]
