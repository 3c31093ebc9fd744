"""Samples of delimited text: encoding, delimiter, quotes and header are guessed from beginning and end."""

import codecs
import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd
from charset_normalizer import from_bytes

from pipelines.extract.inspect.headers import find_header, unique
from pipelines.extract.inspect.words import STRONG, name_score, words
from pipelines.extract.readers.documents import Document
from serving.errors import NightshelfError

HEAD_BYTES, TAIL_BYTES = 2_000_000, 200_000
HEAD_ROWS, TAIL_ROWS = 4_000, 400
DELIMITERS = ",;\t|^~\x1f\x01"
MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
EUROPEAN = ("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1257")  # the likelier ones first
OTHERS = ["shift_jis", "cp932", "gb18030", "big5", "euc_kr", "mac_roman", "cp866", "koi8_r", "cp437", "cp850"]
ODD = re.compile(r"[^\W\d_][\u0080-\u00bf\u2000-\u2fff\ufffd]|[\u0080-\u00bf\u2000-\u2fff\ufffd][^\W\d_]")
TOO_ODD = 0.3  # share of odd signs among those beyond ASCII
NAMES = {name: f"windows-{name.removeprefix('cp')}" for name in EUROPEAN}
ENOUGH = 0.8  # share of the rows that have the usual number of columns


@dataclass
class Text:
    """Rows of a delimited text."""

    frame: pd.DataFrame
    raw: list[str]
    file: dict[str, object] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)


def read(document: Document) -> Text:
    """Returns rows of the document; raises NightshelfError if no header is found."""
    head, tail = _ends(document)
    file: dict[str, object] = {}
    doubts: list[str] = []
    encoding = _encoding(head + tail, document.name, file, doubts)
    beginning = _decoded(head, encoding)
    delimiter = _delimiter(beginning)
    if delimiter != ",":
        file["delimiter"] = delimiter
    quote = _quote(beginning, delimiter)
    if quote != '"':
        file["quote"] = quote
    rows = list(itertools.islice(_rows(beginning, delimiter, quote), HEAD_ROWS))
    header = find_header([cells for cells, _ in rows])
    if header is None:
        raise NightshelfError(
            f"{document.name} has no row with the names of its columns: write one as its first line"
        )
    if header:
        file["header_row"] = header + 1
    names = unique(rows[header][0])
    ending = list(_rows(_decoded(tail, encoding), delimiter, quote))[1:][-TAIL_ROWS:]
    return _text(names, [*rows[header + 1 :], *ending], file, doubts)


def _text(
    names: list[str], rows: list[tuple[list[str], str]], file: dict[str, object], doubts: list[str]
) -> Text:
    good = [(cells, raw) for cells, raw in rows if len(cells) == len(names)]
    frame = pd.DataFrame([cells for cells, _ in good], columns=names, dtype=object)
    if (other := len(rows) - len(good)) > len(rows) * 0.01:
        doubts.append(f"{other} of {len(rows)} sampled rows have another number of columns than the header")
    return Text(frame, [raw for _, raw in good], file, doubts)


def _ends(document: Document) -> tuple[bytes, bytes]:
    """Returns the beginning of a document, and its end if it is a plain file that goes on after that."""
    with document.open() as stream:
        head = stream.read(HEAD_BYTES)
    size = document.path.stat().st_size
    if document.member or document.suffixes[1] or size <= len(head):
        return head, b""
    with document.path.open("rb") as stream:
        stream.seek(max(len(head), size - TAIL_BYTES) // 4 * 4)  # whole characters of UTF-16
        return head, stream.read()


def _encoding(content: bytes, name: str, file: dict[str, object], doubts: list[str]) -> str:
    """Returns the encoding, and notes it in `file` unless the reader recognises it."""
    if mark := next((mark for mark in MARKS if content.startswith(mark)), None):
        return MARKS[mark]
    if b"\0" in content[:1000]:
        file["encoding"] = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
        return str(file["encoding"])
    if _is_utf8(content):
        return "utf-8"
    guessed = _likely(content[:200_000])
    file["encoding"] = NAMES.get(guessed, guessed)
    doubts.append(
        f"the encoding of {name}, which is not UTF-8: it is read as {file['encoding']}; check letters with"
        " accents in the rows above"
    )
    return guessed


def _likely(content: bytes) -> str:
    """Returns the encoding with which the header has most known names, and fewest words have odd signs."""
    looks = {encoding: _look(content, encoding) for encoding in EUROPEAN}
    best = max(EUROPEAN, key=lambda encoding: looks[encoding])
    if looks[best][1] > -TOO_ODD:
        return best
    match = from_bytes(content, cp_isolation=OTHERS).best()
    return match.encoding if match else best


def _look(content: bytes, encoding: str) -> tuple[int, float]:
    """Returns how many cells at the beginning are names of columns, and the negative share of odd signs."""
    text = content.decode(encoding, "replace")
    cells = re.split(rf"[{re.escape(DELIMITERS)}\r\n]", text[:2_000])
    names = sum(
        any(name_score(cell.strip("\"' "), kind) == STRONG for kind in words().columns) for cell in cells[:60]
    )
    beyond = sum(not sign.isascii() for sign in text)
    return names, -len(ODD.findall(text)) / max(1, beyond)


def _is_utf8(content: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        # The tail may begin within a character.
        return len(content) > HEAD_BYTES and _is_utf8(content[:HEAD_BYTES])
    return True


def _decoded(content: bytes, encoding: str) -> str:
    mark = next((mark for mark in MARKS if content.startswith(mark)), b"")
    return content[len(mark) :].decode(encoding, "replace")


def _rows(content: str, delimiter: str, quote: str) -> Iterator[tuple[list[str], str]]:
    """Yields each row that isn't blank: its cells, and its text."""
    seen: list[str] = []

    def lines() -> Iterator[str]:
        for line in io.StringIO(content, newline=""):
            seen.append(line)
            yield line

    reader = csv.reader(
        (line.replace("\0", "") for line in lines()), delimiter=delimiter, quotechar=quote, strict=False
    )
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:  # a field of more than 128 KiB: a quote that never closes
            seen.clear()
            continue
        raw = "".join(seen).rstrip("\r\n")
        seen.clear()
        if any(cell.strip() for cell in cells):
            yield cells, raw


def _delimiter(content: str) -> str:
    """Returns the delimiter with which most rows have the same number of columns."""
    sample = content[:200_000]
    scores = {}
    for delimiter in DELIMITERS:
        counts = Counter(len(cells) for cells, _ in itertools.islice(_rows(sample, delimiter, '"'), 300))
        columns, rows = max(counts.items(), key=lambda item: (item[0] > 1) * item[1], default=(1, 0))
        share = rows / max(1, counts.total())
        scores[delimiter] = (columns > 1 and share >= ENOUGH, min(columns, 3) * share, columns * share)
    return max(scores, key=lambda delimiter: scores[delimiter])


def _quote(content: str, delimiter: str) -> str:
    sample = content[:200_000]
    single = sample.count(f"'{delimiter}'")
    return "'" if single > 20 and single > sample.count('"') else '"'
