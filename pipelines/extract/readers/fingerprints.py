"""How a file is recognised: by a digest of its decompressed content, and by a stamp that shows a change."""

import hashlib
from typing import NamedTuple

from pipelines.extract.readers.documents import Document, reported

BLOCK = 1 << 20
NOTHING = b" \t\r\n\0\xef\xbb\xbf\xff\xfe"  # blanks and byte order marks
EMPTY = ""  # the digest of a content without text

Entry = list[int | str]  # as stored in a watermark: size, time, digest; two numbers from older releases


class Fingerprint(NamedTuple):
    """The size and modification time of a file, and the digest of its content."""

    stamp: tuple[int, int]
    digest: str

    @classmethod
    def from_position(cls, entry: Entry) -> "Fingerprint":
        """Returns the fingerprint that a watermark holds; an older release stored no digest."""
        size, time, *digest = entry
        return cls((int(size), int(time)), str(digest[0]) if digest else "unknown")

    @classmethod
    def of(cls, document: Document, known: dict[str, "Fingerprint"]) -> "Fingerprint":
        """Returns the fingerprint of a document; its content is read only if its stamp has changed."""
        size, time = document.stamp()
        before = known.get(document.name)
        if before and before.stamp == (size, time) and before.digest != "unknown":
            return before
        return cls((size, time), digest(document))

    def is_new(self, before: "Fingerprint | None", seen: set[str]) -> bool:
        """Returns whether the content has to be read.

        Content that was read under another name isn't new: the file was moved, compressed or copied. Content
        that returns under its own name is new: the file was changed and changed back.
        """
        if before is None:
            return self.digest not in seen
        return self.stamp != before.stamp if before.digest == "unknown" else self.digest != before.digest

    def entry(self) -> Entry:
        """Returns the fingerprint as a watermark holds it."""
        return [*self.stamp, self.digest]


Fingerprints = dict[str, Fingerprint]  # by the document's name


def digest(document: Document) -> str:
    """Returns the digest of a document's decompressed content, EMPTY if there is none."""
    hashed, is_empty = hashlib.blake2b(digest_size=16), True
    with reported(document.name), document.open() as content:
        while block := content.read(BLOCK):
            hashed.update(block)
            is_empty = is_empty and not block.strip(NOTHING)
    return EMPTY if is_empty else hashed.hexdigest()
