"""The backup's archive: one tar file that ends with the SHA-256 of each member, and with their signature.

The signature is an HMAC with the customer key, which no backup holds. `unpack` rejects an archive that is
truncated, altered, or made by someone else.
"""

import hashlib
import hmac
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipelines.lake import files
from serving.errors import NightshelfError, without_secrets
from serving.settings import OWNER_ONLY

SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.hmac"
SIGNED_FOR = b"nightshelf backup sums\n"  # what else is made with the key signs other texts
REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE)  # not sparse: such a member is larger than the archive
PRIVATE = 0o600  # mode of a file
SPOOL_BYTES = 1 << 20  # a larger copy goes to a temporary file


class Writer:
    """Adds members to an archive and collects their SHA-256."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self.tar = tar
        self.sums: dict[str, str] = {}

    def add(self, name: str, file: IO[bytes]) -> None:
        """Adds a seekable file; it is read twice."""
        self.sums[name] = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        info = tarfile.TarInfo(name)
        info.size, info.mode = file.seek(0, os.SEEK_END), PRIVATE
        file.seek(0)
        self.tar.addfile(info, file)

    def add_copy(self, name: str, file: IO[bytes]) -> None:
        """Adds a file that is slow to read or not seekable; it is read once."""
        with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as copy:
            shutil.copyfileobj(file, copy)
            copy.seek(0)
            self.add(name, copy)

    def add_bytes(self, name: str, content: bytes) -> None:
        """Adds a small member from memory."""
        self.add(name, io.BytesIO(content))

    def add_folder(self, name: str, folder: Path) -> None:
        """Adds all files below a folder, with `name` as their parent folder."""
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            with path.open("rb") as file:
                self.add(f"{name}/{path.relative_to(folder)}", file)


@contextmanager
def create(to: str, key: str) -> Iterator[Writer]:
    """Yields the writer of a new archive at a path or URL, signed with a key.

    The archive appears when the block ends without an error; a local file is readable by its owner only.
    Raises NightshelfError if it cannot be written.
    """
    umask = os.umask(OWNER_ONLY)
    try:
        with files.atomic_write(to) as file, tarfile.open(fileobj=file, mode="w|") as tar:
            writer = Writer(tar)
            yield writer
            sums = "".join(f"{digest}  {name}\n" for name, digest in writer.sums.items()).encode()
            writer.add_bytes(SUMS, sums)
            writer.add_bytes(SIGNATURE, _signature(sums, key))
    except (OSError, ValueError, ImportError) as error:
        raise NightshelfError(
            f"cannot write the file of --to ({type(error).__name__}): check that its folder is writable"
        ) from None
    finally:
        os.umask(umask)


def unpack(source: str, folder: Path, key: str, unsigned: bool = False) -> None:
    """Extracts an archive into a folder.

    unsigned: accepts an archive without a signature. Raises NightshelfError if the archive is unreadable,
    truncated or altered, or isn't signed with the key.
    """
    shown = without_secrets(source)
    try:
        fs, path = files.resolve(source)
        with fs.open(path, "rb") as file, tarfile.open(fileobj=file, mode="r|") as tar:
            for member in tar:
                _extract(tar, member, folder)
    except FileNotFoundError:
        raise NightshelfError(f"there is no backup {shown}: check the path or URL") from None
    except (tarfile.TarError, RecursionError) as error:
        raise NightshelfError(
            f"{shown} is not a complete backup ({type(error).__name__}): use another backup"
        ) from None
    except (OSError, ValueError, ImportError) as error:
        raise NightshelfError(
            f"cannot unpack the backup {shown} into {folder.parent} ({type(error).__name__}): check that the"
            " file is readable and that the disk has room"
        ) from None
    _verify(shown, folder, key, unsigned)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Extracts a regular file below a folder; tarfile's own filters allow sparse files."""
    to = folder / member.name
    is_plain = member.type in REGULAR and not member.issparse() and member.name.isprintable()
    if not is_plain or not to.resolve().is_relative_to(folder.resolve()):
        raise tarfile.ExtractError("not a regular file below the folder")
    to.parent.mkdir(parents=True, exist_ok=True)
    to.touch(mode=PRIVATE)  # API keys are among the members
    with to.open("wb") as file:
        shutil.copyfileobj(tar.extractfile(member), file)  # type: ignore[arg-type]


def _verify(source: str, folder: Path, key: str, unsigned: bool) -> None:
    """Checks the signature of the archive's SHA-256 sums, and compares the extracted files with them."""
    sums = folder / SUMS
    if not sums.is_file():
        raise NightshelfError(f"{source} is not a complete backup (its end is missing): use another backup")
    _check_signature(source, folder, sums.read_bytes(), key, unsigned)
    lines = (line.partition("  ") for line in sums.read_text(errors="replace").splitlines())
    expected = {name: digest for digest, _, name in lines}
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    names -= {SUMS, SIGNATURE}
    wrong = (names ^ expected.keys()) | {
        name for name in names & expected.keys() if _digest(folder / name) != expected[name]
    }
    if wrong:
        raise NightshelfError(f"{min(wrong)} in {source} is missing or altered: use another backup")


def _check_signature(source: str, folder: Path, sums: bytes, key: str, unsigned: bool) -> None:
    signature = folder / SIGNATURE
    if signature.is_file():
        if not hmac.compare_digest(signature.read_bytes(), _signature(sums, key)):
            raise NightshelfError(
                f"{source} was altered, or made with another NIGHTSHELF_CUSTOMER_KEY: set the key that was in"
                " use then, which no backup contains, or use another backup"
            )
    elif not unsigned:
        raise NightshelfError(
            f"{source} is not signed, so that anybody may have made or altered it: use another backup, or add"
            " --unsigned if a release before 0.2 made it and nobody else could write to it since"
        )


def _signature(sums: bytes, key: str) -> bytes:
    return hmac.new(key.encode(), SIGNED_FOR + sums, hashlib.sha256).hexdigest().encode()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
