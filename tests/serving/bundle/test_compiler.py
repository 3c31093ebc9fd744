"""Machine code that is kept on disk is never older than a source that it comes from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from serving.bundle import compiler

TIMES = """
from serving.bundle.compiler import compiled
from serving.factor import FACTOR

@compiled
def times(number):
    return number * FACTOR

if __name__ == "__main__":
    print(times(7), sum(times.stats.cache_hits.values()))
"""


def run(root: Path, cache: Path) -> tuple[int, int]:
    """Returns 7 times the factor, and how much machine code came from the disk."""
    environment = {**os.environ, "PYTHONPATH": str(root), "XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-m", "serving.times"]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=True)
    product, hits = done.stdout.split()
    return int(product), int(hits)


def sources(root: Path) -> Path:
    """Writes a function that is compiled, and returns the file of the factor that it uses."""
    own = root / "serving" / "bundle"
    own.mkdir(parents=True)
    for package in (own, own.parent):
        (package / "__init__.py").write_text("")
    shutil.copy(compiler.__file__, own)
    (root / "serving" / "times.py").write_text(TIMES)
    factor = root / "serving" / "factor.py"
    factor.write_text("FACTOR = 2\n")
    return factor


def test_code_is_compiled_again_when_a_constant_from_another_file_changes(tmp_path: Path) -> None:
    factor, other = sources(tmp_path), tmp_path / "serving" / "other.py"
    assert [run(tmp_path, tmp_path), run(tmp_path, tmp_path)] == [(14, 0), (14, 1)]
    other.write_text("FACTOR = 4\n")
    assert run(tmp_path, tmp_path) == (14, 1)
    factor.write_text("FACTOR = 3\n")
    assert run(tmp_path, tmp_path) == (21, 0)


def test_without_a_folder_to_write_to_code_is_compiled_each_time(tmp_path: Path) -> None:
    beside = sources(tmp_path).parent / "bundle" / "__pycache__"
    beside.write_text("a file where the folder would be")
    (tmp_path / "cache").write_text("")
    assert [run(tmp_path, tmp_path / "cache") for _ in range(2)] == [(14, 0), (14, 0)]
    assert [run(tmp_path, tmp_path / "user") for _ in range(2)] == [(14, 0), (14, 1)]
