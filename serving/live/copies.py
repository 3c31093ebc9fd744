"""The bundles on the service's disk, and the record of the one served last."""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving.bundle import atomic

BUNDLES_KEPT = 3  # on disk: the served bundle and earlier ones for a rollback
RECORD = "served"  # the file that names the bundle served last


class Copies:
    """One folder per bundle below `folder`, and a record; several processes may share them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lets one process at a time change the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def record(self) -> dict[str, Any]:
        """Returns name, verdict and approval of the bundle served last; {} without a readable record.

        Release 0.1 wrote no approval.
        """
        with contextlib.suppress(OSError, ValueError, RecursionError):
            record = json.loads((self.folder / RECORD).read_text())
            if isinstance(record, dict) and isinstance(record.get("name"), str):
                return record
        return {}

    def remember(self, name: str, verdict: dict[str, Any], approval: str) -> None:
        """Records the served bundle for the next start, and deletes all but the bundles used last."""
        record = {"name": name, "verdict": verdict, "approval": approval}
        atomic.write_text(self.folder / RECORD, json.dumps(record))
        os.utime(self.folder / name)
        folders = [folder for folder in self.folder.iterdir() if folder.is_dir()]
        for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime)[:-BUNDLES_KEPT]:
            shutil.rmtree(folder)
