"""Whether this machine has the Java that Spark needs."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from pipelines.settings import settings
from serving.errors import NightshelfError

OLDEST = 17
CONNECT = "sc://"
ADVICE = "set JAVA_HOME to one, or on Debian: apt-get install default-jre-headless"
VERSION = re.compile(r'version "(?:1\.)?(\d+)')


def check_java() -> None:
    """Nothing, where Java 17 or newer is found as Spark finds it: by JAVA_HOME, else on the PATH.

    Over Spark Connect it isn't needed here. Raises NightshelfError saying what is there instead and
    what to do.
    """
    if settings().spark_master.startswith(CONNECT):
        return
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home, "bin")) if home else None)
    if java is None:
        where = f"in JAVA_HOME ({home})" if home else "on the PATH"
        raise NightshelfError(f"Spark needs Java {OLDEST} or newer, and there is none {where}: {ADVICE}")
    if (version := _version(java)) < OLDEST:
        raise NightshelfError(f"Spark needs Java {OLDEST} or newer, and {java} is Java {version}: {ADVICE}")


def _version(java: str) -> int:
    """The major version, or 0 where `java -version` doesn't tell."""
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    found = VERSION.search(answer.stderr + answer.stdout)
    return int(found[1]) if found else 0
