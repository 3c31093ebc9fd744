"""Pulls in processes of their own, to be killed: each line of stdin is an environment to pull once in.

All that a pull imports is there before the first, so that a process lives for its pull alone.
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
    """Answers the process of each pull, and how it ended."""
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
