"""Ctrl-C and other signals end `nightshelf up` quietly; progress without a terminal."""

import os
import signal

import pytest

from pipelines.stack.board import board
from pipelines.stack.up import until_interrupted
from serving.errors import NightshelfError

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_block_quietly(number):
    with until_interrupted(once=False):
        os.kill(os.getpid(), number)
        raise AssertionError("the block went on")


def test_with_once_a_signal_is_an_error():
    with pytest.raises(NightshelfError, match="interrupted"), until_interrupted(once=True):
        os.kill(os.getpid(), signal.SIGINT)


def test_a_second_signal_does_not_stop_the_cleanup():
    cleaned_up = []
    with until_interrupted(once=False):
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            cleaned_up.append(True)
    assert cleaned_up == [True]


def test_restores_the_signal_handlers():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with until_interrupted(once=False):
        os.kill(os.getpid(), signal.SIGTERM)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_without_a_terminal_progress_is_one_line_per_change(capsys):
    with board("Nightly run") as rows:
        for state, detail in [("running", "1 of 2"), ("running", "1 of 2"), ("done", "2 of 2")]:
            rows.set("sweep", state, detail)
    assert (
        capsys.readouterr().out == "Nightly run\n  sweep: running 1 of 2 (0 s)\n  sweep: done 2 of 2 (0 s)\n"
    )
