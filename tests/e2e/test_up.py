"""`nightshelf up --once`: the whole stack on free ports, a night through Airflow, an answer over HTTP."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

SERVERS = ("SHOP", "MLFLOW", "AIRFLOW", "SERVING")
SECONDS = 900


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    """The environment of a fresh home, on ports of its own."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in SERVERS]
    ports = {server: one.getsockname()[1] for server, one in zip(SERVERS, held, strict=True)}
    for one in held:
        one.close()
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTSHELF_")}
    ours = {f"NIGHTSHELF_{server}_PORT": str(port) for server, port in ports.items()}
    home = {"NIGHTSHELF_HOME": str(tmp_path_factory.mktemp("home")), "NIGHTSHELF_SWEEP": "quick"}
    return plain | ours | home


def once(env):
    """What `nightshelf up --once` answers, and which processes of it are left."""
    command = [Path(sys.executable).with_name("nightshelf"), "up", "--once"]
    done = subprocess.run(command, check=False, env=env, capture_output=True, text=True, timeout=SECONDS)
    return done, [process.pid for process in psutil.process_iter() if _of(env, process)]


def _of(env, process):
    try:
        return process.environ().get("NIGHTSHELF_HOME") == env["NIGHTSHELF_HOME"]
    except psutil.Error:
        return False


@pytest.fixture(scope="module")
def first(env):
    return once(env)


def test_it_succeeds(first):
    done, _ = first
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_it_shows_the_night_task_by_task(first):
    done, _ = first
    data, model = ("extract", "validate", "prepare"), ("live", "sweep", "rules", "evaluate", "register")
    for task in (*data, *model, "gate", "publish", "smoke"):
        assert f"  {task}: done" in done.stdout


def test_the_service_answers_from_the_champion(first):
    done, _ = first
    answer = json.loads(done.stdout[done.stdout.index("\n{") : done.stdout.rindex("}") + 1])
    assert answer["model"]["version"] == "1"
    assert len(answer["items"]) == 5


def test_nothing_is_left_running(first):
    _, left = first
    assert left == []


def test_no_secret_is_told(first, env):
    done, _ = first
    lines = Path(env["NIGHTSHELF_HOME"], ".env").read_text().splitlines()
    secrets = [line.partition("=")[2] for line in lines if "=" in line and "DEMO_START" not in line]
    assert len(secrets) == 4
    logs = [file.read_text(errors="replace") for file in Path(env["NIGHTSHELF_HOME"]).rglob("*.log")]
    assert not [secret for secret in secrets for text in (done.stdout, done.stderr, *logs) if secret in text]


def test_a_second_time_no_night_is_run_and_the_champion_answers_at_once(first, env):
    done, left = once(env)
    assert (done.returncode, left) == (0, [])
    assert "Tonight's run" not in done.stdout
    assert '"version": "1"' in done.stdout
