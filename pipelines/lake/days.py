"""The days of a shop, which end at midnight in its time zone."""

from ibis import Value

from pipelines.lake import functions
from pipelines.settings import settings


def day_of(time: Value) -> Value:
    """Returns the day in NIGHTSHELF_TIMEZONE of each time of a column."""
    return functions.local_day(time, settings().timezone)
