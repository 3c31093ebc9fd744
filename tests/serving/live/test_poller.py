"""The background thread polls at once, again after each interval, and stops."""

import threading

import bundles
import pytest

from serving.live.poller import Poller

pytestmark = pytest.mark.fast


def test_polls_at_once_and_after_each_interval_until_it_is_stopped() -> None:
    names: list[str] = []
    poller = Poller("changes", 0.01, lambda: names.append(threading.current_thread().name))
    poller.start()
    bundles.wait_until(lambda: len(names) >= 3, 10)
    poller.stop()
    count = len(names)
    assert set(names) == {"changes"}
    assert threading.Event().wait(0.05) is False
    assert len(names) == count


def test_stop_abandons_a_call_that_hangs() -> None:
    called, ended = threading.Event(), threading.Event()

    def hang() -> None:
        called.set()
        ended.wait(20)

    poller = Poller("follower", 0.01, hang)
    poller.start()
    assert called.wait(10)
    poller.stop()
    ended.set()
