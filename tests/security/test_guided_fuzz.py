"""Inputs drawn towards code not reached yet: our own parsers read or refuse each, in time and in one line."""

import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import limits
import pytest
from homes import SOAK

PROGRAM = Path(__file__).with_name("fuzz_parsers.py")
PARSERS = (
    *("a_customer", "a_body", "headers", "a_column", "a_packed_cell", "json_records"),
    *("a_text_of_orders", "an_inspected_text", "trees_of_a_bundle"),
)
DRAWN = 10_000 if SOAK else 200
SECONDS = 1  # of an input, on an idle machine
MEMORY = 2048  # MiB beyond this process's own: the program counts what it had before it started, too

atheris = pytest.importorskip("atheris", reason="atheris has no wheel for this system")


def test_no_drawn_input_breaks_a_parser(tmp_path, seed):
    memory = MEMORY + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    for parser in PARSERS if SOAK else random.Random(seed).sample(PARSERS, 1):
        bounds = (
            f"-timeout={max(SECONDS, round(limits.scaled(SECONDS)))}",
            f"-rss_limit_mb={memory}",
            "-max_len=2000",
            "-len_control=0",
        )
        process = subprocess.run(
            [sys.executable, PROGRAM, parser, f"-runs={DRAWN}", f"-seed={seed + 1}", *bounds],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, f"{parser}\n{process.stdout}{process.stderr}"
        print(parser, *[line for line in process.stderr.splitlines() if "DONE" in line])
