"""What a column's values show: whether they are times, numbers, addresses, codes or names."""

import re
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.extract.inspect.words import is_status
from pipelines.extract.notation import numbers, times
from serving.errors import NightshelfError
from serving.live.identity import is_nobody

MONEY = r"(?:(?:[$€£¥₽₴₹₺₩₪]|R\$|[A-Z]{3}|kr|zł|Kč|Ft|Fr|lei|руб)\.?)"
NUMBER = re.compile(rf"^\s*{MONEY}?\s?[-+(−]?\s?{MONEY}?\s?\d[\d\s.,'’\u00a0\u202f]*\)?\s?-?\s?{MONEY}?\s*$")
PHONE = re.compile(r"^\s*(\+|00)?[\d\s().\-/\u00a0]{9,24}\s*$")
EMAIL = re.compile(r"^\s*[^\s@]+@[^\s@]+\.[^\s@]+\s*$")
ORDER_MARK = re.compile(r"^\s*(#|№|no\.?\s?)\s?\w*\d{2,}", re.IGNORECASE)
CODE = re.compile(r"^\s*[A-Za-z]{3}\s*$")
EARLIEST, LATEST = 946_684_800, 2_524_608_000  # the years 2000 and 2050 in seconds
DISTINCT = 3_000  # values of a column that are looked at


@dataclass(frozen=True)
class Evidence:
    """Shares (0 to 1) among a column's values that aren't blank, and other figures of these values."""

    name: str
    filled: float  # share of all rows
    distinct: int
    unique: float  # share of distinct values
    time: float
    digits: float  # digits alone, as numbers of seconds and many ids are
    number: float
    whole: float  # numbers without decimals
    email: float
    phone: float
    letters: float  # values with a letter
    nobody: float  # share of all rows: blank, zero or another id that stands for nobody
    status: float  # words such as paid and cancelled
    order_mark: float  # such as #1001
    length: float  # in characters
    median: float  # of the numbers

    @property
    def is_time(self) -> bool:
        """Whether the column holds times."""
        return self.time > 0.8

    @property
    def is_written_time(self) -> bool:
        """Whether the column holds times that can't be ids: written with more than digits."""
        return self.is_time and self.digits < 0.5

    @property
    def is_number(self) -> bool:
        """Whether the column holds numbers."""
        return self.number > 0.95


def evidence(column: "pd.Series[str]") -> Evidence:
    """Returns what the values of a column of strings show."""
    filled = column[column.notna()]
    filled = filled[filled.str.strip() != ""]
    distinct = filled.unique()[:DISTINCT].tolist()
    plain = _numbers([text for text in distinct if NUMBER.match(text)])
    letters = [text for text in distinct if any(sign.isalpha() for sign in text)]
    size = max(1, len(distinct))
    nobody = {text for text in distinct if is_nobody(text)}
    return Evidence(
        name=str(column.name),
        filled=len(filled) / max(1, len(column)),
        distinct=filled.nunique(),
        unique=filled.nunique() / max(1, len(filled)),
        time=_time_share(distinct, str(column.name)),
        digits=sum(text.strip().isdecimal() for text in distinct) / size,
        number=len(plain) / size,
        whole=sum(value.is_integer() for value in plain) / max(1, len(plain)),
        email=sum(EMAIL.match(text) is not None for text in distinct) / size,
        phone=sum(_is_phone(text) for text in distinct) / size,
        letters=len(letters) / size,
        nobody=1 - len(filled[~filled.isin(nobody)]) / max(1, len(column)),
        status=sum(is_status(text) for text in distinct[:100]) / max(1, len(distinct[:100])),
        order_mark=sum(ORDER_MARK.match(text) is not None for text in distinct) / size,
        length=sum(map(len, distinct)) / size,
        median=sorted(plain)[len(plain) // 2] if plain else 0.0,
    )


def _numbers(texts: list[str]) -> list[float]:
    column = pa.chunked_array([pa.array(texts, pa.string())])
    try:
        sign = numbers.recognise_decimal([column], "")
    except NightshelfError:
        sign = "."
    plain = numbers.to_plain(column, sign)
    good = pc.if_else(pc.match_substring_regex(plain, numbers.PLAIN), plain, None)
    return [value for value in good.cast(pa.float64()).to_pylist() if value is not None]


def _time_share(texts: list[str], name: str) -> float:
    """Returns the share of texts that are times of one format; 1 if it is unclear which is the day."""
    column = pa.chunked_array([pa.array(texts, pa.string())])
    numbers_of_time = [text for text in texts if text.strip().isdecimal()]
    if len(numbers_of_time) > 0.5 * len(texts) and not all(map(_may_be_time, numbers_of_time[:100])):
        return 0.0
    try:
        formats = times.recognise_times(column, name)
    except NightshelfError:
        return 1.0
    return share_of_times(column, formats)


def _may_be_time(digits: str) -> bool:
    """Returns whether digits may be a day such as 20250131, or seconds or milliseconds of this century."""
    number = int(digits)
    is_epoch = any(EARLIEST * unit <= number <= LATEST * unit for unit in (1, 1000))
    return digits.strip()[0] != "0" and (is_epoch or digits.strip().startswith(("19", "20")))


def share_of_times(column: pa.ChunkedArray, formats: tuple[str, ...]) -> float:
    """Returns the share of texts that one of the formats reads."""
    if not len(column):
        return 0.0
    iso = times.to_iso(column, formats)
    return float(pc.mean(pc.match_substring_regex(iso, r"^\d{4}-\d\d-\d\d").cast(pa.float64())).as_py() or 0)


def _is_phone(text: str) -> bool:
    digits = sum(sign.isdigit() for sign in text)
    return PHONE.match(text) is not None and 10 <= digits <= 15


def with_none(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Returns a frame of strings with None for everything that is missing."""
    return frame.astype(object).replace({float("nan"): None})
