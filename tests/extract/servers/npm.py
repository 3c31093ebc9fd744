"""Installs the npm packages of a test server into a cache folder, and starts its programs."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import bundles
import pytest
from limits import scaled
from processes import running

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("NIGHTSHELF_TEST_CACHE", Path.home() / ".cache" / "nightshelf-tests"))
OLDEST_NODE = 20
# The locks were made without peer packages, among them database drivers that the servers don't use.
INSTALL = ("npm", "ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
INHERITED = ("PATH", "HOME", "LANG", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def project(server: str, folder: Path) -> Path:
    """Makes a folder in which the programs of a server run, with its locked packages; returns the folder.

    Skips the test, with the reason, where Node or npm is missing.
    """
    packages = _installed(server)
    folder.mkdir(parents=True)
    for file in HERE.joinpath(server).iterdir():
        shutil.copy(file, folder)
    (folder / "node_modules").symlink_to(packages / "node_modules")
    return folder


def run(folder: Path, *command: str, **environment: str) -> None:
    """Runs a program of a project to its end; fails with the end of its output."""
    result = subprocess.run(
        [f"node_modules/.bin/{command[0]}", *command[1:]],
        cwd=folder,
        env=_environment(environment),
        capture_output=True,
        text=True,
        timeout=scaled(180),
        check=False,
    )
    assert result.returncode == 0, (result.stdout + result.stderr)[-3000:]


@contextlib.contextmanager
def server(folder: Path, *command: str, ready: Callable[[str], bool], **environment: str) -> Iterator[None]:
    """Runs a server of a project until the block ends; yields once its log, or a request, shows it ready.

    ready: a function from the log so far.
    """
    log = folder / "server.log"
    with running(command, _environment(environment), log) as process:

        def is_ready() -> bool:
            assert process.poll() is None, log.read_text()[-3000:]
            return ready(log.read_text())

        bundles.wait_until(is_ready, scaled(120))
        yield


def _installed(server: str) -> Path:
    """Returns the folder that holds the locked packages of a server; installs them once per lock."""
    _skip_without_node()
    lock = HERE / server / "package-lock.json"
    folder = CACHE / f"{server}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{server}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # another process of the tests may be installing them
        if not (folder / "installed").exists():
            _install(lock.parent, folder)
    return folder


def _install(server: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(server / name, folder)
    result = subprocess.run(
        INSTALL, cwd=folder, capture_output=True, text=True, timeout=scaled(600), check=False
    )
    assert result.returncode == 0, (result.stdout + result.stderr)[-3000:]
    (folder / "installed").touch()


def _skip_without_node() -> None:
    for program in ("node", "npm"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed: install Node {OLDEST_NODE} or newer, with npm")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.strip().removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"Node {version.strip()} is too old: install Node {OLDEST_NODE} or newer")


def _environment(given: dict[str, str]) -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | given
