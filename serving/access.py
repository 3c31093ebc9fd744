"""The access log: one line of JSON for each request, without anything that a person asked."""

import datetime as dt
import json
import logging
import sys

log = logging.getLogger("nightshelf.access")


def start(wanted: bool) -> None:
    """Writes the log to standard output from now on, if wanted."""
    log.propagate = False
    log.setLevel(logging.INFO if wanted else logging.CRITICAL)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [handler]


def write(method: str, route: str, status: int, seconds: float, version: str | None, key: str | None) -> None:
    """Writes a request's line. version: of the model that answered. key: the name of the key that asked."""
    if log.isEnabledFor(logging.INFO):
        line = {
            "time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 2),
            "version": version,
            "key": key,
        }
        log.info(json.dumps(line))
