"""A shop's days end at midnight in its time zone."""

import pytest

from pipelines.lake.days import day_of
from pipelines.settings import settings

LATE = "2026-11-20 23:30:00"  # in UTC


@pytest.mark.parametrize(
    ("zone", "day"),
    [("UTC", "2026-11-20"), ("Asia/Tokyo", "2026-11-21"), ("America/Los_Angeles", "2026-11-20")],
)
def test_a_moment_belongs_to_the_day_of_the_shops_time_zone(spark, home, monkeypatch, zone, day):
    monkeypatch.setenv("NIGHTSHELF_TIMEZONE", zone)
    settings.cache_clear()
    (row,) = (
        spark.createDataFrame([(LATE,)], "time string")
        .selectExpr("timestamp(time) AS time")
        .select(day_of("time").cast("string").alias("day"))
        .collect()
    )
    assert row["day"] == day
