"""Functions of columns that ibis lacks, or that DuckDB and Spark call by different names."""

from collections.abc import Callable

import ibis
import ibis.expr.datatypes as dt
import pandas as pd
from ibis import Value

from pipelines.lake.engine import is_spark

UTC = "UTC"
DIGIT_FIRST = r"^\s*\d"
TIME = dt.Timestamp(UTC)


@ibis.udf.scalar.builtin(name="hash")
def _hash(first, rest) -> dt.uint64: ...


@ibis.udf.scalar.builtin(name="xxhash64")
def _xxhash64(first, rest) -> dt.int64: ...


@ibis.udf.scalar.builtin(name="timezone")
def _timezone(zone: dt.string, time: dt.timestamp) -> TIME: ...


@ibis.udf.scalar.builtin(name="timezone")
def _in_timezone(zone: dt.string, time: TIME) -> dt.timestamp: ...


@ibis.udf.scalar.builtin(name="to_utc_timestamp")
def _to_utc_timestamp(time: dt.timestamp, zone: dt.string) -> TIME: ...


@ibis.udf.scalar.builtin(name="from_utc_timestamp")
def _from_utc_timestamp(time: TIME, zone: dt.string) -> dt.timestamp: ...


@ibis.udf.scalar.builtin(name="epoch_ms")
def _epoch_ms(time: TIME) -> dt.int64: ...


@ibis.udf.scalar.builtin(name="unix_millis")
def _unix_millis(time: TIME) -> dt.int64: ...


@ibis.udf.agg.builtin(name="quantile_disc")
def _quantile_disc(values: dt.float64, share: dt.float64) -> dt.float64: ...


@ibis.udf.agg.builtin(name="percentile_approx")
def _percentile_approx(values: dt.float64, share: dt.float64) -> dt.float64: ...


@ibis.udf.agg.builtin(name="bit_xor")
def bit_xor(values) -> dt.int64:
    """Returns the exclusive or of whole numbers."""


def number(text: Value) -> Value:
    """Returns the numbers that texts state, null for any other text."""
    return text.contains("_").ifelse(ibis.null(float), text.try_cast(float))  # DuckDB reads 1_0 as 10


def instant(text: Value) -> Value:
    """Returns the instants that texts state, null for any other text; without an offset in UTC."""
    parsed = text.try_cast(TIME)
    if not is_spark():  # DuckDB reads fewer forms of ISO 8601
        parsed = ibis.coalesce(parsed, _as_duckdb_reads(text).try_cast(TIME))
    return text.re_search(DIGIT_FIRST).ifelse(parsed, ibis.null(TIME))  # and words such as infinity


def _as_duckdb_reads(text: Value) -> Value:
    """Returns times with seconds, and with the offset as numbers without a space before it."""
    offset = text.re_replace(r"\s*(Z|UTC)\s*$", "+00:00").re_replace(r"\s+([+-]\d\d:?\d*)\s*$", r"\1")
    return offset.re_replace(r"([T ]\d\d?:\d\d)([+-]\S*)$", r"\1:00\2")


def hash64(first: Value, second: Value | str = "") -> Value:
    """Returns a 64-bit hash of two columns: numbers group and sort faster than texts."""
    return (_xxhash64 if is_spark() else _hash)(first, second)


def median(numbers: Value) -> Value:
    """Returns the lower median of a group's numbers; Spark's may differ slightly in very large groups."""
    return (_percentile_approx if is_spark() else _quantile_disc)(numbers, 0.5)


def milliseconds(time: Value) -> Value:
    """Returns the milliseconds since 1970 of times."""
    return (_unix_millis if is_spark() else _epoch_ms)(time)


def in_utc(time: Value, zone: str) -> Value:
    """Returns the instants of local times of a time zone; of an hour that comes twice, the first."""
    if zone == UTC:
        return time
    local = time.cast(dt.timestamp)
    if is_spark():
        return _to_utc_timestamp(local, zone)
    hour = ibis.interval(hours=1)  # DuckDB takes an hour that comes twice for the second
    return ibis.least(_timezone(zone, local), _timezone(zone, local - hour) + hour)


def count_if(condition: Value) -> Value:
    """Returns in how many of a group's rows a condition is true; null is not true."""
    return condition.fill_null(False).sum().cast("int64")


def local_day(time: Value, zone: str) -> Value:
    """Returns the days of instants by the calendar of a time zone."""
    if zone == UTC:
        return time.date()
    return (_from_utc_timestamp(time, zone) if is_spark() else _in_timezone(zone, time)).date()


def of_text(function: Callable[[str], str | None], column: Value) -> Value:
    """Returns what a Python function makes of the texts of a column; null for null.

    It is called for each row, so that it should see each distinct text once.
    """

    def of_one(text: str) -> str:
        return None if text is None else function(text)

    def of_many(texts: str) -> str:
        return pd.Series([of_one(text) for text in texts], dtype=object)

    udf = ibis.udf.scalar
    return (udf.pandas(of_many) if is_spark() else udf.python(of_one))(column)
