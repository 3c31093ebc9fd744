"""The supervisor: starts, restarts and ends programs, whatever ends it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import limits
import psutil
import pytest
from tiny_programs import STUBBORN, all_ended, command_lines, eventually, process, program

from pipelines.stack import start as start_module
from pipelines.stack import supervisor as supervisor_module
from pipelines.stack.start import start
from pipelines.stack.supervisor import supervised
from serving.errors import NightshelfError
from serving.settings import PROJECT

DRIVER = """
import os, sys
from pathlib import Path
from tiny_programs import PARENT, program
from pipelines.stack.start import start
from pipelines.stack.supervisor import supervised
from pipelines.stack.up import until_interrupted

with until_interrupted(once=False):
    pids = os.environ["PIDS"]
    programs = [program(pids, "sleeper"), program(pids, "parent", PARENT)]
    with supervised(Path(sys.argv[1]), programs, dict(os.environ)) as supervisor:
        start(supervisor)
        supervisor.wait()
"""


@pytest.fixture
def pids(tmp_path):
    folder = tmp_path / "pids"
    folder.mkdir()
    return folder


@pytest.fixture
def env(pids):
    return os.environ | {"PIDS": str(pids), "A_SECRET": "the secret"}


@pytest.fixture
def state(tmp_path):
    return tmp_path / "100% of the state"  # a folder's name may have spaces and percent signs


def test_programs_run_until_the_block_ends(state, env, pids):
    with supervised(state, [program(pids, "sleeper"), program(pids, "two")], env) as supervisor:
        start(supervisor)
        both = [process(pids, "sleeper"), process(pids, "two")]
        assert all(running.is_running() for running in both)
    assert all_ended(*both)


def test_kills_a_stubborn_program_and_its_orphans(state, env, pids):
    with supervised(state, [program(pids, "stubborn", STUBBORN)], env) as supervisor:
        start(supervisor)
        both = [process(pids, "stubborn"), process(pids, "grandchild")]
    assert all_ended(*both)


def test_leaves_other_processes_alone(state, env, pids):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        with supervised(state, [program(pids, "sleeper")], env) as supervisor:
            start(supervisor)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_restarts_a_program_that_crashes(state, env, pids, monkeypatch):
    monkeypatch.setattr(supervisor_module, "START_SECONDS", 1)
    with supervised(state, [program(pids, "sleeper")], env) as supervisor:
        start(supervisor)
        first = process(pids, "sleeper")
        time.sleep(3)  # supervisord counts it as started by then
        first.kill()
        eventually(lambda: int((pids / "sleeper").read_text() or first.pid) != first.pid)


def test_a_program_that_ends_is_an_error_showing_its_last_lines(state, env, pids, capsys):
    broken = program(pids, "broken", "raise SystemExit('its last words')", is_up=lambda http: False)
    with (
        pytest.raises(NightshelfError, match=r"broken ended by itself: its log is .*broken\.log"),
        supervised(state, [program(pids, "sleeper"), broken], env) as supervisor,
    ):
        start(supervisor)
    assert "its last words" in capsys.readouterr().out


def test_a_slow_program_is_waited_for_and_reported(state, env, pids, capsys, monkeypatch):
    monkeypatch.setattr(start_module, "SLOW", 0.5)
    slow = program(pids, "slow", is_up=lambda http: time.monotonic() > started + 3)
    started = time.monotonic()
    with supervised(state, [slow], env) as supervisor:
        start(supervisor)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "slow: starting slowly, it is alive; its log is" in line]
    assert [line for line in lines if "slow: up" in line]


def test_a_program_that_never_comes_up_is_an_error_in_the_end(state, env, pids, monkeypatch):
    monkeypatch.setattr(start_module, "PATIENCE", 0.5)
    stuck = program(pids, "stuck", is_up=lambda http: False)
    with (
        pytest.raises(NightshelfError, match=r"stuck isn't up after \d+ seconds: its log is .*stuck\.log"),
        supervised(state, [stuck], env) as supervisor,
    ):
        start(supervisor)


def test_a_program_that_ends_late_is_an_error_although_it_is_restarted(state, env, pids, monkeypatch):
    monkeypatch.setattr(supervisor_module, "START_SECONDS", 1)  # after which supervisord restarts it
    late = program(pids, "late", "import time; time.sleep(3)", is_up=lambda http: False)
    with (
        pytest.raises(NightshelfError, match="late ended by itself"),
        supervised(state, [late], env) as supervisor,
    ):
        start(supervisor)


@pytest.mark.parametrize("error", [ValueError("no JSON"), KeyError("scheduler"), httpx.ReadTimeout("")])
def test_an_unreadable_answer_of_a_starting_program_is_no_error(state, env, pids, error):
    answers = iter([False, True])

    def is_up(http):
        if not next(answers):
            raise error
        return True

    with supervised(state, [program(pids, "sleeper", is_up=is_up)], env) as supervisor:
        start(supervisor)


def test_a_program_starts_after_the_program_it_depends_on(state, env, pids):
    first = program(
        pids, "first", is_up=lambda http: (pids / "first").exists() and not (pids / "second").exists()
    )
    second = program(pids, "second", is_up=lambda http: (pids / "second").exists(), starts_after="first")
    with supervised(state, [second, first], env) as supervisor:
        start(supervisor)
        assert process(pids, "first").create_time() < process(pids, "second").create_time()


def test_no_file_and_no_command_line_holds_a_secret(state, env, pids):
    with supervised(state, [program(pids, "sleeper")], env) as supervisor:
        start(supervisor)
        process(pids, "sleeper")
        commands = command_lines()
    written = [file.read_text() for file in state.rglob("*") if file.is_file()]
    assert len(commands) > 2
    assert not [text for text in commands + written if "the secret" in text]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_leaves_no_process_and_no_socket_however_it_ends(state, env, pids, ending):
    folders = (Path(__file__).parent, Path(limits.__file__).parent, PROJECT)
    paths = os.pathsep.join(map(str, folders))
    command = [sys.executable, "-c", DRIVER, state]
    driver = subprocess.Popen(command, env=env | {"PYTHONPATH": paths}, start_new_session=True)
    both = [process(pids, "sleeper"), process(pids, "grandchild")]
    descendants = psutil.Process(driver.pid).children(recursive=True)
    socket = re.search("(?m)^file=(.*)$", (state / "supervisor.conf").read_text())[1]
    os.killpg(driver.pid, ending)  # as a terminal does
    assert driver.wait(limits.scaled(30)) == (-ending if ending == signal.SIGKILL else 0)
    eventually(lambda: all_ended(*both, *descendants), 15 if ending == signal.SIGKILL else 1)
    assert not Path(socket).parent.exists()
