"""`python -m docs.lock_dates [LOCK]`: when each locked version was published, the oldest first.

For machines that reach a package index but no database of vulnerabilities: an old version deserves a look.
"""

import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import httpx

LOCK = Path(__file__).parents[1] / "requirements.lock"
PINNED = re.compile(r"^([\w.-]+)==([\w.!+-]+)", re.MULTILINE)
JSON = "application/vnd.pypi.simple.v1+json"
AT_ONCE = 4  # requests
UNKNOWN = "no date"


def main(lock: Path = LOCK) -> None:
    """Prints a line for each locked version: its date, its name and its number, and whether it was yanked."""
    index = os.environ.get("PIP_INDEX_URL") or import_module("pip._internal.models.index").PyPI.simple_url
    with httpx.Client(headers={"Accept": JSON}, timeout=60) as http, ThreadPoolExecutor(AT_ONCE) as pool:
        versions = PINNED.findall(lock.read_text())
        dates = pool.map(lambda version: published(http, index, *version), versions)
        lines = [f"{date:12} {name} {number}" for date, (name, number) in zip(dates, versions, strict=True)]
    print("\n".join(sorted(lines)))


def published(http: httpx.Client, index: str, name: str, number: str) -> str:
    """Returns the day on which a version was published, "yanked" if it was withdrawn, or UNKNOWN."""
    try:
        files = http.get(f"{index.rstrip('/')}/{name}/").raise_for_status().json()["files"]
    except (httpx.HTTPError, ValueError, KeyError):
        return UNKNOWN
    prefix = re.compile(
        rf"{re.escape(name).replace(chr(92) + '-', '[-_.]')}-{re.escape(number)}[-.]", re.IGNORECASE
    )
    own = [file for file in files if prefix.match(file["filename"])]
    if any(file.get("yanked") for file in own):
        return "yanked"
    return min((file["upload-time"][:10] for file in own if file.get("upload-time")), default=UNKNOWN)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
