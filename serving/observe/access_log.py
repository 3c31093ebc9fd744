"""The access log: one line of JSON on standard output per request, without ids or parameters."""

import contextlib
import datetime as dt
import json
import os

STANDARD_OUTPUT = 1


def write(method: str, route: str, status: int, seconds: float, version: str | None, key: str | None) -> None:
    """Writes the line of one request.

    One system call per line keeps the lines of several workers from mixing; `logging` takes twice as long.
    version: of the model that answered. key: the name of the API key.
    """
    line = {
        "time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
        "method": method,
        "route": route,
        "status": status,
        "ms": round(seconds * 1000, 2),
        "version": version,
        "key": key,
    }
    with contextlib.suppress(OSError):  # the reader of standard output may have ended
        os.write(STANDARD_OUTPUT, f"{json.dumps(line)}\n".encode())
