"""The versions of an order: several pulls, pages and files may hold it, and one version counts.

What the order itself says decides first: the version that the shop changed last (`changed_at`). The pull and
the page decide among versions without such a time, or with the same one.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines import columns as c
from pipelines.extract.source import Dialect
from serving.live.identity import nobody_pattern

OFFSET = r"\d:\d\d.*(Z|UTC|[+-]\d\d(:?\d\d)?)$"  # only after a time of day: a date may end in -31
PAGE_BITS = 22  # enough for four million pages
SAME_ORDER_DAYS = 2  # the most days between versions of an order without a customer
NOT_IN_AN_ID = r"[^\p{L}\p{N}]"  # what spellings of one customer id may differ in

SHARED_ID = "shared_id"  # whether different customers have an order of this id
ORDER, PART = "_order", "_part"


def newest(raw: DataFrame, dialect: Dialect) -> DataFrame:
    """Returns the lines of each order's newest version, which is complete and replaces all earlier ones.

    Lines without an order id belong to the newest version of their file instead. If the lines of an order may
    lie in several files, each file's part of the order has its own versions. The column `shared_id` is added:
    whether the versions of the line's order belong to different customers.
    """
    # Numbers, since Spark aggregates numbers by hashing and structs by sorting.
    version = F.shiftleft(F.unix_millis(c.EXTRACTED_AT), PAGE_BITS) + F.col(c.PAGE)
    changed = _changed(dialect.timezone)
    # Few orders have several versions, so the small side is broadcast.
    orders = F.broadcast(_with_versions(raw, version, changed, dialect))
    files = raw.groupBy(F.col(c.SOURCE).alias("_file")).agg(F.max(version).alias("read"))
    joined = raw.join(orders, _same_order(dialect.split_orders), "left").join(
        F.broadcast(files), F.col(c.SOURCE) == F.col("_file"), "left"
    )
    last = F.when(F.col(c.ORDER_ID).isNull(), version == F.col("read")).otherwise(
        F.col("newest").isNull() | (version == F.col("newest"))
    )
    shared = F.coalesce(F.col(SHARED_ID), F.lit(False))
    return joined.where(last).withColumn(SHARED_ID, shared).drop(ORDER, PART, "newest", "_file", "read")


def time(column: str, timezone: str) -> Column:
    """Returns the times of a column of texts; those without an offset are times of the time zone."""
    parsed = F.col(column).try_cast("timestamp")
    return F.when(F.col(column).rlike(OFFSET), parsed).otherwise(F.to_utc_timestamp(parsed, timezone))


def _changed(timezone: str) -> Column:
    """Returns when the shop changed a line's order, in milliseconds, 0 if unknown.

    No later than the line was received: a wrong clock must not outvote all corrections.
    """
    changed = F.unix_millis(time(c.CHANGED_AT, timezone))
    received = F.unix_millis(c.EXTRACTED_AT)
    return F.coalesce(F.when(changed > received, received).otherwise(changed), F.lit(0))


def _with_versions(raw: DataFrame, version: Column, changed: Column, dialect: Dialect) -> DataFrame:
    """Returns the newest version of each order with several versions or customers, and `shared_id`.

    If the lines of an order may lie in several files, a row per order and file.
    """
    split = dialect.split_orders
    customer = F.xxhash64(c.CUSTOMER)
    several = (
        raw.where(F.col(c.ORDER_ID).isNotNull())
        .groupBy(F.col(c.ORDER_ID).alias(ORDER), _part(split).alias(PART))
        .agg(
            F.max(changed).alias("latest"),
            (F.min(version) != F.max(version)).alias("versions"),
            (F.min(customer) != F.max(customer)).alias("customers"),
        )
        .where(F.col("versions") | F.col("customers"))
        .select(ORDER, PART, "latest")
    )
    return (
        raw.join(F.broadcast(several), _same_order(split))
        .groupBy(ORDER, PART)
        .agg(
            F.max(F.when(changed == F.col("latest"), version)).alias("newest"),
            _shared(dialect).alias(SHARED_ID),
        )
    )


def _part(split: bool) -> Column:
    return F.col(c.SOURCE) if split else F.lit("")


def _same_order(split: bool) -> Column:
    return (F.col(c.ORDER_ID) == F.col(ORDER)) & (_part(split) == F.col(PART))


def _shared(dialect: Dialect) -> Column:
    """Returns whether the lines of an order name different customers, or without customers days far apart."""
    spelling = F.regexp_replace(F.lower(c.CUSTOMER), NOT_IN_AN_ID, "")
    is_somebody = (spelling != "") & ~F.col(c.CUSTOMER).rlike(nobody_pattern(dialect.identity))
    customer = F.when(is_somebody, F.xxhash64(spelling))
    sold_on = F.when(~F.coalesce(F.col(c.QUANTITY).startswith("-"), F.lit(False)), F.col(c.ORDERED_AT))
    day = F.unix_date(F.substring(sold_on, 1, c.ISO_DAY_LENGTH).try_cast("date"))
    apart = F.max(day) - F.min(day) > SAME_ORDER_DAYS
    return F.coalesce(F.min(customer) != F.max(customer), apart, F.lit(False))
