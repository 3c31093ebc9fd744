"""A backup holds everything that cannot be recomputed; only a complete, unaltered archive is restored."""

import io
import subprocess
import sys
import tarfile

import bundles
import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from alembic import command
from buckets import bucket, keys
from homes import fresh_home
from mlflow import MlflowClient
from mlflow.store.db.utils import _get_alembic_config

from pipelines.backup import archive, commands, registry
from pipelines.backup.archive import SUMS
from pipelines.backup.commands import back_up, restore
from pipelines.lake import tables
from pipelines.privacy import forgotten
from pipelines.registry import versions
from pipelines.settings import customer_key, settings
from serving.access import keys as keyring
from serving.bundle.files import load
from serving.errors import NightshelfError
from serving.live import changeset, erasures, events
from serving.live.events import Event
from serving.live.registry import champion, download

ANNA, BORIS = "a" * 64, "b" * 64
TABLES = ("orders", "raw/orders/source=shop/pull=1", "validation/source=shop/date=2026-01-31")
ROWS = pa.table({"customer": [ANNA, BORIS, None], "n": [1, 2, 3]})
OTHER_ROWS = pa.table({"customer": [BORIS], "n": [4]})

# Replaces a table again and again; every row holds the number of its version.
WRITER = """
import itertools, pyarrow as pa
from pipelines.lake import tables
for number in itertools.count():
    tables.write("orders", pa.table({"customer": [None] * 1000, "n": [number] * 1000}))
    print(number, flush=True)
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The backup of a home with a lake, a champion, a store, API keys and a report."""
    home = tmp_path_factory.mktemp("template")
    with fresh_home(home):
        fill()
        (home / ".env").write_text("NIGHTSHELF_SHOP_PASSWORD=swordfish\n")
        to = home / "backup.tar"
        back_up(str(to))
        yield to


def fill():
    for table in TABLES:
        tables.write(table, OTHER_ROWS)
        tables.write(table, ROWS)
    tables.put("staging/source=shop/pull.json", b"{}")
    home = settings().home
    bundles.empty_registry(settings().tracking_uri, home / "mlruns" / "artifacts")
    bundles.publish(settings().tracking_uri, bundles.small(), home / "night")
    store = forgotten.open_store()
    events.add(store, [Event(ANNA, "tea-1", "purchase", 5, "one", 9.5), Event(BORIS, "tea-2", "view", 6)])
    changeset.update_product(store, "tea-1", {"price": 7.25, "in_stock": False})
    erasures.forget(store, "c" * 64)
    erasures.mark_done(store, erasures.pending(store))
    store.close()
    keyring.add(settings().keys_path, "shop", "read")
    settings().nights.mkdir()
    (settings().nights / "2026-01-31.html").write_text("<h1>a night</h1>")


def check(forgotten_since=frozenset()):
    """Fails unless everything from `fill` is there; forgotten_since: the customers erased after it."""
    for table in TABLES:
        assert tables.read(table) == ROWS
    assert {path.partition("/")[0] for path in tables.file_paths()} == {
        tables.STAMP,
        "orders",
        "raw",
        "validation",
    }
    version = champion(settings())
    assert str(version.version) == "1"
    loaded = load(download(version, settings().home / "downloaded"))
    np.testing.assert_array_equal(loaded.customers, bundles.small().customers)
    store = forgotten.open_store()
    assert [(row.product, row.price) for row in events.purchases(store)] == [("tea-1", 9.5)]
    assert [row.kind for row in events.latest(store, BORIS)] == ["view"]
    changes = changeset.since(store, 0)
    assert (changes.products["tea-1"]["price"], changes.products["tea-1"]["in_stock"]) == (7.25, False)
    # The erasures are pending again, because the restored lake may hold the customers' rows.
    assert changes.forgotten.keys() == erasures.pending(store).keys() == {"c" * 64, *forgotten_since}
    events.add(store, [Event(ANNA, "tea-3", "cart", 7)])
    assert len(events.latest(store, ANNA)) == 2
    store.close()
    assert [key.name for key in keyring.load_or_empty(settings().keys_path)] == ["shop"]
    assert (settings().nights / "2026-01-31.html").read_text() == "<h1>a night</h1>"


def members(archive):
    """The contents of a tar file by name."""
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def pack(contents, to):
    """Writes a tar file of contents by name; returns its path."""
    with tarfile.open(to, "w") as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return str(to)


def test_a_backup_restores_into_another_home(template, home):
    restore(str(template))
    check()
    assert settings().keys_path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.iterdir() if path.name.startswith(".restore")] == []


def test_an_archive_is_readable_by_its_owner_only_and_holds_no_secret(template):
    assert template.stat().st_mode & 0o777 == 0o600
    content = template.read_bytes()
    assert b"a key for tests" not in content
    assert b"swordfish" not in content


def test_a_backup_during_writes_holds_one_complete_version(home, tmp_path):
    with subprocess.Popen([sys.executable, "-c", WRITER], stdout=subprocess.PIPE, text=True) as writer:
        first = int(writer.stdout.readline())
        back_up(f"{tmp_path}/backup.tar")
        writer.kill()
        last = max(map(int, writer.stdout.read().split()), default=first)
    restore(f"{tmp_path}/backup.tar", replace=True)
    numbers = tables.read("orders")["n"]
    assert (len(numbers), len(numbers.unique())) == (1000, 1)
    assert first <= numbers[0].as_py() <= last + 1


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.9999])
def test_a_truncated_backup_changes_nothing(template, home, tmp_path, share):
    content = template.read_bytes()
    truncated = tmp_path / "truncated.tar"
    end = content.rindex(SUMS.encode())  # only padding follows
    truncated.write_bytes(content[: int(end * share)])
    with pytest.raises(NightshelfError, match=r"truncated.tar is not a complete backup"):
        restore(str(truncated))
    assert not (home / "lake").exists()


def test_a_backup_with_an_altered_byte_or_a_missing_file_changes_nothing(template, home, tmp_path):
    contents = members(template)
    kinds = {name.partition("/")[0]: name for name in contents if not name.startswith(SUMS)}
    assert kinds.keys() == {"backup.json", "lake", "registry.db", "artifacts", "store.db", "keys", "nights"}
    for name in kinds.values():
        altered = contents | {name: contents[name][:-1] + bytes([contents[name][-1] ^ 1])}
        with pytest.raises(NightshelfError, match=r"altered.tar is missing or altered"):
            restore(pack(altered, tmp_path / "altered.tar"))
    fewer = {name: content for name, content in contents.items() if "CURRENT" not in name}
    with pytest.raises(NightshelfError, match=r"CURRENT in .*fewer.tar is missing or altered"):
        restore(pack(fewer, tmp_path / "fewer.tar"))
    assert not (home / "lake").exists()


def test_a_member_outside_of_the_folder_is_rejected(template, home, tmp_path):
    contents = members(template) | {"../../outside": b"x"}
    with pytest.raises(NightshelfError, match="is not a complete backup"):
        restore(pack(contents, tmp_path / "evil.tar"))
    assert not list(tmp_path.parent.glob("outside*"))


def test_a_link_in_an_archive_is_rejected(home, tmp_path):
    with tarfile.open(tmp_path / "linked.tar", "w") as tar:
        link = tarfile.TarInfo("lake")
        link.type, link.linkname = tarfile.SYMTYPE, "/"
        tar.addfile(link)
    with pytest.raises(NightshelfError, match="is not a complete backup"):
        restore(str(tmp_path / "linked.tar"))


def test_existing_data_is_replaced_only_with_replace(template, home):
    tables.write("orders", OTHER_ROWS)
    tables.write("more", OTHER_ROWS)
    store = forgotten.open_store()
    erasures.forget(store, ANNA)
    events.add(store, [Event("d" * 64, "tea-1", "purchase", 5)])
    store.close()
    with pytest.raises(NightshelfError, match=r"already a lake in .* and a store with .* --replace"):
        restore(str(template))
    assert tables.read("orders") == OTHER_ROWS
    restore(str(template), replace=True)
    assert tables.read("orders") == ROWS
    assert not tables.exists("more")
    store = forgotten.open_store()
    # A customer forgotten since the backup stays forgotten, and is erased from the restored lake.
    assert set(erasures.pending(store)) == {ANNA, "c" * 64}
    assert events.customers(store) == {BORIS}
    store.close()
    assert forgotten.scrub_pending()
    assert tables.read("orders")["customer"].to_pylist() == [BORIS, None]


def test_an_empty_home_is_backed_up_and_restored(tmp_path):
    with fresh_home(tmp_path):
        (tmp_path / "mlruns" / "mlflow.db").unlink()
        (tmp_path / "mlruns").rmdir()
        back_up(f"{tmp_path}/backup.tar")
        restore(f"{tmp_path}/backup.tar")
        assert not tables.exists("orders")


@pytest.mark.parametrize(
    ("text", "relocated"),
    [
        ("file:///a/artifacts", "mlflow-artifacts:/"),
        ("file:///a/artifacts/1/run", "mlflow-artifacts:/1/run"),
        ("/a/artifacts/1", "mlflow-artifacts:/1"),
        ("/a/artifacts-of-others/1", "/a/artifacts-of-others/1"),
        ("in /a/artifacts/1", "in /a/artifacts/1"),
    ],
)
def test_a_location_below_a_root_is_relocated(text, relocated):
    roots = ("file:///a/artifacts", "/a/artifacts")
    assert registry._relocate(text, roots, "mlflow-artifacts:") == relocated


def test_a_backup_made_with_another_customer_key_is_refused(template, tmp_path):
    with (
        fresh_home(tmp_path, CUSTOMER_KEY="another key"),
        pytest.raises(NightshelfError, match="NIGHTSHELF_CUSTOMER_KEY"),
    ):
        restore(str(template))


@pytest.mark.parametrize("newer", ["format", "lake"])
def test_a_later_format_is_refused_naming_the_release_that_made_it(
    template, home, tmp_path, newer, monkeypatch
):
    header = commands.Header.model_validate_json(members(template)[commands.HEADER])
    later = header.model_copy(update={newer: 99, "release": "9.9.0"})
    monkeypatch.setattr(commands, "Header", lambda **_: later)
    back_up(f"{tmp_path}/later.tar")
    monkeypatch.undo()
    with pytest.raises(
        NightshelfError, match=r"by a later release, 9\.9\.0, .* restore it with that release"
    ):
        restore(f"{tmp_path}/later.tar")


def test_an_unusable_path_or_file_is_named(home, tmp_path):
    with pytest.raises(NightshelfError, match=r"there is no backup nowhere\.tar"):
        restore("nowhere.tar")
    (tmp_path / "text").write_text("no tar " * 1000)
    with pytest.raises(NightshelfError, match="text is not a complete backup"):
        restore(str(tmp_path / "text"))
    for source in (str(tmp_path), "s4://bucket/backup.tar"):
        with pytest.raises(NightshelfError, match=r"cannot unpack the backup .* \(\w+Error\)"):
            restore(source)
    with pytest.raises(NightshelfError, match=r"cannot write the file of --to \(\w+Error\)"):
        back_up("/proc/nowhere/backup.tar")


def test_a_backup_with_an_mlflow_server_needs_the_servers_variables(tmp_path):
    with (
        fresh_home(tmp_path, MLFLOW_URI="http://127.0.0.1:9"),
        pytest.raises(NightshelfError, match="set MLFLOW_BACKEND_STORE_URI and MLFLOW_ARTIFACTS_DESTINATION"),
    ):
        back_up(f"{tmp_path}/backup.tar")


def test_a_backup_without_the_registered_bundles_fails(template, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", f"sqlite:///{template.parent}/mlruns/mlflow.db")
    monkeypatch.setenv("MLFLOW_ARTIFACTS_DESTINATION", f"{tmp_path}/elsewhere")
    with (
        fresh_home(tmp_path, MLFLOW_URI="http://127.0.0.1:9"),
        pytest.raises(NightshelfError, match="none of the bundles that MLflow's database names"),
    ):
        back_up(f"{tmp_path}/backup.tar")
    assert not (tmp_path / "backup.tar").exists()


def test_a_database_that_is_down_fails_at_once_without_its_password(template, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "postgresql+psycopg://me:secret@127.0.0.1:9/mlflow")
    monkeypatch.setenv("MLFLOW_ARTIFACTS_DESTINATION", f"{tmp_path}/artifacts")
    with (
        fresh_home(tmp_path, MLFLOW_URI="http://127.0.0.1:9"),
        pytest.raises(NightshelfError, match=r"127\.0\.0\.1:9/mlflow does not respond") as raised,
    ):
        restore(str(template), replace=True)
    assert "secret" not in str(raised.value)


def pack_with_registry(contents, database, to):
    """Packs contents with another MLflow database, as `nightshelf backup` would."""
    with archive.create(str(to), customer_key()) as writer:
        for name, content in (contents | {registry.DATABASE: database.read_bytes()}).items():
            if name not in (SUMS, archive.SIGNATURE):
                writer.add_bytes(name, content)
    return str(to)


def test_a_registry_of_an_older_mlflow_is_upgraded_and_a_later_one_refused(template, home, tmp_path):
    contents, database = members(template), tmp_path / "other.db"
    database.write_bytes(contents[registry.DATABASE])
    engine = sa.create_engine(f"sqlite:///{database}")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'ffffffffffff'"))
    with pytest.raises(NightshelfError, match="later release of MLflow"):
        restore(pack_with_registry(contents, database, tmp_path / "later.tar"))
    assert not tables.exists("orders")
    engine.dispose()
    database.write_bytes(contents[registry.DATABASE])
    command.downgrade(_get_alembic_config(f"sqlite:///{database}"), "-1")  # MLflow's own downgrade
    restore(pack_with_registry(contents, database, tmp_path / "older.tar"))
    check()


def test_a_backup_moves_to_postgresql_and_a_bucket_and_back(template, database, tmp_path, monkeypatch):
    """Restores from SQLite and a folder into PostgreSQL and a bucket, and from there into a folder."""
    with bucket() as url:
        monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", database)
        monkeypatch.setenv("MLFLOW_ARTIFACTS_DESTINATION", f"{url}/artifacts")
        there = {"LAKE": f"{url}/lake", "STORE_URL": database, "MLFLOW_URI": "http://127.0.0.1:9"}
        with fresh_home(tmp_path / "there", **there):
            restore(str(template))
            assert tables.read("orders") == ROWS
            version = MlflowClient(database, database).get_model_version_by_alias("nightshelf", "champion")
            run = MlflowClient(database, database).get_run(version.run_id)
            assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
            assert any(key.endswith("bundle/manifest.json") for key in keys(f"{url}/artifacts"))
            with pytest.raises(NightshelfError, match=r"a lake in s3://.* a registry with runs and a store"):
                restore(str(template))
            store = forgotten.open_store()
            events.add(
                store, [Event("d" * 64, "tea-1", "view", 5)]
            )  # needs a key higher than the restored keys
            erasures.forget(store, "d" * 64)
            store.close()
            back_up(f"{url}/backups/one.tar")
        with fresh_home(tmp_path / "back"):
            restore(f"{url}/backups/one.tar")
            assert "d" * 64 in forgotten.load().last_day
            check({"d" * 64})


def test_a_champion_in_an_older_format_is_skipped_with_a_warning(home, tmp_path, caplog):
    bundles.empty_registry(settings().tracking_uri, home / "mlruns" / "artifacts")
    version = bundles.register(settings().tracking_uri, bundles.save_format_1(tmp_path / "bundle"))
    bundles.promote(settings().tracking_uri, version)
    assert versions.readable_bundle(version) is None
    assert "has format 1, this release reads 2: run `nightshelf retrain`" in caplog.text
