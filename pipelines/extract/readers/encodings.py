"""Text of any encoding as UTF-8."""

import codecs
import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from serving.errors import NightshelfError

BLOCK = 1 << 20
# The longer marks first, as that of UTF-32 begins with that of UTF-16.
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
UTF8 = "utf-8"
LONG_WORD = re.compile(rb"[\xc0-\xff]{3}")  # three letters in a row beyond ASCII, as in Cyrillic words
# Precedes each byte that isn't UTF-8; the byte follows as the character with its number.
NOT_UTF8 = "\ufdd0"
MARKED = "nightshelf.marked"


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(NOT_UTF8 + chr(byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(MARKED, _mark)


def unmarked(text: str) -> bytes:
    """Returns the bytes of a text in which some aren't UTF-8, as far as they can be known."""
    return re.sub(f"{NOT_UTF8}(.)", r"\1", text).encode("latin-1", "ignore")


class Utf8Text:
    """A text as blocks of UTF-8 without a byte order mark; in UTF-8, NOT_UTF8 marks the bytes that aren't.

    stated: the encoding that the mapping states; a byte order mark overrules it.
    """

    def __init__(self, stream: BinaryIO, stated: str | None, name: str) -> None:
        self.stream, self.stated, self.name = stream, stated, name
        self.encoded = self.marked = 0  # characters beyond ASCII so far, and bytes that aren't UTF-8

    def blocks(self) -> Iterator[bytes]:
        """Yields the text; raises NightshelfError if it isn't in the stated encoding."""
        block = self.stream.read(BLOCK)
        mark = next((mark for mark in MARKS if block.startswith(mark)), b"")
        encoding = codecs.lookup(MARKS[mark] if mark else self.stated or UTF8).name
        block = block[len(mark) :]
        _check_encoding(block, encoding, bool(mark or self.stated), self.name)
        decoder = codecs.getincrementaldecoder(encoding)(MARKED if encoding == UTF8 else "strict")
        try:
            while block:
                is_plain = encoding == UTF8 and block.isascii() and not decoder.getstate()[0]
                yield block if is_plain else self._encoded(decoder.decode(block))
                block = self.stream.read(BLOCK)
            if end := decoder.decode(b"", final=True):
                yield self._encoded(end)
        except UnicodeError:
            raise NightshelfError(f"{self.name} is not written in {encoding}: correct {setting()}") from None

    def _encoded(self, text: str) -> bytes:
        marked = text.count(NOT_UTF8)
        self.marked += marked
        self.encoded += len(text) - len(text.encode("ascii", "ignore")) - 2 * marked
        return text.encode()


def _check_encoding(sample: bytes, encoding: str, known: bool, name: str) -> None:
    """Raises NightshelfError if a sample is recognisably in another encoding than this one."""
    if not known and b"\0" in sample[:1000]:
        order = "le" if sample[1:2] == b"\0" else "be"
        raise NightshelfError(f"{name} looks like UTF-16: set {setting(f'utf-16-{order}')}")
    if not encoding.startswith("utf") and _is_utf8(sample):
        raise NightshelfError(f"{name} is UTF-8, not {encoding}: set {setting(UTF8)} or remove it")


def _is_utf8(sample: bytes) -> bool:
    """Returns whether a sample has characters beyond ASCII, all of them in UTF-8; its end may be cut."""
    try:
        return not codecs.getincrementaldecoder(UTF8)().decode(sample).isascii()
    except UnicodeDecodeError:
        return False


def likely_encoding(sample: bytes) -> str:
    """Returns the encoding that a text which isn't UTF-8 is probably written in.

    >>> likely_encoding("Gürtel".encode("latin-1")), likely_encoding("Чай".encode("windows-1251"))
    ('windows-1252', 'windows-1251')
    """
    return "windows-1251" if LONG_WORD.search(sample) else "windows-1252"


def setting(encoding: str = "") -> str:
    """Returns the setting of the encoding, with a value if one is given, for messages."""
    value = f' = "{encoding}"' if encoding else ""
    return f"encoding{value} under [file] in the mapping"


def wrong_encoding(sample: str, name: str) -> NightshelfError:
    """Returns the error for a text that isn't UTF-8 although no other encoding is stated."""
    likely = likely_encoding(unmarked(sample))
    return NightshelfError(f"{name} is not UTF-8; it looks like {likely}: set {setting(likely)}")


class BlockStream(io.RawIOBase):
    """A stream of bytes over an iterator of blocks, which PyArrow can read."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.blocks, self.rest = blocks, b""

    def readable(self) -> bool:
        """Returns True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Returns `size` bytes, fewer at the end, or all that are left if `size` is negative."""
        while size < 0 or len(self.rest) < size:
            block = next(self.blocks, b"")
            if not block:
                break
            self.rest += block
        end = len(self.rest) if size < 0 else size
        content, self.rest = self.rest[:end], self.rest[end:]
        return content

    def readinto(self, buffer: Any) -> int:
        """Fills a buffer, and returns the number of bytes."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)
