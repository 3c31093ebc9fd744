"""A child process whose whole offspring ends with it, and which ends with us."""

import ctypes
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


@contextmanager
def leashed(
    command: Sequence[str], environment: Mapping[str, str], seconds: float
) -> Iterator["subprocess.Popen[bytes]"]:
    """The process of the command; the end of the block, or of this process, ends it.

    The end of the block is a SIGTERM; what is left of it and of all it started after `seconds` is killed.
    """
    others = _offspring()
    _adopt_orphans(True)
    process = subprocess.Popen(  # noqa: S603 - our own
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # the terminal's Ctrl-C is for us alone
        preexec_fn=_tie,  # noqa: PLW1509 - system calls alone
    )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        while left := _offspring() - others:
            _kill(left)
        _adopt_orphans(False)


def _kill(processes: set[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=3)


def _offspring() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def _tie() -> None:
    """Ends the child when we are killed, and makes its orphans its own."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        _adopt_orphans(True)


def _adopt_orphans(adopt: bool) -> None:
    """Makes us the parent of what our children leave behind, else it would be out of reach."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(adopt))
