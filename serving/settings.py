"""Settings of the service, read from environment variables named NIGHTSHELF_* and from HOME/.env."""

import datetime as dt
import gc
import os
import re
import zoneinfo
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.errors import NightshelfError, without_secrets

PROJECT = Path(__file__).resolve().parents[1]
OWNER_ONLY = 0o077  # umask
RARELY = 50_000  # new objects until Python looks for garbage among them; by default 700
SHORTEST_KEY = 12  # characters; `nightshelf init` writes 64
TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
CRON = re.compile(r"[\dA-Za-z*/,#?-]+( [\dA-Za-z*/,#?-]+){4}")


def keep_private() -> None:
    """Makes files that this process and its children write from now on accessible to their user alone."""
    os.umask(OWNER_ONLY)


def collect_rarely() -> None:
    """Makes Python look for garbage rarely: by default a fifth of the time of large imports goes there."""
    gc.set_threshold(RARELY)


def home() -> Path:
    """Returns the folder NIGHTSHELF_HOME, by default the project's folder."""
    return Path(os.environ.get("NIGHTSHELF_HOME") or PROJECT)


class ServingSettings(BaseSettings):
    """The settings that the service needs."""

    model_config = SettingsConfigDict(
        env_prefix="NIGHTSHELF_", extra="ignore", frozen=True, env_ignore_empty=True
    )

    home: Path = Field(default_factory=home, description="folder for all files that Nightshelf writes")
    host: str = Field("127.0.0.1", description="address on which every server listens")
    serving_port: int = Field(3000, description="port of the BentoML service")
    mlflow_uri: str = Field(
        "", description="MLflow tracking address; empty: the database in HOME/mlruns, without a server"
    )
    model_name: str = Field(
        "nightshelf", description="name of the registered model that is trained and served"
    )
    follow_seconds: float = Field(2.0, gt=0, description="seconds between checks for a new champion")
    per_category: int = Field(
        0,
        ge=0,
        description="maximum products of one category in an answer, unless others run out; 0: no limit",
    )
    workers: int = Field(
        1, ge=1, description="worker processes of the service; they share one bundle's memory"
    )
    keys_file: str = Field("", description="file with the hashes of the service's API keys; empty: HOME/keys")
    hosts: str = Field(
        "",
        description="names beside localhost by which the service without API keys may be called, separated by"
        " commas",
    )
    rate_limit: float = Field(
        0.0,
        ge=0,
        description="requests per second per key and worker, in bursts of a second's worth; 0: no limit",
    )
    event_rate: float = Field(
        1000.0, ge=0, description="events per second that a key may add, for each worker; 0: no limit"
    )
    event_limit: int = Field(5_000_000, ge=1, description="largest number of events and orders in the store")
    body_limit: int = Field(1_000_000, ge=1, description="largest size of a request body, in bytes")
    cors_origins: str = Field(
        "",
        description="origins whose pages may call the service (CORS), separated by commas; empty: none",
    )
    access_log: bool = Field(
        True, description="whether each request is logged as a line of JSON on standard output"
    )
    trace_url: str = Field(
        "", description="full URL of the collector that receives traces by OTLP over HTTP; empty: no tracing"
    )
    trace_share: float = Field(1.0, ge=0, le=1, description="share of requests that are traced")
    store_url: SecretStr = Field(
        SecretStr(""),
        description="SQLAlchemy URL of the store of changes and events; empty: SQLite in HOME (secret)",
    )
    purchase_weight: float = Field(
        1.0, gt=0, description="weight of a purchase event in a customer's taste, in orders"
    )
    cart_weight: float = Field(
        0.5, ge=0, description="weight of a cart event in a customer's taste, in orders"
    )
    view_weight: float = Field(
        0.1, ge=0, description="weight of a view event in a customer's taste, in orders"
    )
    shop_rules: str = Field(
        "", description="TOML file of merchandising rules (pin, boost, bury, exclude); empty: none"
    )
    webhook_secret_woocommerce: SecretStr = Field(
        SecretStr(""), description="secret of WooCommerce's webhooks; empty: none are accepted (secret)"
    )
    webhook_secret_shopify: SecretStr = Field(
        SecretStr(""), description="secret of Shopify's webhooks; empty: none are accepted (secret)"
    )
    webhook_secret_medusa: SecretStr = Field(
        SecretStr(""), description="secret of Medusa's webhooks; empty: none are accepted (secret)"
    )
    webhook_profiles: str = Field(
        "", description="TOML file of the webhooks' profiles; empty: serving/http/webhooks.toml"
    )
    customer_key: SecretStr = Field(
        SecretStr(""), description="key that turns customer ids into pseudonyms (secret)"
    )

    @property
    def tracking_uri(self) -> str:
        """MLflow tracking URI in use."""
        return self.mlflow_uri or f"sqlite:///{self.home / 'mlruns' / 'mlflow.db'}"

    @property
    def tracking_address(self) -> str:
        """MLflow tracking URI in use, as a message may show it."""
        return without_secrets(self.tracking_uri)

    @property
    def keys_path(self) -> Path:
        """File of the API keys."""
        return Path(self.keys_file) if self.keys_file else self.home / "keys"

    @property
    def nights(self) -> Path:
        """Folder of the night reports."""
        return self.home / "nights"

    @property
    def state(self) -> Path:
        """Folder of the service's store, bundles on disk, caches, logs and Airflow's home."""
        return self.home / ".nightshelf"

    @property
    def store_address(self) -> str:
        """SQLAlchemy URL of the store in use."""
        return self.store_url.get_secret_value() or f"sqlite:///{self.state / 'store.db'}"

    def webhook_secret(self, profile: str) -> str:
        """Returns the secret of a profile's webhooks; empty if it isn't set."""
        secret: SecretStr = getattr(self, f"webhook_secret_{profile}")
        return secret.get_secret_value()

    @property
    def key_weakness(self) -> str:
        """What is wrong with the customer key; empty if it is long enough."""
        if len(self.customer_key.get_secret_value()) >= SHORTEST_KEY:
            return ""
        return (
            f"NIGHTSHELF_CUSTOMER_KEY has fewer than {SHORTEST_KEY} characters: whoever guesses it can turn"
            " pseudonyms back into telephone numbers and e-mail addresses"
        )

    def require_customer_key(self) -> str:
        """Returns the key of the pseudonyms; raises NightshelfError if it isn't set."""
        if not (key := self.customer_key.get_secret_value()):
            raise NightshelfError(
                "NIGHTSHELF_CUSTOMER_KEY is not set: "
                "set it, or run `nightshelf init` to write a .env file with new secrets"
            )
        return key


class ScheduleSettings(ServingSettings):
    """When the nightly run starts, and in which time zone; Airflow reads them without `pipelines`."""

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


S = TypeVar("S", bound=ServingSettings)


def read(kind: type[S], **given: Any) -> S:
    """Returns the settings of a class; raises NightshelfError naming every setting that has a wrong value.

    given: settings that differ from those of the environment.
    """
    try:
        return kind(_env_file=home() / ".env", **given)
    except ValidationError as error:
        reasons = (f"NIGHTSHELF_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise NightshelfError(f"wrong settings: {'; '.join(reasons)}") from None
