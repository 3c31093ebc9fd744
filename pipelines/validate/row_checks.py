"""Row rules: every line of raw/orders gets one fate.

It is used, taken back (a return), dropped (a duplicate, later than the night, no product) or
quarantined under the first rule that it breaks. All in one pass of Spark over the rows.
"""

import datetime as dt
import math

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from expectations.thresholds import RowBounds
from pipelines import columns as c
from pipelines.extract.source import Dialect
from pipelines.validate.quarantine import RELEASABLE, SAYS

USED = "used"
RETURNED = "returned"
GOOD = (USED, RETURNED)
LATER = "later_than_the_night"
NOT_A_PRODUCT = "not_a_product"
EMPTY_ORDER = "empty_order"
TOLD = "told_and_ordered"
DROPPED = (LATER, NOT_A_PRODUCT, EMPTY_ORDER, TOLD)

UNREADABLE = "unreadable_line"

OFFSET = r"\d:\d\d.*(Z|UTC|[+-]\d\d(:?\d\d)?)$"  # after a time of day: a date ends in -31 too
ONE_DIGIT = r"(\d)\1{9}$"  # after a country's code
COUNTED_UP = "1234567890"
PAGE_BITS = 22  # four million pages
AHEAD = dt.timedelta(days=1)  # by which a clock somewhere may be before ours

FATE = "fate"
TIME, UNITS, PAID, TYPICAL = "time", "units", "paid", "typical"
RELEASED = "released"
PRODUCT = "_product"


def judge(
    raw: DataFrame, dialect: Dialect, as_of: dt.date, bounds: RowBounds, releases: DataFrame | None = None
) -> DataFrame:
    """The distinct raw lines of each order's newest version with time, units, price paid, and fate.

    `typical` is the median price that the line's product was sold at, null where few lines tell it.
    releases: lines and the rules that a person let them break; columns of lake.RELEASES.
    """
    together = raw.repartition(c.ORDER_ID)  # once: all that follows goes by the order
    parsed = (
        _distinct(newest(together), dialect)
        .withColumn(TIME, _time(dialect.timezone))
        .withColumn(UNITS, F.col(c.QUANTITY).try_cast("double"))
        .withColumn(PAID, F.col(c.UNIT_PRICE).try_cast("double"))
        .join(F.broadcast(typical_prices(raw, bounds)), F.col(c.PRODUCT) == F.col(PRODUCT), "left")
        .drop(PRODUCT)
    )
    if releases is None:
        return parsed.withColumn(FATE, _fate(dialect, as_of, bounds, F.array().cast("array<string>")))
    released = F.coalesce(RELEASED, F.array())
    return (
        _released(parsed, releases).withColumn(FATE, _fate(dialect, as_of, bounds, released)).drop(RELEASED)
    )


def newest(raw: DataFrame) -> DataFrame:
    """The lines of the last answer that held their order; an order comes whole, so it replaces all before.

    Lines without an order id belong to their file: read again, it replaces them.
    """
    # One number, since Spark aggregates numbers by hashing and structs by sorting.
    version = F.shiftleft(F.unix_millis(c.EXTRACTED_AT), PAGE_BITS) + F.col(c.PAGE)
    several = (
        raw.groupBy(F.col(c.ORDER_ID).alias("_order"))
        .agg(F.min(version).alias("oldest"), F.max(version).alias("newest"))
        .where(F.col("oldest") != F.col("newest"))
        .select("_order", "newest")
    )
    files = raw.groupBy(F.col(c.SOURCE).alias("_file")).agg(F.max(version).alias("read"))
    # Few orders have several versions, so that they travel to the lines and not the lines to them.
    joined = raw.join(F.broadcast(several), F.col(c.ORDER_ID) == F.col("_order"), "left").join(
        F.broadcast(files), F.col(c.SOURCE) == F.col("_file"), "left"
    )
    last = F.when(F.col(c.ORDER_ID).isNull(), version == F.col("read")).otherwise(
        F.col("newest").isNull() | (version == F.col("newest"))
    )
    return joined.where(last).drop("_order", "newest", "_file", "read")


def _distinct(lines: DataFrame, dialect: Dialect) -> DataFrame:
    """Each line once; one that can't be read is what stands at its place."""
    unreadable = F.when(F.col(c.FAULT).isNotNull(), F.concat(c.SOURCE, F.lit(" "), c.LINE))
    # Numbers sort many times faster than texts, and two of 64 bits are never those of two lines.
    numbers = {name: F.xxhash64(F.lit(name), *dialect.row_key, unreadable) for name in ("_one", "_other")}
    return lines.withColumns(numbers).dropDuplicates([*numbers, c.ORDER_ID]).drop(*numbers)


def typical_prices(raw: DataFrame, bounds: RowBounds) -> DataFrame:
    """The median price of each product that enough lines tell of."""
    paid = F.col(c.UNIT_PRICE).try_cast("double")
    return (
        raw.where((paid > 0) & (paid < math.inf))
        .groupBy(F.col(c.PRODUCT).alias(PRODUCT))
        .agg(F.percentile_approx(paid, 0.5).alias(TYPICAL), F.count(F.lit(1)).alias("_lines"))
        .where(F.col("_lines") >= bounds.price_lines.value)
        .drop("_lines")
    )


def _released(parsed: DataFrame, releases: DataFrame) -> DataFrame:
    rules = releases.groupBy(*(F.col(name).alias(f"_{name}") for name in SAYS)).agg(
        F.collect_set(c.RULE).alias(RELEASED)
    )
    same = [F.col(name).eqNullSafe(F.col(f"_{name}")) for name in SAYS]
    return parsed.join(F.broadcast(rules), same, "left").drop(*(f"_{name}" for name in SAYS))


def _time(timezone: str) -> Column:
    stated = F.col(c.ORDERED_AT).try_cast("timestamp")
    return F.when(F.col(c.ORDERED_AT).rlike(OFFSET), stated).otherwise(F.to_utc_timestamp(stated, timezone))


def _fate(dialect: Dialect, as_of: dt.date, bounds: RowBounds, released: Column) -> Column:
    most = bounds.largest_quantity.value
    rules = {
        UNREADABLE: F.col(c.FAULT).isNotNull(),
        "no_order": _blank(c.ORDER_ID),
        EMPTY_ORDER: _blank(c.PRODUCT) & _blank(c.QUANTITY) & _blank(c.UNIT_PRICE),
        "no_product": _blank(c.PRODUCT),
        "unparsable_time": F.col(TIME).isNull(),
        "future_time": F.col(TIME) > F.col(c.EXTRACTED_AT) + F.lit(AHEAD),
        LATER: F.to_date(TIME) > F.lit(as_of),
        NOT_A_PRODUCT: F.col(c.PRODUCT).rlike(dialect.not_products or "^$"),
        "bad_quantity": F.col(UNITS).isNull() | F.isnan(UNITS) | (F.col(UNITS) == 0),
        "huge_quantity": F.abs(UNITS) > most,
        "bad_price": F.col(PAID).isNull() | (F.col(PAID) <= 0) | (F.col(PAID) >= math.inf),  # as NaN is
        "price_outlier": _far(bounds.price_factor.value),
        "placeholder_customer": _placeholder(),
        "no_customer": _blank(c.CUSTOMER) & F.lit(not dialect.guests),
        RETURNED: F.col(UNITS) < 0,
    }
    for name in RELEASABLE:
        rules[name] &= ~F.array_contains(released, name)
    return F.coalesce(*(F.when(broken, F.lit(name)) for name, broken in rules.items()), F.lit(USED))


def _blank(column: str) -> Column:
    return F.coalesce(F.trim(column), F.lit("")) == ""


def _far(factor: float) -> Column:
    outside = (F.col(PAID) > F.col(TYPICAL) * factor) | (F.col(PAID) * factor < F.col(TYPICAL))
    return F.coalesce(outside, F.lit(False))


def _placeholder() -> Column:
    digits = F.regexp_replace(c.CUSTOMER, r"\D", "")
    return F.coalesce(digits.rlike(ONE_DIGIT) | digits.contains(COUNTED_UP), F.lit(False))
