"""A benchmark that got slower since the last run is named, whatever the machine does meanwhile."""

import time
from pathlib import Path

import pytest

from benchmarks import pace

pytestmark = pytest.mark.fast


def test_names_what_got_slower_relative_to_the_yardstick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pace.json"
    monkeypatch.setattr(pace, "_ratios", {})
    monkeypatch.setattr(pace, "yardstick", lambda: 0.5)
    pace.note("export", 10)
    pace.note("night", 100)
    assert "Of 2 figures, 0 were measured" in pace.compare(file)
    monkeypatch.setattr(pace, "yardstick", lambda: 1.0)  # a machine that is half as fast
    pace.note("export", 21)
    pace.note("night", 300)
    section = pace.compare(file)
    assert "- night: 1.50 times\n" in section
    assert "export" not in section
    assert "None." in pace.compare(file)


def test_the_yardstick_is_work_that_takes_longer_than_its_timing() -> None:
    started = time.perf_counter()
    assert 0.01 < pace.yardstick() < time.perf_counter() - started
