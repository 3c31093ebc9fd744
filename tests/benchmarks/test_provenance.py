"""Files of figures say at which commit and on which machine they were measured."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks import provenance as module
from benchmarks.provenance import provenance

pytestmark = pytest.mark.fast


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with one committed file of code and one of figures."""
    if not shutil.which("git"):
        pytest.skip("git is not installed: sudo apt-get install git")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "code.py").write_text("")
    (tmp_path / "benchmarks" / "figures.md").write_text("")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "First")
    return tmp_path


def git(project: Path, *arguments: str) -> str:
    command = ["git", "-C", str(project), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_names_the_commit_without_changes_though_figures_were_rewritten(project: Path) -> None:
    (project / "benchmarks" / "figures.md").write_text("1 s")
    assert f" at commit {git(project, 'rev-parse', '--short', 'HEAD')},\n" in provenance(project)


@pytest.mark.parametrize("file", ["code.py", "new.py"])
def test_says_that_code_differs_from_the_commit(project: Path, file: str) -> None:
    (project / file).write_text("changed = True")
    assert f" at commit {git(project, 'rev-parse', '--short', 'HEAD')} + changes,\n" in provenance(project)


def test_commit_is_unknown_outside_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert " at commit unknown,\n" in provenance(tmp_path)


def test_commit_is_unknown_without_git(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert " at commit unknown,\n" in provenance(project)


def test_names_processor_cores_and_python(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Example CPU\n")
    monkeypatch.setattr(module, "CPU_INFO", tmp_path / "cpuinfo")
    text = provenance(project)
    assert f"on Example CPU, {os.cpu_count()} cores, " in text
    assert f"Python {platform.python_version()}." in text


def test_names_the_architecture_if_linux_states_no_model(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CPU_INFO", tmp_path / "missing")
    assert f"on {platform.machine()}, " in provenance(project)
