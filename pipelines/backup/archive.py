"""One file of many, a tar that ends with the SHA-256 of each: what was cut off or altered is refused."""

import hashlib
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
from serving.errors import NightshelfError

SUMS = "SHA256SUMS"
FOR_ITS_OWNER = 0o077
PRIVATE = 0o600
IN_MEMORY = 1 << 20  # bytes; more of a copy are in a file


class Writer:
    """The archive that is being written."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self.tar = tar
        self.sums: dict[str, str] = {}

    def add(self, name: str, file: IO[bytes]) -> None:
        """Adds a file that can be read twice."""
        self.sums[name] = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        info = tarfile.TarInfo(name)
        info.size, info.mode = file.seek(0, os.SEEK_END), PRIVATE
        file.seek(0)
        self.tar.addfile(info, file)

    def add_copy(self, name: str, file: IO[bytes]) -> None:
        """Adds a file that is slow to read, or can be read once."""
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as copy:
            shutil.copyfileobj(file, copy)
            copy.seek(0)
            self.add(name, copy)

    def put(self, name: str, content: bytes) -> None:
        """Adds a small file."""
        self.add(name, io.BytesIO(content))

    def add_folder(self, name: str, folder: Path) -> None:
        """Adds all files below a folder, under a name."""
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            with path.open("rb") as file:
                self.add(f"{name}/{path.relative_to(folder)}", file)


@contextmanager
def writing(to: str) -> Iterator[Writer]:
    """An archive, which is at a path or URL once the block ends well; a file is its owner's alone."""
    before = os.umask(FOR_ITS_OWNER)
    try:
        with files.atomic_write(to) as file, tarfile.open(fileobj=file, mode="w|") as tar:
            writer = Writer(tar)
            yield writer
            sums = "".join(f"{digest}  {name}\n" for name, digest in writer.sums.items())
            writer.put(SUMS, sums.encode())
    except (OSError, ValueError, ImportError) as error:
        raise NightshelfError(
            f"the archive of --to can't be written ({type(error).__name__}): may its folder be written?"
        ) from None
    finally:
        os.umask(before)


def unpack(source: str, folder: Path) -> None:
    """Puts the files of an archive into a folder; raises NightshelfError where one isn't as it was."""
    try:
        fs, path = files.resolve(source)
        with fs.open(path, "rb") as file, tarfile.open(fileobj=file, mode="r|") as tar:
            for member in tar:
                _extract(tar, member, folder)
    except FileNotFoundError:
        raise NightshelfError(f"there is no backup {source}") from None
    except tarfile.TarError as error:
        raise NightshelfError(f"{source} is no whole backup ({type(error).__name__}): take another") from None
    except (OSError, ValueError, ImportError) as error:
        raise NightshelfError(
            f"the backup {source} can't be unpacked into {folder.parent} ({type(error).__name__}): may it be"
            " read, and is there room?"
        ) from None
    _verify(source, folder)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Puts a file below a folder; not by tarfile's own filters, which Python has from 3.11.4 on alone."""
    to = folder / member.name
    if not member.isfile() or not to.resolve().is_relative_to(folder.resolve()):
        raise tarfile.ExtractError("a name that isn't of a file below its folder")
    to.parent.mkdir(parents=True, exist_ok=True)
    to.touch(mode=PRIVATE)  # the keys come back with it
    with to.open("wb") as file:
        shutil.copyfileobj(tar.extractfile(member), file)  # type: ignore[arg-type]


def _verify(source: str, folder: Path) -> None:
    sums = folder / SUMS
    if not sums.is_file():
        raise NightshelfError(f"{source} is no whole backup (its end is missing): take another")
    lines = (line.split("  ", 1) for line in sums.read_text().splitlines())
    told = {name: digest for digest, name in lines}
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {SUMS}
    wrong = (found ^ told.keys()) | {
        name for name in found & told.keys() if _digest(folder / name) != told[name]
    }
    if wrong:
        raise NightshelfError(f"{min(wrong)} in {source} is missing or altered: take another backup")


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
