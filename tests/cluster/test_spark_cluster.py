"""Spark's part of a nightly run on a master and two workers, directly and over Spark Connect."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from clusters import kill, parts
from homes import in_soak
from ports import free_port

SCRIPT = Path(__file__).with_name("on_spark.py")
ITERATIONS = 10  # of ALS, as in a nightly run; a worker is killed meanwhile
PROGRAMS = ("spark-master", "spark-worker-1", "spark-worker-2", "spark-connect")
pytestmark = in_soak


@pytest.mark.parametrize("address", ["", "sc://127.0.0.1:{}"], ids=["spark", "connect"])
def test_steps_survive_a_lost_worker(address, tmp_path, monkeypatch):
    given = {"NIGHTSHELF_SPARK_MASTER": address.format(free_port())} if address else {}
    with parts(tmp_path, monkeypatch, *PROGRAMS, **given):
        command, results = [sys.executable, SCRIPT, str(ITERATIONS)], []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                if line == "again\n":
                    time.sleep(2)
                    kill(tmp_path, "spark-worker-1")
                else:
                    results.append(json.loads(line))
        assert process.returncode == 0
    prepared, mined, fitted, both = results
    assert prepared == {"customers": 500, "letters": [64]}
    assert mined["rules"] == [["p0", "p1"], ["p1", "p0"]]
    assert fitted == {"rank": 16}
    print(f"fitted twice, once with a lost worker: {both}")
    assert both["difference"] < 1e-3 * both["largest"]
