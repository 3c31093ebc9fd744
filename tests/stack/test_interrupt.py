import os
import signal

import pytest

from pipelines.stack.board import board
from pipelines.stack.up import until_interrupted
from serving.errors import NightshelfError


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_ends_the_block_quietly(ending):
    with until_interrupted(once=False):
        os.kill(os.getpid(), ending)
        raise AssertionError("the block went on")


def test_with_once_it_is_an_error():
    with pytest.raises(NightshelfError, match="interrupted"), until_interrupted(once=True):
        os.kill(os.getpid(), signal.SIGINT)


def test_a_second_interruption_does_not_stop_the_clearing_up():
    cleared = []
    with until_interrupted(once=False):
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            cleared.append(True)
    assert cleared == [True]


def test_afterwards_signals_do_what_they_did():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with until_interrupted(once=False):
        os.kill(os.getpid(), signal.SIGTERM)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_without_a_terminal_progress_is_a_line_per_change(capsys):
    with board("The night") as rows:
        for state, detail in [("running", "1 of 2"), ("running", "1 of 2"), ("done", "2 of 2")]:
            rows.set("sweep", state, detail)
    assert capsys.readouterr().out == "The night\n  sweep: running 1 of 2 (0 s)\n  sweep: done 2 of 2 (0 s)\n"
