"""A check of a delimited text's quotes: a quote that is never closed would swallow the rows after it."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from serving.errors import NightshelfError

NEWLINE, RETURN = 10, 13
MAX_PENDING = 1 << 26  # bytes without a line break, which no text of orders has

Indices = np.ndarray[Any, np.dtype[np.int64]]


class QuoteCheck:
    """Follows the quotes through a text, block by block, as PyArrow's parser reads them.

    A quote opens a cell where the cell begins; a doubled quote inside the cell is one quote of its text;
    elsewhere quotes mean nothing.
    """

    def __init__(self, delimiter: str, quote: str, escape: str, columns: int, line: int, name: str) -> None:
        self.delimiter, self.quote, self.escape = ord(delimiter), ord(quote), escape
        self.columns, self.line, self.name = columns, line, name
        self.inside = False
        self.opened = line  # the line of the quote that is open

    def checked(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Yields the same text; raises NightshelfError where a quote isn't closed as it should be."""
        rest = b""
        for block in blocks:
            rest += block
            end = max(rest.rfind(b"\n"), -1 if b"\n" in block else rest.rfind(b"\r", 0, len(rest) - 1)) + 1
            if end or len(rest) > MAX_PENDING:
                part, rest = rest[: end or None], rest[end:] if end else b""
                self._check(part)
                yield part
        self._check(rest)
        yield rest
        if self.inside:
            raise self.error()

    def error(self) -> NightshelfError:
        """Returns the error for the quote that is open."""
        return NightshelfError(
            f"{self.name}: the quote {chr(self.quote)!r} that opens a cell in line {self.opened} is never"
            " closed, so that the lines after it can't be separated: close it, or set"
            ' quote = "" under [file] in the mapping if quotes mean nothing in this file'
        )

    def _check(self, part: bytes) -> None:
        """Checks the quotes of a part that ends with a line break or is the last."""
        if not part:
            return
        data = np.frombuffer(part, np.uint8)
        quotes = self._quotes(part, data)
        ends = np.flatnonzero(data == (NEWLINE if b"\n" in part else RETURN))
        if not self._are_regular(data, quotes):
            quotes = self._boundaries(data, quotes, ends)
        if len(quotes) or self.inside:
            self._check_rows_inside(part, data, quotes, ends)
        self._pass(quotes, ends)

    def _quotes(self, part: bytes, data: Any) -> Indices:
        quotes = np.flatnonzero(data == self.quote) if bytes([self.quote]) in part else np.empty(0, np.int64)
        if self.escape and len(quotes):
            escaped = (
                (quotes > 0) & (data[quotes - 1] == ord(self.escape)) & (data[quotes - 2] != ord(self.escape))
            )
            quotes = quotes[~escaped]
        return quotes

    def _around(self, data: Any, quotes: Indices) -> tuple[Any, Any]:
        """Returns the bytes before and after each quote; line breaks at the borders of the part."""
        before = np.where(quotes > 0, data[quotes - 1], NEWLINE)
        last = len(data) - 1
        after = np.where(quotes < last, data[np.minimum(quotes + 1, last)], NEWLINE)
        return before, after

    def _are_regular(self, data: Any, quotes: Indices) -> bool:
        """Returns whether each quote begins or ends a cell, or is one of a doubled pair."""
        if not len(quotes):
            return True
        borders = (self.delimiter, NEWLINE, RETURN, self.quote)
        before, after = self._around(data, quotes)
        opening = (np.arange(len(quotes)) + self.inside) % 2 == 0
        return bool(np.isin(np.where(opening, before, after), borders).all())

    def _boundaries(self, data: Any, quotes: Indices, ends: Indices) -> Indices:
        """Returns the quotes that open and close cells, without those that are part of the text.

        Raises NightshelfError for a cell of several lines whose closing quote is followed by more text: its
        opening quote was meant to be closed before.
        """
        before, after = self._around(data, quotes)
        borders = {self.delimiter, NEWLINE, RETURN}
        boundaries, inside, skip = [], self.inside, False
        for index, quote in enumerate(quotes.tolist()):
            if skip:
                skip = False
            elif not inside and int(before[index]) in borders:
                boundaries.append(quote)
                inside = True
            elif inside and int(after[index]) == self.quote:
                skip = True
            elif inside:
                if int(after[index]) not in borders and self._lines_between(boundaries, quote, ends):
                    self._pass(np.array(boundaries, np.int64), ends)
                    raise self.error()
                boundaries.append(quote)
                inside = False
        return np.array(boundaries, np.int64)

    def _lines_between(self, boundaries: list[int], quote: int, ends: Indices) -> bool:
        opening = boundaries[-1] if boundaries else -1
        return opening < 0 or bool(np.searchsorted(ends, quote) > np.searchsorted(ends, opening))

    def _check_rows_inside(self, part: bytes, data: Any, quotes: Indices, ends: Indices) -> None:
        """Raises NightshelfError if a whole line inside a quoted cell is a row of the table.

        Then the cell's quote was meant to be closed before, and a stray quote closed it too late.
        """
        starts = np.concatenate([[-1], ends]) if self.inside else ends
        quotes_before = np.searchsorted(quotes, starts)
        is_inside = (quotes_before + self.inside) % 2 == 1
        whole = is_inside[:-1] & is_inside[1:] & (np.diff(quotes_before) == 0)
        if not whole.any():
            return
        delimiters = np.searchsorted(np.flatnonzero(data == self.delimiter), starts)
        rows = np.flatnonzero(whole & (np.diff(delimiters) == self.columns - 1))
        for row in rows.tolist():
            if self._is_row(part[starts[row] + 1 : starts[row + 1]]):
                self._pass(quotes[: quotes_before[row]], ends)
                raise self.error()

    def _is_row(self, line: bytes) -> bool:
        """Returns whether most cells of a line look like data: numbers, times, ids."""
        cells = [cell for cell in line.split(bytes([self.delimiter])) if cell.strip()]
        return len(cells) >= 3 and sum(any(48 <= sign <= 57 for sign in cell) for cell in cells) * 2 > len(
            cells
        )

    def _pass(self, boundaries: Indices, ends: Indices) -> None:
        """Moves on to the end of the part, with the quotes that open and close cells."""
        inside = bool((len(boundaries) + self.inside) % 2)
        index = len(boundaries) - 1
        while inside and index >= 1 and boundaries[index] == boundaries[index - 1] + 1:
            index -= 2  # a doubled quote: the cell was opened before it
        if inside and index >= 0:
            self.opened = self.line + int(np.searchsorted(ends, boundaries[index]))
        self.inside = inside
        self.line += len(ends)
