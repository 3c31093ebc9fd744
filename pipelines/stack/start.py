"""Starts the programs of the stack, and waits until each is up."""

import time

import httpx

from pipelines.stack.board import Board, board, console
from pipelines.stack.programs import Program
from pipelines.stack.supervisor import Supervisor
from serving.errors import NightshelfError

PATIENCE = 180
LAST_LINES = 15


def start(supervisor: Supervisor) -> None:
    """Returns when every program is up; raises NightshelfError naming one that isn't, and its log."""
    deadline = time.monotonic() + PATIENCE
    with board("Starting") as rows, httpx.Client(timeout=5) as http:
        started = _launch(supervisor, rows, after=None)
        while started:
            for program in [program for program in started if _is_up(program, http)]:
                rows.set(program.name, "up")
                started.remove(program)
                started += _launch(supervisor, rows, after=program.name)
            _check(supervisor, started, deadline)
            time.sleep(0.25)


def _launch(supervisor: Supervisor, rows: Board, after: str | None) -> list[Program]:
    """Starts, and returns, the programs that had to wait for `after`."""
    programs = [program for program in supervisor.programs if program.after == after]
    for program in programs:
        supervisor.start(program)
        rows.set(program.name, "starting")
    return programs


def _is_up(program: Program, http: httpx.Client) -> bool:
    try:
        return program.up(http)
    except httpx.TransportError:
        return False


def _check(supervisor: Supervisor, started: list[Program], deadline: float) -> None:
    if broken := supervisor.broken():
        raise _not_up(supervisor, broken[0], "ended by itself")
    if started and time.monotonic() > deadline:
        raise _not_up(supervisor, started[0].name, f"isn't up after {PATIENCE} seconds")


def _not_up(supervisor: Supervisor, name: str, what: str) -> NightshelfError:
    log = supervisor.log(name)
    last = log.read_text(errors="replace").splitlines()[-LAST_LINES:] if log.exists() else []
    console.print(*last, sep="\n", markup=False)
    return NightshelfError(f"{name} {what}: its log is {log}")
