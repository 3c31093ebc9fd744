"""Programs of a few lines, which say who they are in a folder, and what becomes of processes."""

import sys
import time
from contextlib import suppress
from pathlib import Path

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
# And doesn't end before it is killed.
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{PARENT}"


def program(pids, name, code=SLEEP, **options):
    """A program that writes its process id to the folder and then runs the code."""
    script = Path(pids, f"{name}.py")
    script.write_text(f"import os; open(os.environ['PIDS'] + '/{name}', 'w').write(str(os.getpid()))\n{code}")
    return Program(name, (sys.executable, str(script)), **({"up": lambda http: True} | options))


def process(pids, name, seconds=15):
    """The process that wrote its id to the folder, waiting for it."""
    eventually(lambda: Path(pids, name).exists() and Path(pids, name).read_text(), seconds)
    return psutil.Process(int(Path(pids, name).read_text()))


def eventually(true, seconds=15):
    """Waits for a condition; fails after the seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it didn't come to be"
        time.sleep(0.05)


def command_lines():
    """The command lines of all that runs below this process."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # ended meanwhile, or ended and not yet waited for
            found.append(" ".join(child.cmdline()))
    return found


def gone(*processes):
    """Whether none of the processes runs."""
    return not any(_runs(one) for one in processes)


def _runs(one):
    try:
        return one.is_running() and one.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
