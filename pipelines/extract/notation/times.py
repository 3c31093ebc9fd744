"""Times as shops write them: recognising their format, and reading any of them as ISO 8601."""

import datetime as dt
import re

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from serving.errors import NightshelfError

ISO, SECONDS, MILLISECONDS = "iso", "seconds", "milliseconds"
DAYS_SINCE = re.compile(r"days since (\d{4}-\d\d-\d\d)")  # numbers of days, as spreadsheets write times
DAY_NUMBER = r"^\d{1,6}([.,]\d+)?$"
EPOCHS = {SECONDS: (r"^\d{9,10}(\.0*)?$", "s"), MILLISECONDS: (r"^\d{12,13}(\.0*)?$", "ms")}
DATES = (
    *("%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%m-%d-%Y", "%d-%m-%Y"),
    *("%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"),
    *("%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y"),
)
CLOCKS = (
    "",
    " %H:%M",
    " %H:%M:%S",
    " %I:%M %p",
    " %I:%M:%S %p",
    "T%H:%M:%S",
    ", %H:%M",
    ", %H:%M:%S",
    "%H%M%S",
)
FORMATS = tuple(date + clock for date in DATES for clock in CLOCKS)
MIN_YEAR = 1900
FIRST_SAMPLE, SAMPLE = 50, 5000  # distinct values from which a format is recognised


def recognise_times(column: pa.ChunkedArray, file: str) -> tuple[str, ...]:
    """Returns the format of a column of times (strings): ISO, SECONDS, MILLISECONDS or a strptime format.

    Raises NightshelfError if it is unclear which number is the day and which the month.
    """
    distinct = pc.utf8_trim_whitespace(column.unique().drop_null())
    distinct = distinct.filter(pc.not_equal(distinct, "")).slice(0, SAMPLE)
    if not len(distinct) or _share(pc.match_substring_regex(distinct, c.ISO_DAY)) > 0.5:
        return (ISO,)
    for name, (pattern, _) in EPOCHS.items():
        if _share(pc.match_substring_regex(distinct, pattern)) > 0.5:
            return (name,)
    first = distinct.slice(0, FIRST_SAMPLE)
    possible = [text for text in FORMATS if _fits(first, text) > 0]
    shares = {text: _fits(distinct, text) for text in possible}
    best = max(shares.values(), default=0)
    if best <= 0.5:
        return (ISO,)
    fitting = sorted((text for text in possible if shares[text] == best), key=lambda text: "%y" in text)
    _check_order(distinct, fitting, possible, file)
    return (fitting[0],)


def _check_order(distinct: pa.Array, fitting: list[str], possible: list[str], file: str) -> None:
    """Raises NightshelfError if the dates may begin with the day or the month, or if some do with either."""
    others = [text for text in possible if _day_first(text) != _day_first(fitting[0])]
    if both := [text for text in others if text in fitting]:
        raise NightshelfError(
            f'{file} holds dates that may begin with the day or the month: set times = ["{fitting[0]}"] or'
            f' times = ["{both[0]}"] in the mapping'
        )
    unread = distinct.filter(pc.is_null(_parsed(distinct, fitting[0])))
    if len(unread) and any(_fits(unread, text) > 0 for text in others):
        raise NightshelfError(
            f"{file} holds dates that begin with the day and dates that begin with the month: correct the"
            f' file, or set times = ["{fitting[0]}"] in the mapping to read only those of this form'
        )


def _day_first(text: str) -> bool:
    return text.index("%d") < max(text.find("%m"), text.find("%b"), text.find("%B"))


def _fits(values: pa.Array, text: str) -> float:
    return _share(pc.is_valid(_parsed(values, text)))


def to_iso(column: pa.ChunkedArray, formats: tuple[str, ...]) -> pa.ChunkedArray:
    """Returns times (strings) as ISO 8601; what none of the formats reads is returned unchanged.

    >>> to_iso(pa.chunked_array([["21.09.2026 08:06", "soon"]]), ("%d.%m.%Y %H:%M",)).to_pylist()
    ['2026-09-21T08:06:00', 'soon']
    >>> to_iso(pa.chunked_array([["1789977856000"]]), ("milliseconds",)).to_pylist()
    ['2026-09-21T08:04:16.000Z']
    >>> to_iso(pa.chunked_array([["46286.25"]]), ("days since 1899-12-30",)).to_pylist()
    ['2026-09-21T06:00:00']
    """
    if formats == (ISO,):
        return column
    result = pa.chunked_array([pa.nulls(len(column), pa.string())])
    trimmed = pc.utf8_trim_whitespace(column)
    for text in formats:
        result = pc.coalesce(result, _iso(trimmed, text))
    return pc.coalesce(result, column)


def _iso(column: pa.ChunkedArray, text: str) -> pa.ChunkedArray:
    """Returns times in one format as ISO 8601, null where the format doesn't fit."""
    if text == ISO:
        return pc.if_else(pc.match_substring_regex(column, c.ISO_DAY), column, None)
    if start := DAYS_SINCE.fullmatch(text):
        return _iso_of_days(column, dt.date.fromisoformat(start[1]))
    if text in EPOCHS:
        pattern, unit = EPOCHS[text]
        digits = pc.replace_substring_regex(column, r"\..*", "")
        numbers = pc.if_else(pc.match_substring_regex(column, pattern), digits, None).cast(pa.int64())
        return pc.strftime(numbers.cast(pa.timestamp(unit, "UTC")), "%Y-%m-%dT%H:%M:%SZ")
    return pc.strftime(_parsed(column, text), "%Y-%m-%dT%H:%M:%S")


def _iso_of_days(column: pa.ChunkedArray, start: dt.date) -> pa.ChunkedArray:
    """Returns numbers of days since a date as ISO 8601, null for what is no such number."""
    days = pc.if_else(pc.match_substring_regex(column, DAY_NUMBER), column, None)
    seconds = pc.multiply(pc.replace_substring(days, ",", ".").cast(pa.float64()), 86400.0)
    since_1970 = (start - dt.date(1970, 1, 1)).days * 86400
    moments = pc.add(pc.round(seconds).cast(pa.int64()), since_1970).cast(pa.timestamp("s"))
    return pc.strftime(moments, "%Y-%m-%dT%H:%M:%S")


def _parsed(column: pa.ChunkedArray | pa.Array, text: str) -> pa.ChunkedArray | pa.Array:
    parsed = pc.strptime(column, format=text, unit="s", error_is_null=True)
    # %Y also reads 26 as a year.
    return pc.if_else(pc.greater(pc.year(parsed), MIN_YEAR), parsed, None)


def _share(mask: pa.Array) -> float:
    return float(pc.mean(mask.cast(pa.int8())).as_py() or 0)
