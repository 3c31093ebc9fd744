"""What Nightshelf writes and starts is accessible to its own user alone, whatever the user's umask is."""

import csv
import os
import stat
import subprocess
import sys
from pathlib import Path

import bundles
import httpx
import pyarrow as pa
import pytest
from processes import environment, service

from pipelines.lake import files, tables
from pipelines.settings import Settings
from pipelines.stack.environment import environment as stack_environment
from pipelines.stack.programs import Program
from pipelines.stack.start import start
from pipelines.stack.supervisor import supervised
from pipelines.stack.up import close_folders

NIGHTSHELF = Path(sys.executable).with_name("nightshelf")
OPEN = 0o022  # a usual umask
OTHERS = stat.S_IRWXG | stat.S_IRWXO
COLUMNS = ("order_id", "ordered_at", "customer", "product", "quantity", "unit_price")
WRITE = "mkdir below && touch below/file && exec sleep 600"


@pytest.fixture(autouse=True)
def open_umask():
    """Sets a usual umask for the test and the programs that it starts."""
    before = os.umask(OPEN)
    yield
    os.umask(before)


def opened(folder: Path) -> set[str]:
    """Returns the files and folders below a folder that other users can access, by their path in it.

    What lies in a folder that they can't enter is closed too.
    """
    accessible: set[str] = set()
    for path in folder.iterdir():
        if not path.is_symlink() and path.stat().st_mode & OTHERS:
            accessible |= {
                path.name,
                *(f"{path.name}/{name}" for name in (opened(path) if path.is_dir() else ())),
            }
    return accessible


def nightshelf(home: Path, *arguments: object) -> str:
    process = subprocess.run(
        [NIGHTSHELF, *map(str, arguments)],
        env=environment(home, customer_key="a key for tests"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_commands_write_for_their_user_alone(tmp_path):
    home, orders, mapping = tmp_path / "home", tmp_path / "orders.csv", tmp_path / "mapping.toml"
    mapping.write_text("[columns]\n" + "".join(f'{name} = "{name}"\n' for name in COLUMNS))
    with orders.open("w", newline="") as file:
        rows = [
            [n, f"2026-09-{n % 9 + 1:02}T10:00", f"+4917012345{n % 90 + 10}", f"p{n % 7}", 1, 5]
            for n in range(300)
        ]
        csv.writer(file).writerows([COLUMNS, *rows])
    home.mkdir()
    given = ("--source", "files", "--path", orders, "--mapping", mapping, "--let-pass", "a small shop")
    nightshelf(home, "step", "begin", *given)
    for step in ("extract", "validate", "prepare", "report"):
        nightshelf(home, "step", step, "--path", orders)
    nightshelf(home, "keys", "add", "shop", "--scope", "read")
    nightshelf(home, "sample", "--fraction", "0.5", "--to", home / "sample.parquet")
    nightshelf(home, "backup", "--to", home / "backup.tar")
    assert {"lake", "mlruns", "nights", "keys", "sample.parquet"} <= {path.name for path in home.iterdir()}
    assert opened(home) == set()


def test_the_service_writes_for_its_user_alone(tmp_path):
    with service(tmp_path) as up:
        event = {"events": [{"customer": "C-17", "product": "tea-1", "kind": "view"}]}
        httpx.post(f"{up.url}/v1/events", json=event, timeout=30)
        bundles.wait_until((tmp_path / ".nightshelf" / "store.db").exists, 60)
        # BentoML makes folders before it knows the service; the test itself writes the log.
        assert {name for name in opened(tmp_path) if not (tmp_path / name).is_dir()} == {"service.log"}


def test_programs_of_the_stack_write_for_their_user_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    programs = [Program("writer", ("sh", "-c", WRITE), lambda _: True)]
    with supervised(tmp_path / "state", programs, dict(os.environ)) as supervisor:
        start(supervisor)
        bundles.wait_until((tmp_path / "below" / "file").exists, 60)
        assert [
            path for path in (tmp_path / "below", tmp_path / "below" / "file") if path.stat().st_mode & OTHERS
        ] == []


def test_logs_of_airflows_tasks_are_for_their_user_alone(home):
    secrets = {"airflow_password": "password", "airflow_jwt_secret": "secret", "customer_key": "key"}
    variables = stack_environment(Settings(**secrets))
    for kind in ("FOLDER", "FILE"):
        mode = int(variables[f"AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_{kind}_PERMISSIONS"], 8)
        assert mode & OTHERS == 0


def test_a_file_or_link_of_the_temporary_name_is_not_written_through(tmp_path):
    victim, target = tmp_path / "victim", tmp_path / "backup.tar"
    victim.write_text("theirs")
    for planted in (tmp_path / ".backup.tar", tmp_path / f".backup.tar.{os.getpid()}"):
        planted.symlink_to(victim)
    os.umask(0o077)
    with files.atomic_write(str(target)) as file:
        file.write(b"ours")
    assert (victim.read_text(), target.read_bytes()) == ("theirs", b"ours")
    assert not target.is_symlink()
    assert target.stat().st_mode & OTHERS == 0


@pytest.mark.parametrize("engine", ["spark"], indirect=True)
def test_spark_writes_for_its_user_alone(engine, home):
    tables.write("small", pa.table({"customer": ["a", "b"]}))
    os.umask(0o077)  # as of a command
    tables.write_computed("copy", tables.scan("small"))
    assert opened(home / "lake" / "copy") == set()


def test_folders_of_an_earlier_release_are_closed(home):
    for name in ("lake/raw", "nights", ".nightshelf/bundles", "expectations/gx"):
        (home / name).mkdir(parents=True, exist_ok=True)
    close_folders(Settings())
    assert opened(home) == {"expectations"}  # which holds code, if HOME is the project's folder
