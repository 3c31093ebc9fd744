"""Checks that this machine has a Java that Spark supports."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from pipelines.settings import settings
from serving.errors import NightshelfError

OLDEST = 17
CONNECT = "sc://"
ADVICE = "set JAVA_HOME to such a Java, or install it; on Debian: apt-get install default-jre-headless"
VERSION = re.compile(r'version "(?:1\.)?(\d+)')


def check_java() -> None:
    """Checks that Spark finds Java 17 or newer: in JAVA_HOME if that is set, otherwise on the PATH.

    Spark Connect needs no Java on this machine. Raises NightshelfError if Java is missing or too old.
    """
    if settings().spark_master.startswith(CONNECT):
        return
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home, "bin")) if home else None)
    if java is None:
        where = f"in JAVA_HOME ({home})" if home else "on the PATH"
        raise NightshelfError(f"Spark needs Java {OLDEST} or newer, and there is no Java {where}: {ADVICE}")
    if (version := _version(java)) < OLDEST:
        raise NightshelfError(f"Spark needs Java {OLDEST} or newer, and {java} is Java {version}: {ADVICE}")


def _version(java: str) -> int:
    """Returns the major version that `java -version` prints, or 0 if it prints none."""
    process = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    match = VERSION.search(process.stderr + process.stdout)
    return int(match[1]) if match else 0
