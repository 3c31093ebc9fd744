"""Spark as `nightshelf cluster` starts it: who doesn't know its secret runs nothing on it."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import limits
import pytest
from clusters import parts
from homes import in_soak
from ports import free_port

SCRIPT = Path(__file__).with_name("run_on_spark.py")
PROGRAMS = ("spark-master", "spark-worker-1", "spark-connect")
SECRETS = ("SPARK_CONF_DIR", "SPARK_CONNECT_AUTHENTICATE_TOKEN")
SECONDS = 120  # in which Spark gives up to register an application
pytestmark = in_soak


def runs(master: str, file: Path, env: dict[str, str]) -> bool:
    """Returns whether an application makes the file on Spark."""
    command = [sys.executable, SCRIPT, master, file]
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, env=env, capture_output=True, check=False, timeout=limits.scaled(SECONDS))
    return file.exists()


@pytest.mark.parametrize("address", ["", "sc://127.0.0.1:{}"], ids=["spark", "connect"])
def test_who_does_not_know_the_secret_runs_nothing(address, tmp_path, monkeypatch):
    given = {"NIGHTSHELF_SPARK_MASTER": address.format(free_port())} if address else {}
    (tmp_path / "home").mkdir()
    with parts(tmp_path / "home", monkeypatch, *PROGRAMS, **given) as settings:
        known = dict(os.environ)
        stranger = {name: value for name, value in known.items() if name not in SECRETS}
        assert runs(settings.spark_master, tmp_path / "ours", known)
        assert not runs(settings.spark_master, tmp_path / "theirs", stranger)
        conf = Path(known["SPARK_CONF_DIR"], "spark-defaults.conf")
        assert conf.stat().st_mode & 0o077 == 0
        secrets = [line.split()[1] for line in conf.read_text().splitlines() if "secret" in line]
        command_lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        shown = [
            line
            for line in command_lines
            for secret in (*secrets, known[SECRETS[1]])
            if secret.encode() in line
        ]
        assert shown == []
