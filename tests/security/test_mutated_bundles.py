"""Drawn bundles that are broken, with right digests, are refused or answer: no crash, no error, no hang."""

import subprocess
import sys
from pathlib import Path

from homes import SOAK

COUNT = 10_000 if SOAK else 60
SCRIPT = Path(__file__).with_name("mutated_bundles.py")


def test_no_broken_bundle_ends_a_process_or_fails_a_request(seed: int, tmp_path: Path) -> None:
    command = [sys.executable, SCRIPT, str(seed), str(COUNT), tmp_path]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    last = result.stdout.splitlines()[-1:]
    assert result.returncode == 0, (last, result.stderr[-2_000:])
    assert last[0].startswith("ended: ")
