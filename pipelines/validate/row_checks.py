"""Row checks: they assign a fate to every line of raw/orders, in one pass of Spark.

- used: a sale
- returned: a return
- left_out_<reason>: one of the mapping's rules leaves the line out
- one of DROPPED: dropped, without being an error
- otherwise the name of the first row check that the line fails; the line is quarantined
"""

import datetime as dt
import math

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from expectations.thresholds import RowBounds
from pipelines import columns as c
from pipelines.extract.source import Dialect
from pipelines.lake.days import day_of
from pipelines.validate import versions
from pipelines.validate.quarantine import CONTENT, POSITION, USABLE
from serving.live.identity import nobody_pattern
from serving.live.nobody import PLACEHOLDER

USED = "used"
RETURNED = "returned"
GOOD = (USED, RETURNED)
LATER = "later_than_the_night"
NOT_A_PRODUCT = "not_a_product"
EMPTY_ORDER = "empty_order"
FREE = "free"
REPORTED_AND_ORDERED = "told_and_ordered"
ACCEPTED_AS_LOST = "accepted_as_lost"  # released from a row check, but lacking what an order line needs
DROPPED = (LATER, NOT_A_PRODUCT, EMPTY_ORDER, FREE, REPORTED_AND_ORDERED, ACCEPTED_AS_LOST)
LEFT_OUT = "left_out_"  # how the fate of a line that the mapping leaves out begins

UNREADABLE = "unreadable_line"
NO_CUSTOMER = "no_customer"

CLOCK_TOLERANCE = dt.timedelta(days=1)  # the most by which a shop's local time is ahead of UTC

FATE = "fate"
TIME, UNITS, PAID, TYPICAL = "time", "units", "paid", "typical"
RELEASED = "released"
PRODUCT = "_product"
NOBODY_ID, IS_PLACEHOLDER = "_nobody", "_is_placeholder"
REASON_LENGTH = 41  # of a left-out line's reason


def is_dropped(fate: str) -> bool:
    """Returns whether lines of this fate are left out of training without being an error."""
    return fate in DROPPED or fate.startswith(LEFT_OUT)


def is_quarantined(fate: Column) -> Column:
    """Returns whether a column of fates names a row check that the line failed."""
    return ~(fate.isin(*GOOD, *DROPPED) | fate.startswith(LEFT_OUT))


def check(
    raw: DataFrame, dialect: Dialect, as_of: dt.date, bounds: RowBounds, releases: DataFrame | None = None
) -> DataFrame:
    """Returns the distinct lines of each order's newest version, with their time, units, price paid and fate.

    The price paid is null unless it is a number of at least 0. The column `typical` is the median price of
    the line's product, null if fewer than `price_lines` lines have a price. The column `shared_id` is that of
    `versions.newest`.

    releases: lines for which a person released a row check, with the columns of the table RELEASES.
    """
    by_order = raw.repartition(c.ORDER_ID)  # one shuffle: the steps below group by order
    parsed = (
        _distinct(versions.newest(by_order, dialect), dialect)
        .withColumn(TIME, versions.time(c.ORDERED_AT, dialect.timezone))
        .withColumn(UNITS, F.col(c.QUANTITY).try_cast("double"))
        .withColumn(PAID, _paid())
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


def _distinct(lines: DataFrame, dialect: Dialect) -> DataFrame:
    """Each line once; an unreadable line is identified by its file and line number.

    A line's number is its number within a file, so that it says little if an order lies in several files.
    """
    is_numbered = F.col(c.FAULT).isNotNull() | F.lit(dialect.split_orders and c.LINE in dialect.row_key)
    unreadable = F.when(is_numbered, F.concat(c.SOURCE, F.lit(" "), c.LINE))
    # Numbers sort many times faster than texts; two 64-bit hashes together don't collide.
    numbers = {name: F.xxhash64(F.lit(name), *dialect.row_key, unreadable) for name in ("_hash1", "_hash2")}
    return lines.withColumns(numbers).dropDuplicates([*numbers, c.ORDER_ID]).drop(*numbers)


def typical_prices(raw: DataFrame, bounds: RowBounds) -> DataFrame:
    """Returns the median price of each product that has at least `price_lines` lines with a price."""
    paid = _paid()
    return (
        raw.where((paid > 0) & F.col(c.LEFT_OUT).isNull())
        .groupBy(F.col(c.PRODUCT).alias(PRODUCT))
        .agg(F.percentile_approx(paid, 0.5).alias(TYPICAL), F.count(F.lit(1)).alias("_lines"))
        .where(F.col("_lines") >= bounds.price_lines.value)
        .drop("_lines")
    )


def _paid() -> Column:
    price = F.col(c.UNIT_PRICE).try_cast("double")
    return F.when((price >= 0) & (price < math.inf), price)  # NaN is greater than infinity


def _released(parsed: DataFrame, releases: DataFrame) -> DataFrame:
    content = [*CONTENT, *POSITION]
    checks = releases.groupBy(*(F.col(name).alias(f"_{name}") for name in content)).agg(
        F.collect_set(c.RULE).alias(RELEASED)
    )
    position = {name: F.when(F.col(c.ORDER_ID).isNull(), F.col(name)) for name in POSITION}
    own = {name: F.col(name) for name in CONTENT} | position
    same = [own[name].eqNullSafe(F.col(f"_{name}")) for name in content]
    return parsed.join(F.broadcast(checks), same, "left").drop(*(f"_{name}" for name in content))


def _fate(dialect: Dialect, as_of: dt.date, bounds: RowBounds, released: Column) -> Column:
    unreadable = {UNREADABLE: F.col(c.FAULT).isNotNull()}
    others = {
        "no_order": _blank(c.ORDER_ID),
        EMPTY_ORDER: _blank(c.PRODUCT) & _blank(c.QUANTITY) & _blank(c.UNIT_PRICE),
        "no_product": _blank(c.PRODUCT),
        "unparsable_time": F.col(TIME).isNull(),
        "future_time": F.col(TIME) > F.col(c.EXTRACTED_AT) + F.lit(CLOCK_TOLERANCE),
        LATER: day_of(TIME) > F.lit(as_of),
        NOT_A_PRODUCT: F.col(c.PRODUCT).rlike(dialect.not_products or "^$"),
        "bad_quantity": F.col(UNITS).isNull() | F.isnan(UNITS) | (F.col(UNITS) == 0),
        "huge_quantity": F.abs(UNITS) > bounds.largest_quantity.value,
        FREE: _free() & F.lit(dialect.free_lines == "leave_out"),
        "bad_price": _bad_price() & F.lit(dialect.has_prices),
        "price_outlier": _price_outlier(bounds.price_factor.value),
        "placeholder_customer": F.lit(not dialect.guests) & F.coalesce(IS_PLACEHOLDER, F.lit(False)),
        NO_CUSTOMER: F.lit(not dialect.guests) & (F.col(c.CUSTOMER).isNull() | ~F.col(IS_PLACEHOLDER)),
        RETURNED: F.col(UNITS) < 0,
    }
    left_out = F.concat(F.lit(LEFT_OUT), F.substring(c.LEFT_OUT, 1, REASON_LENGTH))
    outcomes = [_outcome(name, failed, released) for name, failed in (unreadable | others).items()]
    # An unreadable line has no columns, so that a rule of the mapping would leave it out by mistake.
    return F.coalesce(outcomes[0], left_out, *outcomes[1:], F.lit(USED))


def _outcome(name: str, failed: Column, released: Column) -> Column:
    """Returns the fate of the lines that fail a check, null for the others and for lines to use anyway."""
    if name in DROPPED or name == RETURNED:
        return F.when(failed, F.lit(name))
    fate = F.lit(None) if name in USABLE else F.lit(ACCEPTED_AS_LOST)
    return F.when(failed, F.when(F.array_contains(released, name), fate).otherwise(F.lit(name)))


def _blank(column: str) -> Column:
    return F.coalesce(F.trim(column), F.lit("")) == ""


def _free() -> Column:
    """Returns whether a line has the price 0; a customer's return at that price still counts as a return."""
    return (F.col(PAID) == 0) & ((F.col(UNITS) > 0) | _blank(c.CUSTOMER))


def _bad_price() -> Column:
    """Returns whether a line lacks a valid price; a return needs none."""
    return F.col(PAID).isNull() & ~(_blank(c.UNIT_PRICE) & (F.col(UNITS) < 0))


def _price_outlier(factor: float) -> Column:
    outside = (F.col(PAID) > F.col(TYPICAL) * factor) | (F.col(PAID) * factor < F.col(TYPICAL))
    return F.coalesce(outside & (F.col(PAID) > 0), F.lit(False))


def _nobodies(raw: DataFrame, dialect: Dialect) -> DataFrame:
    """Returns the few distinct customer ids that stand for nobody, and whether each is a placeholder."""
    ids = raw.select(F.col(c.CUSTOMER).alias(NOBODY_ID)).distinct()
    nobodies = ids.where(F.col(NOBODY_ID).rlike(nobody_pattern(dialect.identity)))
    return nobodies.withColumn(IS_PLACEHOLDER, F.col(NOBODY_ID).rlike(PLACEHOLDER))
