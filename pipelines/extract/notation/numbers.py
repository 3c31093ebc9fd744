"""Numbers as shops write them: recognising the decimal sign, and reading any of them as plain decimals."""

import re
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from serving.errors import NightshelfError

DecimalSign = Literal[".", ","]

PLAIN = r"^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$"
# Spaces of any kind, apostrophes, and currencies as signs or codes; a regular expression of RE2.
AROUND = r"[\s\x{00a0}\x{2009}\x{202f}'’_]|\p{Sc}|\p{L}{2,4}\.?$|^\p{L}{2,4}\.?|^R(?:\$)|[.,][-–—]$"
SHOWS_COMMA = re.compile(
    r"^\D*\d[\d.]*,(\d{1,2}|\d{4,})\D*$|^\D*0,\d+\D*$|\..*,|\.\d+\."
)  # 29,10; 0,125; 1.029,10; 1.000.000
SHOWS_POINT = re.compile(r"^\D*\d[\d,]*\.(\d{1,2}|\d{4,})\D*$|^\D*0\.\d+\D*$|,.*\.|,\d+,|^\D*\d{4,}\.\d+")
UNCLEAR = re.compile(r"^\D*[1-9]\d{0,2}([.,])\d{3}\D*$")  # 1,234 may be thousands or three decimals


class DecimalSigns:
    """What the numbers of a file have shown about its decimal sign so far."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.comma = self.point = False

    def recognise(self, columns: list[pa.ChunkedArray]) -> DecimalSign:
        """Returns the decimal sign after these numbers (strings) too; a point if none has shown any.

        Raises NightshelfError if the numbers show both signs, or if they might be thousands as well as
        decimals.
        """
        unclear = False
        for column in columns:
            plain = is_plain(column)
            values = set() if plain and self.point else _separated(column, plain)
            self.comma = self.comma or any(map(SHOWS_COMMA.search, values))
            self.point = self.point or any(map(SHOWS_POINT.search, values))
            unclear = unclear or any(map(UNCLEAR.search, values))
        if self.comma and self.point:
            raise NightshelfError(
                f"{self.file} writes some numbers with a decimal comma and some with a decimal point: correct"
                ' the file, or set decimal = "," or decimal = "." in the mapping'
            )
        if unclear and not (self.comma or self.point):
            raise NightshelfError(
                f"{self.file} holds numbers such as 1,234 or 1.234, in which the sign may separate thousands"
                ' or decimals: set decimal = "." or decimal = "," in the mapping'
            )
        return "," if self.comma else "."


def recognise_decimal(columns: list[pa.ChunkedArray], file: str) -> DecimalSign:
    """Returns the decimal sign that the numbers of these columns (strings) show, a point if they show none.

    Raises NightshelfError if the numbers show both signs, or might be thousands as well as decimals.
    """
    return DecimalSigns(file).recognise(columns)


def to_plain(column: pa.ChunkedArray, decimal: DecimalSign) -> pa.ChunkedArray:
    """Returns numbers (strings) as plain decimals such as -1234.5; what is no number is returned unchanged.

    >>> to_plain(pa.chunked_array([["1.029,10 €", "(5,00)", "2", "none"]]), ",").to_pylist()
    ['1029.10', '-5.00', '2', 'none']
    """
    if decimal == "." and is_plain(column):
        return column
    text = pc.replace_substring_regex(column, AROUND, "")
    text = pc.replace_substring(text, "−", "-")
    text = pc.replace_substring_regex(text, r"^\((.*)\)$", r"-\1")  # (5.00), as accountants write -5.00
    text = pc.replace_substring_regex(text, r"^([^-].*)-$", r"-\1")
    thousands = "," if decimal == "." else "."
    grouped = pc.match_substring_regex(
        text, rf"^[+-]?\d{{1,3}}(\{thousands}\d{{2,3}})*\{thousands}\d{{3}}(\{decimal}\d+)?$"
    )
    text = pc.if_else(grouped, pc.replace_substring(text, thousands, ""), text)
    text = pc.replace_substring(text, decimal, ".") if decimal == "," else text
    return pc.if_else(pc.fill_null(pc.match_substring_regex(text, PLAIN), False), text, column)


def is_plain(column: pa.ChunkedArray) -> bool:
    """Returns whether all values are plain decimals or null; a parser is faster than an expression."""
    try:
        return column.cast(pa.float64()) is not None
    except pa.ArrowInvalid:
        return False


def _separated(column: pa.ChunkedArray, plain: bool) -> set[str]:
    """Returns the distinct values that have a point or a comma, without what is around it."""
    distinct = column.unique()
    distinct = distinct.filter(pc.fill_null(pc.match_substring_regex(distinct, "[.,]"), False))
    return set((distinct if plain else pc.replace_substring_regex(distinct, AROUND, "")).to_pylist())
