"""Programs of a few lines, which write their process id to a folder, and checks of processes."""

import sys
import time
from contextlib import suppress
from pathlib import Path

import limits
import psutil

from pipelines.stack.programs import Program

SLEEP = "import time; time.sleep(600)"
# Leaves a child behind, in a session of its own.
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], start_new_session=True)
open(os.environ["PIDS"] + "/grandchild", "w").write(str(child.pid))
time.sleep(600)
"""
# Like PARENT, and ignores the signal that asks it to end.
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{PARENT}"


def program(pids, name, code=SLEEP, **options):
    """A program that writes its process id to the folder and then runs the code."""
    script = Path(pids, f"{name}.py")
    script.write_text(f"import os; open(os.environ['PIDS'] + '/{name}', 'w').write(str(os.getpid()))\n{code}")
    return Program(name, (sys.executable, str(script)), **({"is_up": lambda http: True} | options))


def process(pids, name, seconds=15):
    """The process that wrote its id to the folder; waits until it does."""
    eventually(lambda: Path(pids, name).exists() and Path(pids, name).read_text(), seconds)
    return psutil.Process(int(Path(pids, name).read_text()))


def eventually(condition, seconds=15):
    """Waits for a condition; fails after the seconds, scaled to the machine."""
    deadline = time.monotonic() + limits.scaled(seconds)
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true in time"
        time.sleep(0.05)


def command_lines():
    """The command lines of all descendants of this process."""
    lines = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # ended meanwhile, or ended and not yet waited for
            lines.append(" ".join(child.cmdline()))
    return lines


def all_ended(*processes):
    """Whether none of the processes runs."""
    return not any(_runs(process) for process in processes)


def _runs(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
