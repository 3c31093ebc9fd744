"""`nightshelf up --once`: the whole stack on free ports, one nightly run through Airflow, one request."""

import json
import os
import subprocess
import sys
from pathlib import Path

import limits
import psutil
import pytest
from ports import free_ports

SERVERS = ("SHOP", "MLFLOW", "AIRFLOW", "SERVING")
SECONDS = 900  # on an idle laptop; scaled to the machine
TASKS = (
    *("extract", "validate", "prepare"),
    *("backtest_champion", "sweep", "association_rules", "evaluate", "register"),
    *("gate", "publish", "smoke"),
)


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    """The environment of a fresh home, with free ports."""
    ports = zip(SERVERS, free_ports(len(SERVERS)), strict=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTSHELF_")}
    chosen = {f"NIGHTSHELF_{server}_PORT": str(port) for server, port in ports}
    home = {"NIGHTSHELF_HOME": str(tmp_path_factory.mktemp("home")), "NIGHTSHELF_SWEEP": "quick"}
    return inherited | chosen | home


def run_once(env):
    """The completed process of `nightshelf up --once`, and the ids of its processes that still run."""
    command = [Path(sys.executable).with_name("nightshelf"), "up", "--once"]
    timeout = limits.scaled(SECONDS)
    completed = subprocess.run(command, check=False, env=env, capture_output=True, text=True, timeout=timeout)
    return completed, [process.pid for process in psutil.process_iter() if _belongs_to(env, process)]


def _belongs_to(env, process):
    try:
        return process.environ().get("NIGHTSHELF_HOME") == env["NIGHTSHELF_HOME"]
    except psutil.Error:
        return False


@pytest.fixture(scope="module")
def first(env):
    return run_once(env)


def test_succeeds(first):
    completed, _ = first
    assert (completed.returncode, completed.stderr) == (0, ""), completed.stdout


def test_shows_the_nightly_run_task_by_task(first):
    completed, _ = first
    for task in TASKS:
        assert f"  {task}: done" in completed.stdout


def test_the_service_answers_from_the_champion(first):
    completed, _ = first
    output = completed.stdout
    answer = json.loads(output[output.index("\n{") : output.rindex("}") + 1])
    assert answer["model"]["version"] == "1"
    assert len(answer["items"]) == 5


def test_leaves_no_process_running(first):
    _, left = first
    assert left == []


def test_no_output_and_no_log_holds_a_secret(first, env):
    completed, _ = first
    lines = Path(env["NIGHTSHELF_HOME"], ".env").read_text().splitlines()
    secrets = [line.partition("=")[2] for line in lines if "=" in line and "DEMO_START" not in line]
    assert len(secrets) == 5
    logs = [file.read_text(errors="replace") for file in Path(env["NIGHTSHELF_HOME"]).rglob("*.log")]
    texts = (completed.stdout, completed.stderr, *logs)
    assert not [secret for secret in secrets for text in texts if secret in text]


def test_a_second_start_does_no_nightly_run_and_the_champion_answers(first, env):
    completed, left = run_once(env)
    assert (completed.returncode, left) == (0, [])
    assert "Nightly run" not in completed.stdout
    assert '"version": "1"' in completed.stdout
