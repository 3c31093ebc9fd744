"""Gate 1: which order lines are good, which are set aside, and by which rule.

Every line of raw/orders gets one fate: used, dropped (a duplicate, later than the night, no product)
or quarantined under the first rule that it breaks. All in one pass of Spark over the rows.
"""

import datetime as dt
import math

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import StringType

from pipelines import columns as c
from pipelines.extract.source import Dialect
from serving.errors import NightshelfError
from serving.identity import normalise, pseudonym

FETCHED = "fetched"
DUPLICATE = "duplicate"
LATER = "later_than_the_night"
NOT_A_PRODUCT = "not_a_product"
EMPTY_ORDER = "empty_order"
DROPPED = (LATER, NOT_A_PRODUCT, EMPTY_ORDER)
USED = "used"

LARGEST_QUANTITY = 100_000
OFFSET = r"\d:\d\d.*(Z|UTC|[+-]\d\d(:?\d\d)?)$"  # after a time of day: a date ends in -31 too
ONE_DIGIT = r"(\d)\1{9}$"  # after a country's code
COUNTED_UP = "1234567890"

UNREADABLE = "unreadable_line"

FATE = "fate"
WHERE = "where"
TIME, UNITS, PAID = "time", "units", "paid"


def judge(raw: DataFrame, dialect: Dialect, as_of: dt.date) -> DataFrame:
    """The distinct raw lines of each order's newest version, with time, units, price paid, and fate."""
    unreadable = F.when(F.col(c.FAULT).isNotNull(), F.concat(c.SOURCE, F.lit(" "), c.LINE))
    distinct = newest(raw).withColumn(WHERE, unreadable).dropDuplicates([*dialect.row_key, WHERE])
    parsed = (
        distinct.drop(WHERE)
        .withColumn(TIME, _time(dialect.timezone))
        .withColumn(UNITS, F.col(c.QUANTITY).try_cast("double"))
        .withColumn(PAID, F.col(c.UNIT_PRICE).try_cast("double"))
    )
    return parsed.withColumn(FATE, _fate(dialect, as_of))


def newest(raw: DataFrame) -> DataFrame:
    """The lines of the last answer that held their order; an order comes whole, so it replaces all before.

    Lines without an order id belong to their file: read again, it replaces them.
    """
    version = F.struct(c.EXTRACTED_AT, c.PAGE)
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


def goods(judged: DataFrame) -> DataFrame:
    """The products as their last sale tells of them, in the columns of the catalogue."""
    told = F.struct(c.NAME, c.CATEGORY, c.BRAND, F.col(PAID).alias(c.PRICE))
    sold = judged.where((F.col(FATE) == USED) & (F.col(UNITS) > 0))
    last = sold.groupBy(c.PRODUCT).agg(F.max_by(told, F.struct(TIME, c.ORDER_ID, c.LINE)).alias("last"))
    return last.select(c.PRODUCT, "last.*", F.lit(True).alias(c.IN_STOCK))


def waterfall(raw: DataFrame, judged: DataFrame) -> dict[str, int]:
    """Lines fetched, and of them how many met which fate; the fates add up to `fetched`."""
    fetched = raw.count()
    fates = {row[FATE]: int(row["count"]) for row in judged.groupBy(FATE).count().collect()}
    return {FETCHED: fetched, DUPLICATE: fetched - sum(fates.values()), USED: 0} | fates


def check_share(counts: dict[str, int], allowed: float) -> None:
    """Raises NightshelfError where too many lines broke a row rule, or none is left to learn from."""
    broken = quarantined(counts)
    judged = sum(broken.values()) + counts[USED]
    if sum(broken.values()) > allowed * judged:
        worst = ", ".join(f"{rule} {count}" for rule, count in sorted(broken.items(), key=lambda x: -x[1]))
        raise NightshelfError(
            f"validation stopped the night: {sum(broken.values())} of {judged} order lines break a row rule"
            f" ({worst}), allowed are {allowed:.0%}: look at quarantine/orders, mend the shop's data"
            " or set NIGHTSHELF_QUARANTINE_SHARE"
        )
    if not counts[USED]:
        raise NightshelfError("validation stopped the night: no order line is left after validation")


def quarantined(counts: dict[str, int]) -> dict[str, int]:
    """The part of a waterfall that row rules set aside, by rule."""
    others = {FETCHED, DUPLICATE, USED, *DROPPED}
    return {fate: count for fate, count in counts.items() if fate not in others}


def quarantine(judged: DataFrame, run: str, key: str) -> DataFrame:
    """The lines that broke a rule, as received but for the customer, with the rule and the run.

    A phone number stays in raw/ alone, where order and line find it.
    """
    broken = judged.where(~F.col(FATE).isin(USED, *DROPPED)).drop(TIME, UNITS, PAID)
    hidden = broken.withColumn(c.CUSTOMER, _hidden(c.CUSTOMER, key))
    return hidden.withColumnRenamed(FATE, c.RULE).withColumn(c.RUN, F.lit(run))


def orders(judged: DataFrame, key: str) -> DataFrame:
    """The table `orders`: one row per order and product, customers as pseudonyms, times in UTC."""
    return (
        judged.where(F.col(FATE) == USED)
        .groupBy(c.ORDER_ID, c.PRODUCT)
        .agg(
            F.min(TIME).alias(c.ORDERED_AT),
            F.min(c.CUSTOMER).alias("_id"),
            F.sum(UNITS).alias(c.QUANTITY),
            F.avg(PAID).alias(c.UNIT_PRICE),
        )
        .withColumn(c.CUSTOMER, _hidden("_id", key))
        .select(c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE)
    )


def _hidden(column: str, key: str) -> Column:
    """The pseudonyms of a column of customers' ids."""
    hide = pandas_udf(_hider(key), StringType())  # type: ignore[call-overload]
    hidden: Column = hide(F.col(column))
    return hidden


def _hider(key: str):  # type: ignore[no-untyped-def]  # Spark reads the hints of the inner function
    def hide(customers: pd.Series) -> pd.Series:
        known = {one: pseudonym(one, key) for one in customers.dropna().unique() if normalise(one)}
        return pd.Series([known.get(one) for one in customers], dtype=object)  # also where all are guests

    return hide


def _time(timezone: str) -> Column:
    stated = F.col(c.ORDERED_AT).try_cast("timestamp")
    return F.when(F.col(c.ORDERED_AT).rlike(OFFSET), stated).otherwise(F.to_utc_timestamp(stated, timezone))


def _fate(dialect: Dialect, as_of: dt.date) -> Column:
    rules = {
        UNREADABLE: F.col(c.FAULT).isNotNull(),
        "no_order": _blank(c.ORDER_ID),
        EMPTY_ORDER: _blank(c.PRODUCT) & _blank(c.QUANTITY) & _blank(c.UNIT_PRICE),
        "no_product": _blank(c.PRODUCT),
        "unparsable_time": F.col(TIME).isNull(),
        LATER: F.to_date(TIME) > F.lit(as_of),
        NOT_A_PRODUCT: F.col(c.PRODUCT).rlike(dialect.not_products or "^$"),
        "bad_quantity": F.col(UNITS).isNull() | (F.col(UNITS) == 0) | (F.abs(UNITS) > LARGEST_QUANTITY),
        "bad_price": F.col(PAID).isNull() | (F.col(PAID) <= 0) | (F.col(PAID) >= math.inf),  # as NaN is
        "placeholder_customer": _placeholder(),
        "no_customer": _blank(c.CUSTOMER) & F.lit(not dialect.guests),
    }
    return F.coalesce(*(F.when(broken, F.lit(name)) for name, broken in rules.items()), F.lit(USED))


def _blank(column: str) -> Column:
    return F.coalesce(F.trim(column), F.lit("")) == ""


def _placeholder() -> Column:
    digits = F.regexp_replace(c.CUSTOMER, r"\D", "")
    return F.coalesce(digits.rlike(ONE_DIGIT) | digits.contains(COUNTED_UP), F.lit(False))
