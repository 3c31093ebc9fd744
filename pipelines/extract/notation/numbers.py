"""Numbers as shops write them: recognising the decimal sign, and reading any of them as plain decimals."""

import re
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from serving.errors import NightshelfError

DecimalSign = Literal[".", ","]

PLAIN = r"^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$"
# Spaces of any kind, apostrophes, and currencies as signs or codes; a regular expression of RE2.
AROUND = r"[\s\x{00a0}\x{2009}\x{202f}'’_]|\p{Sc}|[A-Za-z]{3}$|^[A-Za-z]{3}"
SHOWS_COMMA = re.compile(
    r"^\D*\d[\d.]*,(\d{1,2}|\d{4,})\D*$|^\D*0,\d+\D*$|\..*,|\.\d+\."
)  # 29,10; 0,125; 1.029,10; 1.000.000
SHOWS_POINT = re.compile(r"^\D*\d[\d,]*\.(\d{1,2}|\d{4,})\D*$|^\D*0\.\d+\D*$|,.*\.|,\d+,")
UNCLEAR = re.compile(r"^\D*[1-9]\d{0,2}(,\d{3})+\D*$")  # 1,234 may be thousands or three decimals


def recognise_decimal(columns: list[pa.ChunkedArray], file: str) -> DecimalSign:
    """Returns the decimal sign that the numbers of these columns (strings) show, a point if they show none.

    Raises NightshelfError if the numbers show both signs, or might be thousands as well as decimals.
    """
    values = {text for column in columns for text in _unusual(pc.replace_substring_regex(column, AROUND, ""))}
    comma, point = (any(map(shows.search, values)) for shows in (SHOWS_COMMA, SHOWS_POINT))
    plain_decimals = any(_has_decimals(column) for column in columns)
    if comma and (point or plain_decimals):
        raise NightshelfError(
            f"{file} writes some numbers with a decimal comma and some with a decimal point: correct the"
            ' file, or set decimal = "," or decimal = "." in the mapping'
        )
    if not (comma or point or plain_decimals) and any(map(UNCLEAR.search, values)):
        raise NightshelfError(
            f"{file} holds numbers such as 1,234, in which the comma may separate thousands or decimals: set"
            ' decimal = "." or decimal = "," in the mapping'
        )
    return "," if comma else "."


def to_plain(column: pa.ChunkedArray, decimal: DecimalSign) -> pa.ChunkedArray:
    """Returns numbers (strings) as plain decimals such as -1234.5; what is no number is returned unchanged.

    >>> to_plain(pa.chunked_array([["1.029,10 €", "(5,00)", "2", "none"]]), ",").to_pylist()
    ['1029.10', '-5.00', '2', 'none']
    """
    if decimal == "." and pc.all(pc.match_substring_regex(column, PLAIN)).as_py() is not False:
        return column
    text = pc.replace_substring_regex(column, AROUND, "")
    text = pc.replace_substring(text, "−", "-")
    text = pc.replace_substring_regex(text, r"^\((.*)\)$", r"-\1")  # (5.00), as accountants write -5.00
    text = pc.replace_substring_regex(text, r"^([^-].*)-$", r"-\1")
    thousands = "," if decimal == "." else "."
    grouped = pc.match_substring_regex(text, rf"^[+-]?\d{{1,3}}(\{thousands}\d{{3}})+(\{decimal}\d+)?$")
    text = pc.if_else(grouped, pc.replace_substring(text, thousands, ""), text)
    text = pc.replace_substring(text, decimal, ".") if decimal == "," else text
    return pc.if_else(pc.fill_null(pc.match_substring_regex(text, PLAIN), False), text, column)


def _unusual(column: pa.ChunkedArray) -> list[str]:
    """Returns the distinct values of a column that are not plain decimals."""
    distinct = column.unique()
    plain = pc.fill_null(pc.match_substring_regex(distinct, PLAIN), True)
    values: list[str] = distinct.filter(pc.invert(plain)).to_pylist()
    return values


def _has_decimals(column: pa.ChunkedArray) -> bool:
    """Returns whether any value is a plain number with one, two or more than three decimals."""
    return bool(pc.any(pc.match_substring_regex(column, r"^[+-]?\d+\.(\d{1,2}|\d{4,})$")).as_py())
