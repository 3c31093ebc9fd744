"""The row waterfall: what became of every line fetched, adding up."""

import datetime as dt

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines import columns as c
from pipelines.validate.row_checks import DROPPED, FATE, GOOD, PAID, TIME, TYPICAL, UNITS

FETCHED = "fetched"
DUPLICATE = "duplicate"

TONIGHT = "tonight"
LINES, REVENUE, LOG_PIECES, GUESTS = "lines", "revenue", "log_pieces", "guests"
PRICED, LOG_PRICE, MOVED = "priced", "log_price", "moved"

MOVED_BY = 2.0  # a price that is twice or half its product's own median is another one


def tally(judged: DataFrame, since: tuple[dt.datetime, dt.date] | None) -> pd.DataFrame:
    """Lines by fate, day and whether they are tonight's, with sums over them: a small table.

    since: the moment up to which the last night had received lines, and its day; what came later, or is of
    a later day, is tonight's.

    log_pieces: the sum of the logarithms of their units. priced: lines whose product has a typical
    price; log_price: the sum of the logarithms of price over typical price; moved: how many are twice
    or half of it.
    """
    ratio = F.when((F.col(PAID) > 0) & (F.col(TYPICAL) > 0), F.log(F.col(PAID) / F.col(TYPICAL)))
    tonight = F.lit(True)
    if since:
        received, day = since
        later = F.coalesce(F.to_date(TIME) > F.lit(day), F.lit(False))
        tonight = (F.col(c.EXTRACTED_AT) > F.lit(received)) | later
    return (
        judged.withColumn("_ratio", ratio)
        .groupBy(FATE, tonight.alias(TONIGHT), F.to_date(TIME).alias(c.DAY))
        .agg(
            F.count(F.lit(1)).alias(LINES),
            F.sum(F.col(UNITS) * F.col(PAID)).alias(REVENUE),
            F.sum(F.when(F.col(UNITS) != 0, F.log(F.abs(UNITS)))).alias(LOG_PIECES),
            F.count_if(F.col(c.CUSTOMER).isNull()).alias(GUESTS),
            F.count("_ratio").alias(PRICED),
            F.sum("_ratio").alias(LOG_PRICE),
            F.count_if(F.abs("_ratio") >= F.log(F.lit(MOVED_BY))).alias(MOVED),
        )
        .toPandas()
    )


def waterfall(tallied: pd.DataFrame, fetched: int) -> dict[str, int]:
    """Lines fetched, and of them how many met which fate, in the order of the waterfall; they add up."""
    fates = {str(fate): int(lines) for fate, lines in tallied.groupby(FATE)[LINES].sum().items()}
    counts = {FETCHED: fetched, DUPLICATE: fetched - sum(fates.values())}
    counts |= {fate: fates[fate] for fate in DROPPED if fate in fates} | quarantined(fates)
    return counts | {fate: fates.get(fate, 0) for fate in reversed(GOOD)}


def quarantined(fates: dict[str, int]) -> dict[str, int]:
    """The part that row rules set aside, by rule; the most first."""
    others = {FETCHED, DUPLICATE, *GOOD, *DROPPED}
    broken = {fate: lines for fate, lines in fates.items() if fate not in others}
    return dict(sorted(broken.items(), key=lambda one: (-one[1], one[0])))


def of_tonight(tallied: pd.DataFrame) -> dict[str, int]:
    """Lines by fate, of those alone that were received since the last night that passed."""
    new = tallied[tallied[TONIGHT]]
    return {str(fate): int(lines) for fate, lines in new.groupby(FATE)[LINES].sum().items()}
