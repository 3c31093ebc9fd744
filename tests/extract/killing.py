"""Runs pulls in forked processes, so that a test can kill them.

Each line of stdin starts a pull; the line is a JSON object of environment variables.

All imports happen before the first fork, so that a process spends its time on the pull alone.
"""

import datetime as dt
import json
import os
import sys

from pipelines import extract
from pipelines.extract import pulls
from pipelines.run.progress import silent
from pipelines.settings import settings


def main():
    """Prints each pull's process id, and then its wait status."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.environ |= json.loads(line)
            settings.cache_clear()
            pulls.pull(extract.source("shop-api", "", ""), dt.date(2026, 9, 30), False, silent)
            os._exit(0)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
