"""`python -m pipelines.stack.leash SECONDS FOLDER COMMAND...`: a command whose whole offspring ends with it.

It ends on a SIGTERM, and also when the process that started it is killed. SECONDS is the time that the
command has to end by itself; what is left of its offspring then is killed. FOLDER is removed at the end.
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
    """Runs the command of the arguments until it ends or is to end."""
    seconds, folder, *command = sys.argv[1:]
    if sys.platform == "linux":
        kernel = ctypes.CDLL(None)
        kernel.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        # What the offspring leaves behind is ours, else it would be out of reach.
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
    while left := psutil.Process().children(recursive=True):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=3)


if __name__ == "__main__":
    main()
