"""The days of a shop, which end at midnight in its time zone."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from pipelines.settings import settings

UTC = "UTC"


def day_of(time: str | Column) -> Column:
    """Returns the day in NIGHTSHELF_TIMEZONE of each time of a column in UTC."""
    zone = settings().timezone
    return F.to_date(time if zone == UTC else F.from_utc_timestamp(time, zone))
