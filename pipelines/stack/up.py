"""`nightshelf up` and `nightshelf cluster`: the whole of Nightshelf in the foreground, by one command."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pipelines.lake.java import check_java
from pipelines.settings import Settings, settings, write_env
from pipelines.stack import cluster, database
from pipelines.stack.airflow_home import prepare_home, write_passwords
from pipelines.stack.board import console
from pipelines.stack.environment import environment
from pipelines.stack.nightly_run import is_due, run_night
from pipelines.stack.programs import Program, check_ports, programs
from pipelines.stack.service import ask, serves, welcome
from pipelines.stack.start import start
from pipelines.stack.supervisor import Supervisor, supervised
from serving.errors import NightshelfError

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(once: bool = False) -> None:
    """Starts every server, runs a night unless today had one, and stays until Ctrl-C; then ends all of it.

    With `once` it ends after the night and one answer of the service, which it prints.
    Raises NightshelfError where something is missing or a server doesn't come up; with `once` also
    where the night or the answer fails.
    """
    write_env()
    chosen = settings()
    check_java()
    stack, variables = programs(chosen), environment(chosen)
    check_ports(chosen, stack)
    with until_interrupted(once):
        prepare_home(chosen, variables)
        _run(chosen, stack, variables, once)


def up_as_cluster(once: bool = False) -> None:
    """The same with the servers of a cluster, as processes of this machine."""
    write_env()
    console.print("Commands beside it have to be told where its servers are: docs/cluster.md, *Commands*")
    chosen = cluster.of_cluster(settings())
    check_java()
    stack, variables = cluster.programs(chosen), cluster.variables(chosen)
    check_ports(chosen, stack)
    with until_interrupted(once):
        database.prepare(chosen)
        write_passwords(chosen, variables)
        _run(chosen, stack, variables, once)


def _run(chosen: Settings, stack: list[Program], variables: dict[str, str], once: bool) -> None:
    with supervised(chosen.state, stack, variables) as supervisor:
        start(supervisor)
        if once:
            _answer(supervisor, chosen)
        else:
            _stay(supervisor, chosen)


def _answer(supervisor: Supervisor, chosen: Settings) -> None:
    if is_due(chosen):
        run_night(chosen, supervisor)
    print(json.dumps(ask(chosen, "/v1/popular?n=5"), ensure_ascii=False, indent=2))


def _stay(supervisor: Supervisor, chosen: Settings) -> None:
    due = is_due(chosen)
    if serves(chosen) or not due:
        welcome(chosen)
    if due:
        _try_night(supervisor, chosen)
        welcome(chosen)
    supervisor.wait()


def _try_night(supervisor: Supervisor, chosen: Settings) -> None:
    """A night whose failure is told and leaves all else running: a champion serves on."""
    try:
        run_night(chosen, supervisor)
    except NightshelfError as error:
        console.print(str(error), style="red", markup=False)


@contextmanager
def until_interrupted(once: bool) -> Iterator[None]:
    """A block that Ctrl-C, SIGTERM or a closed terminal ends; with `once` it raises NightshelfError then."""
    before = {ending: signal.signal(ending, _interrupt) for ending in ENDINGS}
    try:
        yield
    except KeyboardInterrupt:
        if once:
            raise NightshelfError("interrupted before the first answer") from None
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for ending in ENDINGS:  # clearing up takes some seconds; impatience mustn't cut it short
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt
