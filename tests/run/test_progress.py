"""Progress is told in words, not too often and not too seldom."""

import logging

from pipelines.run import progress


def test_a_sentence_has_pages_orders_rate_and_time_left():
    told = progress.sentence(250, 1000, 25_000, 60.0)
    assert told == "250 of 1,000 pages, 25,000 orders, 417 orders/s, 0:03:00 left"
    assert progress.sentence(0, 0, 0, 0.0) == "0 of 0 pages, 0 orders, 0 orders/s, 0:00:00 left"


def test_there_is_a_line_for_each_tenth(caplog):
    caplog.set_level(logging.INFO)
    tell = progress.progress_lines()
    for done in range(1, 1001):
        tell(done, 1000, done * 100)
    assert [line.split()[0] for line in caplog.messages] == [str(done) for done in range(100, 901, 100)] + [
        "1,000"
    ]


def test_slow_pages_are_told_of_too(monkeypatch):
    clock = iter(range(0, 10_000, 20))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    said = []
    tell = progress.progress_lines(said.append)
    for done in range(1, 9):
        tell(done, 1000, done)
    assert [line.split()[0] for line in said] == ["2", "4", "6", "8"]
