import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tiny_programs import STUBBORN, command_lines, eventually, gone, process, program

from pipelines.stack import supervisor as supervisor_module
from pipelines.stack.start import start
from pipelines.stack.supervisor import supervised
from serving.errors import NightshelfError

DRIVER = """
import os, sys
from pathlib import Path
from tiny_programs import PARENT, program
from pipelines.stack.start import start
from pipelines.stack.supervisor import supervised
from pipelines.up import until_interrupted

with until_interrupted(once=False):
    pids = os.environ["PIDS"]
    programs = [program(pids, "one"), program(pids, "parent", PARENT)]
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
    return tmp_path / "100% of the state"  # a percent sign and spaces, as a folder may have them


def test_programs_run_inside_the_block_and_end_with_it(state, env, pids):
    with supervised(state, [program(pids, "one"), program(pids, "two")], env) as supervisor:
        start(supervisor)
        both = [process(pids, "one"), process(pids, "two")]
        assert all(one.is_running() for one in both)
    assert gone(*both)


def test_what_does_not_end_by_itself_is_killed_and_what_it_left_behind_too(state, env, pids):
    with supervised(state, [program(pids, "stubborn", STUBBORN)], env) as supervisor:
        start(supervisor)
        both = [process(pids, "stubborn"), process(pids, "grandchild")]
    assert gone(*both)


def test_processes_of_others_are_left_alone(state, env, pids):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        with supervised(state, [program(pids, "one")], env) as supervisor:
            start(supervisor)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_program_that_crashes_is_started_again(state, env, pids, monkeypatch):
    monkeypatch.setattr(supervisor_module, "FIRST_SECONDS", 1)
    with supervised(state, [program(pids, "one")], env) as supervisor:
        start(supervisor)
        first = process(pids, "one")
        time.sleep(3)  # it has come up by then
        first.kill()
        eventually(lambda: int((pids / "one").read_text() or first.pid) != first.pid)


def test_a_program_that_does_not_come_up_is_named_with_its_last_words(state, env, pids, capsys):
    broken = program(pids, "broken", "raise SystemExit('its last words')", up=lambda http: False)
    with (
        pytest.raises(NightshelfError, match=r"broken ended by itself: its log is .*broken\.log"),
        supervised(state, [program(pids, "one"), broken], env) as supervisor,
    ):
        start(supervisor)
    assert "its last words" in capsys.readouterr().out


def test_a_program_starts_after_the_one_it_waits_for(state, env, pids):
    first = program(
        pids, "first", up=lambda http: (pids / "first").exists() and not (pids / "second").exists()
    )
    second = program(pids, "second", up=lambda http: (pids / "second").exists(), after="first")
    with supervised(state, [second, first], env) as supervisor:
        start(supervisor)
        assert process(pids, "first").create_time() < process(pids, "second").create_time()


def test_the_configuration_and_the_command_lines_hold_no_secret(state, env, pids):
    with supervised(state, [program(pids, "one")], env) as supervisor:
        start(supervisor)
        process(pids, "one")
        commands = command_lines()
    written = [file.read_text() for file in state.rglob("*") if file.is_file()]
    assert len(commands) > 2
    assert not [text for text in commands + written if "the secret" in text]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_however_it_ends_it_leaves_nothing(state, env, pids, ending):
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    command = [sys.executable, "-c", DRIVER, state]
    driver = subprocess.Popen(command, env=env | {"PYTHONPATH": paths}, start_new_session=True)
    both = [process(pids, "one"), process(pids, "grandchild")]
    everything = psutil.Process(driver.pid).children(recursive=True)
    socket = re.search("(?m)^file=(.*)$", (state / "supervisor.conf").read_text())[1]
    os.killpg(driver.pid, ending)  # as a terminal does
    assert driver.wait(30) == (-ending if ending == signal.SIGKILL else 0)
    eventually(lambda: gone(*both, *everything), 15 if ending == signal.SIGKILL else 1)
    assert not Path(socket).parent.exists()
