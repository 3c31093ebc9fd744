"""`nightshelf up` and `nightshelf cluster`: run every server in the foreground, with one command."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from expectations import data_docs
from pipelines.lake.java import check_java
from pipelines.settings import Settings, settings, write_env
from pipelines.stack import cluster, compiling, database, demo
from pipelines.stack.airflow_home import prepare_home, write_passwords
from pipelines.stack.board import console
from pipelines.stack.environment import environment
from pipelines.stack.nightly_run import is_due, run_and_follow
from pipelines.stack.programs import Program, check_ports, programs
from pipelines.stack.service import fetch, is_ready, wait_until_ready, welcome
from pipelines.stack.start import start
from pipelines.stack.supervisor import Supervisor, supervised
from serving.errors import NightshelfError

PRIVATE = 0o700  # mode of a folder
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(once: bool = False) -> None:
    """Starts every server, does the nightly run unless it succeeded today, and stays until Ctrl-C.

    once: end after the nightly run and one request to the service, whose response is printed.
    Raises NightshelfError if something is missing or a server doesn't start; with `once` also if the
    nightly run or the request fails.
    """
    write_env()
    chosen = demo.settings_for(settings())
    if chosen.spark_master:
        check_java()
    stack, variables = programs(chosen), environment(chosen)
    check_ports(chosen, stack)
    close_folders(chosen)
    with until_interrupted(once), compiling.in_background():
        prepare_home(chosen, variables)
        _run(chosen, stack, variables, once)


def up_as_cluster(once: bool = False) -> None:
    """Like `up`, with the servers of a cluster as processes of this machine."""
    write_env()
    console.print("Other commands need the servers' addresses: see docs/guides/cluster.md, *Commands*")
    chosen = cluster.cluster_settings(settings())
    check_java()
    stack, variables = cluster.programs(chosen), cluster.variables(chosen)
    check_ports(chosen, stack)
    close_folders(chosen)
    with until_interrupted(once):
        database.prepare(chosen)
        cluster.write_spark_secret(chosen)
        write_passwords(chosen, variables)
        _run(chosen, stack, variables, once)


def close_folders(chosen: Settings) -> None:
    """Closes the folders in HOME to other users; earlier releases let them read what is inside."""
    docs = data_docs(chosen.home).parents[3]
    for folder in (chosen.state, chosen.nights, chosen.home / "lake", chosen.home / "mlruns", docs):
        if folder.exists():
            folder.chmod(PRIVATE)


def _run(chosen: Settings, stack: list[Program], variables: dict[str, str], once: bool) -> None:
    with supervised(chosen.state, stack, variables) as supervisor:
        start(supervisor)
        if once:
            _run_once(supervisor, chosen)
        else:
            _stay(supervisor, chosen)


def _run_once(supervisor: Supervisor, chosen: Settings) -> None:
    if is_due(chosen, supervisor):
        run_and_follow(chosen, supervisor, demo.first_sweep(chosen))
        _print_decision(chosen)
    wait_until_ready(chosen, supervisor)
    print(json.dumps(fetch(chosen, "/v1/popular?n=5"), ensure_ascii=False, indent=2))


def _stay(supervisor: Supervisor, chosen: Settings) -> None:
    due = is_due(chosen, supervisor)
    if is_ready(chosen) or not due:
        welcome(chosen)
    if due:
        _run_and_report(supervisor, chosen)
        welcome(chosen)
        _print_decision(chosen)
    supervisor.wait()


def _run_and_report(supervisor: Supervisor, chosen: Settings) -> None:
    """Does the nightly run and prints its failure; the servers run on, and the champion keeps serving."""
    try:
        run_and_follow(chosen, supervisor, demo.first_sweep(chosen))
    except NightshelfError as error:
        console.print(str(error), style="red", markup=False)


def _print_decision(chosen: Settings) -> None:
    from pipelines.stack.decision import decision  # imports MLflow, for which no server has to wait

    if sentence := decision(chosen):
        console.print(sentence, style="bold", markup=False, soft_wrap=True)


@contextmanager
def until_interrupted(once: bool) -> Iterator[None]:
    """A block that Ctrl-C, SIGTERM or closing the terminal ends quietly; with `once`, by NightshelfError."""
    handlers = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        yield
    except KeyboardInterrupt:
        if once:
            raise NightshelfError("interrupted before the service's first response") from None
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for ignored in SIGNALS:  # stopping takes some seconds, which a second Ctrl-C must not cut short
        signal.signal(ignored, signal.SIG_IGN)
    raise KeyboardInterrupt
