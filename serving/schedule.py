"""The nightly run's schedule and the time zone of the shop's days; Airflow reads them without `pipelines`."""

import datetime as dt
import re
import zoneinfo

from pydantic import Field, field_validator

from serving.settings import ServingSettings

TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
CRON = re.compile(r"[\dA-Za-z*/,#?-]+( [\dA-Za-z*/,#?-]+){4}")


class ScheduleSettings(ServingSettings):
    """The settings of the schedule."""

    schedule: str = Field(
        "00:00",
        description="when the nightly run starts in Airflow: a time such as 03:00, or five cron fields",
    )
    timezone: str = Field(
        "UTC", description="time zone of SCHEDULE and of the shop's days, such as Europe/Berlin"
    )

    @field_validator("schedule")
    @classmethod
    def _check_schedule(cls, text: str) -> str:
        if not (TIME.fullmatch(text.strip()) or CRON.fullmatch(" ".join(text.split()))):
            raise ValueError("write it as a time such as 03:00, or as five cron fields such as 0 3 * * *")
        return text

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, name: str) -> str:
        if name not in zoneinfo.available_timezones():
            raise ValueError("unknown time zone; write an IANA name such as Europe/Berlin")
        return name

    @property
    def cron(self) -> str:
        """The schedule as five cron fields."""
        if time := TIME.fullmatch(self.schedule.strip()):
            return f"{int(time[2])} {int(time[1])} * * *"
        return " ".join(self.schedule.split())

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The time zone of the schedule and of the shop's days."""
        return zoneinfo.ZoneInfo(self.timezone)

    def yesterday(self, now: dt.datetime) -> dt.date:
        """Returns the last day that was complete at a moment."""
        return now.astimezone(self.zone).date() - dt.timedelta(days=1)
