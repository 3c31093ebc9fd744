"""Backups that someone else made or altered: none is restored, whatever its sums say."""

import hashlib
import io
import random
import tarfile
import time
from pathlib import Path

import limits
import pytest
from homes import SOAK, fresh_home

from pipelines.backup import archive
from pipelines.backup.commands import back_up, restore
from pipelines.settings import settings
from serving.access import keys as keyring
from serving.errors import NightshelfError

DRAWN = 10_000 if SOAK else 300
KEY = "a key for tests"
SECONDS = 1.0  # for one archive
FILES = {"backup.json": b"{}", "keys": b"shop read abc\n", "lake/orders/CURRENT": b"0" * 32}


def contents(file: Path) -> dict[str, bytes]:
    """Returns the members of an archive by name."""
    with tarfile.open(file) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def pack(file: Path, members: dict[str, bytes], *others: tarfile.TarInfo) -> str:
    """Writes an archive of members by name, then of others without content; returns its path."""
    with tarfile.open(file, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in others:
            tar.addfile(info)
    return str(file)


def with_sums(members: dict[str, bytes]) -> dict[str, bytes]:
    """Returns the members with their sums, as anybody can compute them."""
    own = (archive.SUMS, archive.SIGNATURE)
    sums = [
        f"{hashlib.sha256(body).hexdigest()}  {name}\n" for name, body in members.items() if name not in own
    ]
    return members | {archive.SUMS: "".join(sums).encode()}


@pytest.fixture
def made(tmp_path):
    """A backup of a home with one API key."""
    with fresh_home(tmp_path / "home"):
        keyring.add(settings().keys_path, "shop", "read")
        back_up(f"{tmp_path}/backup.tar")
    return tmp_path / "backup.tar"


def test_an_api_key_planted_in_a_backup_is_not_restored(made, tmp_path):
    keyring.add(tmp_path / "theirs", "thief", "admin")
    planted = contents(made)
    planted["keys"] += (tmp_path / "theirs").read_bytes()
    with fresh_home(tmp_path / "new"):
        with pytest.raises(
            NightshelfError, match="was altered, or made with another NIGHTSHELF_CUSTOMER_KEY"
        ):
            restore(pack(tmp_path / "planted.tar", with_sums(planted)))
        assert not settings().keys_path.exists()


def test_a_backup_without_its_signature_is_restored_only_on_request(made, tmp_path):
    unsigned = contents(made)
    del unsigned[archive.SIGNATURE]
    file = pack(tmp_path / "unsigned.tar", unsigned)
    with fresh_home(tmp_path / "new"):
        with pytest.raises(NightshelfError, match=r"is not signed.*--unsigned"):
            restore(file)
        assert not settings().keys_path.exists()
        restore(file, unsigned=True)
        assert [key.name for key in keyring.load_or_empty(settings().keys_path)] == ["shop"]


def test_an_altered_backup_is_not_restored_as_unsigned(made, tmp_path):
    altered = contents(made)
    altered["keys"] += b"\n"
    file = pack(tmp_path / "altered.tar", with_sums(altered))
    with fresh_home(tmp_path / "new"), pytest.raises(NightshelfError, match="was altered"):
        restore(file, unsigned=True)


@pytest.fixture
def small(tmp_path):
    """A small signed archive."""
    with archive.create(f"{tmp_path}/small.tar", KEY) as writer:
        for name, content in FILES.items():
            writer.add_bytes(name, content)
    return tmp_path / "small.tar"


def refusal(file: Path, folder: Path) -> str:
    """Returns the message with which an archive is refused, "" if it is unpacked; fails if it takes long."""
    started, message = time.process_time(), ""
    try:
        archive.unpack(str(file), folder, KEY)
    except NightshelfError as error:
        message = str(error)
    assert (taken := time.process_time() - started) < limits.scaled(SECONDS), f"took {taken:.1f} s"
    assert message.isprintable()
    return message


@pytest.mark.fast
@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/tmp/outside",
        "a/../../outside",
        "..",
        ".",
        "",
        "a\nb",
        "a\x00b",
        "\x1b[2J",
        "keys/below",
        "\udcff",
    ],
)
def test_a_member_with_an_odd_name_is_refused(small, tmp_path, name):
    before = set(tmp_path.iterdir())
    info = tarfile.TarInfo(name)
    file = pack(tmp_path / "odd.tar", contents(small), info)
    assert refusal(Path(file), tmp_path / "unpacked")
    assert set(tmp_path.iterdir()) - before <= {tmp_path / "odd.tar", tmp_path / "unpacked"}


@pytest.mark.fast
def test_a_sparse_member_that_is_larger_than_the_archive_is_refused(small, tmp_path):
    sparse = tarfile.TarInfo("lake/large")
    sparse.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": "0,1",
        "GNU.sparse.size": str(1 << 30),
    }
    with tarfile.open(tmp_path / "sparse.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        sparse.size = 1
        tar.addfile(sparse, io.BytesIO(b"x"))
    with tarfile.open(tmp_path / "sparse.tar") as tar:
        assert tar.next().size == 1 << 30
    assert "not a complete backup" in refusal(tmp_path / "sparse.tar", tmp_path / "unpacked")


@pytest.mark.fast
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, b"S"])
def test_what_is_no_regular_file_is_refused(small, tmp_path, kind):
    info = tarfile.TarInfo("lake/orders/other")
    info.type, info.linkname = kind, "/etc/passwd"
    assert refusal(Path(pack(tmp_path / "linked.tar", contents(small), info)), tmp_path / "unpacked")


@pytest.mark.fast
@pytest.mark.parametrize("kind", [b"x", b"L"])
def test_an_archive_of_endless_headers_is_refused(tmp_path, kind):
    info = tarfile.TarInfo("name")
    info.type, info.size = kind, 0
    (tmp_path / "chained.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) * 5_000)
    assert "is not a complete backup" in refusal(tmp_path / "chained.tar", tmp_path / "new")


@pytest.mark.fast
def test_sums_of_nonsense_are_refused(small, tmp_path):
    altered = contents(small) | {archive.SUMS: b"\xff\n\n"}
    del altered[archive.SIGNATURE]
    with pytest.raises(NightshelfError, match="is missing or altered"):
        archive.unpack(pack(tmp_path / "sums.tar", altered), tmp_path / "new", KEY, unsigned=True)


@pytest.mark.fast
def test_an_archive_of_nonsense_is_refused_or_as_it_was(small, tmp_path, seed):
    rng, whole, file = random.Random(seed), small.read_bytes(), tmp_path / "drawn.tar"
    for number in range(DRAWN):
        drawn = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(drawn)) if rng.random() < 0.3 else rng.randrange(len(drawn) // 512) * 512
            drawn[at : at + rng.choice([0, 1, 8, 512])] = rng.randbytes(rng.choice([0, 1, 8, 512]))
        file.write_bytes(drawn[: rng.choice([None, rng.randrange(len(drawn))])])
        folder = tmp_path / str(number)
        if not refusal(file, folder):
            assert all((folder / name).read_bytes() == content for name, content in FILES.items())
