"""`python -m pipelines.stack.leash SECONDS FOLDER COMMAND...`: runs a command whose descendants end with it.

The command is ended on a SIGTERM, and also when the process that started this one is killed. It has SECONDS
to end by itself; then its remaining descendants are killed. FOLDER is removed at the end.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Runs the command in the arguments until it ends or this process receives a SIGTERM."""
    seconds, folder, *command = sys.argv[1:]
    if sys.platform == "linux":
        kernel = ctypes.CDLL(None)
        kernel.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        # Orphaned descendants become children of this process, which can then kill them.
        kernel.prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    child = subprocess.Popen(command)  # noqa: S603 - our own
    try:
        while os.wait()[0] != child.pid:
            pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _end(child, float(seconds))
        shutil.rmtree(folder, ignore_errors=True)


def _end(child: "subprocess.Popen[bytes]", seconds: float) -> None:
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(seconds)
    while descendants := psutil.Process().children(recursive=True):
        for process in descendants:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(descendants, timeout=3)


if __name__ == "__main__":
    main()
