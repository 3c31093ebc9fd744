"""Starts the programs of the stack, and waits until every one is up, however slow the machine is."""

import time

import httpx

from pipelines.stack.board import Board, board, console
from pipelines.stack.programs import Program
from pipelines.stack.supervisor import Supervisor
from pipelines.stack.waiting import PATIENCE, PAUSE, SLOW
from serving.errors import NightshelfError

TIMEOUT = 30  # seconds for one health check
LAST_LINES = 15


def start(supervisor: Supervisor) -> None:
    """Starts all programs in order, and returns when every one is up.

    A slow program is waited for as long as it is alive. Raises NightshelfError naming the log of a program
    that ended, or that is not up after PATIENCE seconds.
    """
    with board("Starting") as rows, httpx.Client(timeout=TIMEOUT) as http:
        starting = _launch(supervisor, rows, after=None)
        while starting:
            for program in [program for program in starting if _is_up(program, http)]:
                rows.set(program.name, "up")
                starting.remove(program)
                starting += _launch(supervisor, rows, after=program.name)
            _check(supervisor, starting, rows)
            time.sleep(PAUSE)


def _launch(supervisor: Supervisor, rows: Board, after: str | None) -> list[Program]:
    """Starts and returns the programs that start after the named one; None: those that wait for nothing."""
    programs = [program for program in supervisor.programs if program.starts_after == after]
    for program in programs:
        supervisor.start(program)
        rows.set(program.name, "starting")
    return programs


def _is_up(program: Program, http: httpx.Client) -> bool:
    """Whether the program is up; an answer that can't be read, as while it starts, means that it isn't."""
    try:
        return program.is_up(http)
    except (httpx.TransportError, ValueError, KeyError):
        return False


def _check(supervisor: Supervisor, starting: list[Program], rows: Board) -> None:
    if ended := supervisor.ended():
        raise _not_up(supervisor, ended[0], "ended by itself")
    for name in [program.name for program in starting]:
        seconds = rows.seconds(name)
        if seconds > PATIENCE:
            raise _not_up(supervisor, name, f"isn't up after {seconds:.0f} seconds")
        if seconds > SLOW:
            rows.set(name, "starting", f"slowly, it is alive; its log is {supervisor.log(name)}")


def _not_up(supervisor: Supervisor, name: str, problem: str) -> NightshelfError:
    """The error for a program, after its last lines are printed."""
    log = supervisor.log(name)
    last_lines = log.read_text(errors="replace").splitlines()[-LAST_LINES:] if log.exists() else []
    console.print(*last_lines, sep="\n", markup=False)
    return NightshelfError(f"{name} {problem}: its log is {log}")
