"""Row checks: they assign a fate to every line of raw/orders, in one pass of Spark.

- used: a sale
- returned: a return
- one of DROPPED: left out, without being an error
- otherwise the name of the first row check that the line fails; the line is quarantined
"""

import datetime as dt
import math

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from expectations.thresholds import RowBounds
from pipelines import columns as c
from pipelines.extract.source import Dialect
from pipelines.validate.quarantine import CONTENT, RELEASABLE
from serving.live.identity import nobody_pattern
from serving.live.nobody import PLACEHOLDER

USED = "used"
RETURNED = "returned"
GOOD = (USED, RETURNED)
LATER = "later_than_the_night"
NOT_A_PRODUCT = "not_a_product"
EMPTY_ORDER = "empty_order"
REPORTED_AND_ORDERED = "told_and_ordered"
DROPPED = (LATER, NOT_A_PRODUCT, EMPTY_ORDER, REPORTED_AND_ORDERED)

UNREADABLE = "unreadable_line"
NO_CUSTOMER = "no_customer"

OFFSET = r"\d:\d\d.*(Z|UTC|[+-]\d\d(:?\d\d)?)$"  # only after a time of day: a date may end in -31
PAGE_BITS = 22  # enough for four million pages
CLOCK_TOLERANCE = dt.timedelta(days=1)  # the most by which a shop's local time is ahead of UTC

FATE = "fate"
TIME, UNITS, PAID, TYPICAL = "time", "units", "paid", "typical"
RELEASED = "released"
PRODUCT = "_product"
NOBODY_ID, IS_PLACEHOLDER = "_nobody", "_is_placeholder"


def check(
    raw: DataFrame, dialect: Dialect, as_of: dt.date, bounds: RowBounds, releases: DataFrame | None = None
) -> DataFrame:
    """Returns the distinct lines of each order's newest version, with their time, units, price paid and fate.

    The column `typical` is the median price of the line's product, null if fewer than `price_lines` lines
    have a price.

    releases: lines for which a person released a row check, with the columns of the table RELEASES.
    """
    by_order = raw.repartition(c.ORDER_ID)  # one shuffle: the steps below group by order
    parsed = (
        _distinct(newest(by_order), dialect)
        .withColumn(TIME, _time(dialect.timezone))
        .withColumn(UNITS, F.col(c.QUANTITY).try_cast("double"))
        .withColumn(PAID, F.col(c.UNIT_PRICE).try_cast("double"))
        .join(F.broadcast(typical_prices(raw, bounds)), F.col(c.PRODUCT) == F.col(PRODUCT), "left")
        .drop(PRODUCT)
        .join(F.broadcast(_nobodies(raw, dialect)), F.col(c.CUSTOMER) == F.col(NOBODY_ID), "left")
    )
    released = F.array().cast("array<string>")
    if releases is not None:
        parsed, released = _released(parsed, releases), F.coalesce(RELEASED, F.array())
    with_fates = parsed.withColumn(FATE, _fate(dialect, as_of, bounds, released))
    known = F.when(F.col(NOBODY_ID).isNull(), F.col(c.CUSTOMER))
    return with_fates.withColumn(c.CUSTOMER, known).drop(RELEASED, NOBODY_ID, IS_PLACEHOLDER)


def newest(raw: DataFrame) -> DataFrame:
    """Returns the lines of each order's newest version, which is complete and replaces all earlier ones.

    Lines without an order id belong to the newest version of their file instead.
    """
    # A number, since Spark aggregates numbers by hashing and structs by sorting.
    version = F.shiftleft(F.unix_millis(c.EXTRACTED_AT), PAGE_BITS) + F.col(c.PAGE)
    with_versions = (
        raw.groupBy(F.col(c.ORDER_ID).alias("_order"))
        .agg(F.min(version).alias("oldest"), F.max(version).alias("newest"))
        .where(F.col("oldest") != F.col("newest"))
        .select("_order", "newest")
    )
    files = raw.groupBy(F.col(c.SOURCE).alias("_file")).agg(F.max(version).alias("read"))
    # Few orders have several versions, so the small side is broadcast.
    joined = raw.join(F.broadcast(with_versions), F.col(c.ORDER_ID) == F.col("_order"), "left").join(
        F.broadcast(files), F.col(c.SOURCE) == F.col("_file"), "left"
    )
    last = F.when(F.col(c.ORDER_ID).isNull(), version == F.col("read")).otherwise(
        F.col("newest").isNull() | (version == F.col("newest"))
    )
    return joined.where(last).drop("_order", "newest", "_file", "read")


def _distinct(lines: DataFrame, dialect: Dialect) -> DataFrame:
    """Each line once; an unreadable line is identified by its file and line number."""
    unreadable = F.when(F.col(c.FAULT).isNotNull(), F.concat(c.SOURCE, F.lit(" "), c.LINE))
    # Numbers sort many times faster than texts; two 64-bit hashes together don't collide.
    numbers = {name: F.xxhash64(F.lit(name), *dialect.row_key, unreadable) for name in ("_hash1", "_hash2")}
    return lines.withColumns(numbers).dropDuplicates([*numbers, c.ORDER_ID]).drop(*numbers)


def typical_prices(raw: DataFrame, bounds: RowBounds) -> DataFrame:
    """Returns the median price of each product that has at least `price_lines` lines with a price."""
    paid = F.col(c.UNIT_PRICE).try_cast("double")
    return (
        raw.where((paid > 0) & (paid < math.inf))
        .groupBy(F.col(c.PRODUCT).alias(PRODUCT))
        .agg(F.percentile_approx(paid, 0.5).alias(TYPICAL), F.count(F.lit(1)).alias("_lines"))
        .where(F.col("_lines") >= bounds.price_lines.value)
        .drop("_lines")
    )


def _released(parsed: DataFrame, releases: DataFrame) -> DataFrame:
    checks = releases.groupBy(*(F.col(name).alias(f"_{name}") for name in CONTENT)).agg(
        F.collect_set(c.RULE).alias(RELEASED)
    )
    same = [F.col(name).eqNullSafe(F.col(f"_{name}")) for name in CONTENT]
    return parsed.join(F.broadcast(checks), same, "left").drop(*(f"_{name}" for name in CONTENT))


def _time(timezone: str) -> Column:
    parsed = F.col(c.ORDERED_AT).try_cast("timestamp")
    return F.when(F.col(c.ORDERED_AT).rlike(OFFSET), parsed).otherwise(F.to_utc_timestamp(parsed, timezone))


def _fate(dialect: Dialect, as_of: dt.date, bounds: RowBounds, released: Column) -> Column:
    checks = {
        UNREADABLE: F.col(c.FAULT).isNotNull(),
        "no_order": _blank(c.ORDER_ID),
        EMPTY_ORDER: _blank(c.PRODUCT) & _blank(c.QUANTITY) & _blank(c.UNIT_PRICE),
        "no_product": _blank(c.PRODUCT),
        "unparsable_time": F.col(TIME).isNull(),
        "future_time": F.col(TIME) > F.col(c.EXTRACTED_AT) + F.lit(CLOCK_TOLERANCE),
        LATER: F.to_date(TIME) > F.lit(as_of),
        NOT_A_PRODUCT: F.col(c.PRODUCT).rlike(dialect.not_products or "^$"),
        "bad_quantity": F.col(UNITS).isNull() | F.isnan(UNITS) | (F.col(UNITS) == 0),
        "huge_quantity": F.abs(UNITS) > bounds.largest_quantity.value,
        "bad_price": F.col(PAID).isNull() | (F.col(PAID) <= 0) | (F.col(PAID) >= math.inf),  # NaN is greater
        "price_outlier": _price_outlier(bounds.price_factor.value),
        "placeholder_customer": F.lit(not dialect.guests) & F.coalesce(IS_PLACEHOLDER, F.lit(False)),
        NO_CUSTOMER: F.lit(not dialect.guests) & (F.col(c.CUSTOMER).isNull() | ~F.col(IS_PLACEHOLDER)),
        RETURNED: F.col(UNITS) < 0,
    }
    for name in RELEASABLE:
        checks[name] &= ~F.array_contains(released, name)
    return F.coalesce(*(F.when(failed, F.lit(name)) for name, failed in checks.items()), F.lit(USED))


def _blank(column: str) -> Column:
    return F.coalesce(F.trim(column), F.lit("")) == ""


def _price_outlier(factor: float) -> Column:
    outside = (F.col(PAID) > F.col(TYPICAL) * factor) | (F.col(PAID) * factor < F.col(TYPICAL))
    return F.coalesce(outside, F.lit(False))


def _nobodies(raw: DataFrame, dialect: Dialect) -> DataFrame:
    """Returns the few distinct customer ids that stand for nobody, and whether each is a placeholder."""
    ids = raw.select(F.col(c.CUSTOMER).alias(NOBODY_ID)).distinct()
    nobodies = ids.where(F.col(NOBODY_ID).rlike(nobody_pattern(dialect.identity)))
    return nobodies.withColumn(IS_PLACEHOLDER, F.col(NOBODY_ID).rlike(PLACEHOLDER))
