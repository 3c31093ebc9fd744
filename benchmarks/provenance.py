"""Where and when figures were measured: the date, the commit and the machine."""

import datetime as dt
import os
import platform
import subprocess
from pathlib import Path

import psutil

PROJECT = Path(__file__).parents[1]
CPU_INFO = Path("/proc/cpuinfo")
NO_FIGURES = (".", ":(exclude)benchmarks/*.md")  # a run rewrites its figures, which change no code


def provenance(project: Path = PROJECT) -> str:
    """Returns the lines that head a file of figures: date, commit, processor, memory, Python and system.

    Call it before the first measurement, so that it names the commit that was measured.
    """
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"Measured on {dt.datetime.now(dt.UTC):%Y-%m-%d} at commit {_commit(project)},\n"
        f"on {_processor()}, {os.cpu_count()} cores, {memory:.1f} GiB of memory,\n"
        f"{_system()}, Python {platform.python_version()}.\n"
    )


def _commit(project: Path) -> str:
    """Returns the short hash of HEAD, with `+ changes` if files differ from it; `unknown` without git."""
    try:
        head = _git(project, "rev-parse", "--short", "HEAD")
        return f"{head} + changes" if _git(project, "status", "--porcelain", "--", *NO_FIGURES) else head
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(project: Path, *arguments: str) -> str:
    command = ["git", "-C", str(project), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _processor() -> str:
    """Returns the processor's model, or the architecture where Linux doesn't state the model."""
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform()
