"""Bounds on compressed content: what unpacks to far more than any export does is refused."""

import io
import zipfile
from pathlib import Path, PurePosixPath

from serving.errors import NightshelfError

MAX_MEMBERS = 10_000
FREE_BYTES = 1 << 30  # content up to this size is read however well it is compressed
MAX_RATIO = 200  # larger content: exports of orders compress to a tenth, rarely to a fiftieth


def members(path: Path) -> list[str]:
    """Returns the names of the files in a zip archive.

    Raises NightshelfError if the archive is broken, encrypted or too large, or if a name leads out of it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise NightshelfError(
            f"{path.name} can't be read as a zip archive ({error}): send it again"
        ) from None
    if len(infos) > MAX_MEMBERS:
        raise NightshelfError(f"{path.name} holds more than {MAX_MEMBERS:,} files: unpack it into a folder")
    check_size(sum(info.file_size for info in infos), path.stat().st_size, path.name)
    if any(info.flag_bits & 1 for info in infos):
        raise NightshelfError(f"{path.name} is encrypted: unpack it, or send it without a password")
    if any(_leads_out(info.filename) for info in infos):
        raise NightshelfError(f"{path.name} holds files whose names lead out of the archive: pack it again")
    return list(dict.fromkeys(info.filename for info in infos))


def check_size(unpacked: int, packed: int, name: str, free: int = FREE_BYTES) -> None:
    """Raises NightshelfError if content unpacks to more than an export of orders would."""
    if unpacked > max(free, MAX_RATIO * packed):
        raise NightshelfError(
            f"{name} unpacks to more than {MAX_RATIO} times its size, as no export of orders does: check what"
            " it holds, and unpack it yourself if it is right"
        )


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or not path.name or ":" in path.parts[0]


class Bounded(io.RawIOBase):
    """A stream of unpacked content that ends in an error where it exceeds the bounds."""

    def __init__(self, stream: io.RawIOBase, packed: int, name: str) -> None:
        self.stream, self.packed, self.name = stream, packed, name
        self.unpacked = 0

    def readable(self) -> bool:
        """Returns True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Returns up to `size` bytes."""
        content: bytes = self.stream.read(size)
        self.unpacked += len(content)
        check_size(self.unpacked, self.packed, self.name)
        return content
