"""Every setting of Nightshelf: typed, from the environment (NIGHTSHELF_*) or the file `.env`."""

import datetime as dt
import secrets
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from pipelines.choices import Solver, SourceName
from serving.live.identity import IdentityRule, known_country
from serving.settings import ScheduleSettings, home, read

DEMO_DAYS = 60
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, never bound


class Settings(ScheduleSettings):
    """All settings; `nightshelf config` prints them, docs/settings.md lists them."""

    lake: str = Field("", description="folder or URL (s3://bucket/folder) of the tables; empty: HOME/lake")
    source: SourceName = Field(
        "shop-api", description="where orders come from: shop-api, files, sql or mongo"
    )
    overlap_days: int = Field(
        7,
        ge=1,
        description="days before the last known day that a nightly run reads again, for late orders",
    )
    solver: Solver = Field("auto", description="ALS solver: auto, implicit (one machine) or spark")
    sweep: str = Field("default", description="name of a search space in pipelines/sweep/sweep.toml")
    exclude: str = Field(
        "",
        description="TOML file of products that are never recommended; empty: pipelines/prepare/exclude.toml",
    )

    shop_url: str = Field(
        "", description="address of the shop's API; empty: the demo shop at HOST and SHOP_PORT"
    )
    shop_profile: str = Field(
        "ecom",
        description="profile of the shop's API: a shipped name (ecom, woocommerce, shopify, magento,"
        " bigcommerce, prestashop, medusa, vendure) or a TOML file",
    )
    shop_user: str = Field("nightshelf", pattern="^[^:]*$", description="user name for the shop's API")
    shop_password: SecretStr = Field(SecretStr(""), description="password for the shop's API (secret)")
    shop_token: SecretStr = Field(
        SecretStr(""), description="access token or key for the shop's API, if its profile uses one (secret)"
    )
    shop_since: str = Field(
        "",
        description="query parameter of the shop's API that lists orders since a time; empty: it has none",
    )
    shop_country: str = Field(
        "",
        description="country of telephone numbers without a country code in the shop's API, such as DE",
    )
    shop_guests: bool = Field(False, description="whether the shop's API has valid orders of guests")
    shop_nobody: str = Field(
        "",
        description="customer ids of the shop's API that stand for nobody, separated by commas",
    )
    shop_concurrency: int = Field(8, ge=1, description="pages of the shop's API requested at once")
    shop_rate: float = Field(50.0, gt=0, description="requests per second to the shop's API, at most")
    shop_page_size: int = Field(100, ge=1, description="orders per page of the shop's API")
    shop_timeout: float = Field(30.0, gt=0, description="timeout of a request for a page, in seconds")
    shop_tries: int = Field(5, ge=1, description="attempts per page before the run fails")
    shop_backoff: float = Field(
        0.5, ge=0, description="seconds before the second attempt; doubled for each further attempt"
    )

    shop_response_mb: int = Field(
        64, ge=1, description="size of the largest response accepted from the shop's API, in MiB"
    )

    files_path: str = Field("", description="file or folder that source `files` reads")
    files_mapping: str = Field(
        "", description="column mapping of source `files`: a shipped name or a TOML file"
    )

    sql_url: SecretStr = Field(
        SecretStr(""),
        description="URL of the database that source `sql` reads: postgresql://..., mysql://... (secret)",
    )
    sql_mapping: str = Field("", description="TOML file of source `sql`: its query and its columns")

    mongo_url: SecretStr = Field(
        SecretStr(""), description="URL of the MongoDB that source `mongo` reads: mongodb://... (secret)"
    )
    mongo_mapping: str = Field("", description="TOML file of source `mongo`: its collection and its columns")

    duckdb_memory: str = Field(
        "2GB", description="memory in which DuckDB computes the tables; what doesn't fit goes to disk"
    )
    spark_master: str = Field(
        "",
        description="Spark master, or a Spark Connect address (sc://host:15002), that computes the tables;"
        " empty: DuckDB on this machine",
    )
    spark_memory: str = Field("2g", description="memory of Spark's driver")
    spark_executor_memory: str = Field("1g", description="memory of each executor of a Spark cluster")
    spark_cores: int = Field(2, ge=1, description="most cores of a Spark cluster that a step uses")
    quarantine_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="share of new order lines that may fail a row check; above it the run is rejected",
    )

    calendar: str = Field(
        "", description="TOML file of the days on which the shop is closed or has a sale; empty: none"
    )

    shop_port: int = Field(8090, description="port of the demo shop")
    mlflow_port: int = Field(5000, description="port of the MLflow server")
    mlflow_page: str = Field(
        "",
        description="address of MLflow in a browser, for links; empty: MLFLOW_URI, or its port",
    )
    airflow_port: int = Field(8080, description="port of Airflow's API server and UI")
    airflow_password: SecretStr = Field(
        SecretStr(""), description="password of Airflow's user admin (secret)"
    )
    airflow_jwt_secret: SecretStr = Field(
        SecretStr(""), description="secret shared by Airflow's components (secret)"
    )
    service_url: str = Field(
        "",
        description="address of the service that the night report reads; empty: HOST and SERVING_PORT",
    )
    service_key: SecretStr = Field(
        SecretStr(""),
        description="API key that the night report reads the service with, if it has keys (secret)",
    )
    database_port: int = Field(5433, description="port of the cluster's PostgreSQL")
    database_password: SecretStr = Field(
        SecretStr(""), description="password of the cluster's PostgreSQL (secret)"
    )
    spark_port: int = Field(7077, description="port of the cluster's Spark master")
    spark_ui_port: int = Field(8081, description="port of the Spark master's page")
    replica_1_port: int = Field(3001, description="port of the service's first replica in the cluster")
    replica_2_port: int = Field(3002, description="port of the service's second replica in the cluster")
    proxy_stats_port: int = Field(8404, description="port of the statistics page of the cluster's proxy")
    demo_start: dt.date | None = Field(None, description="first day of the demo shop; empty: 60 days ago")

    @field_validator("shop_url")
    @classmethod
    def _plain_address(cls, url: str) -> str:
        """Rejects a URL with credentials, since messages quote it."""
        if not url:
            return url
        parts = urlsplit(url)
        extra = "@" in parts.netloc or parts.query or parts.fragment  # parts that could hold a secret
        good_host = parts.hostname and ".." not in parts.hostname and parts.port != 0
        if parts.scheme not in ("http", "https") or extra or not good_host:
            raise ValueError(
                "write it as http://shop.example:8090; user and password are settings of their own"
            )
        return url

    @field_validator("shop_token")
    @classmethod
    def _one_word(cls, token: SecretStr) -> SecretStr:
        """Rejects what can't be sent in a header; drops the line break of a token read from a file."""
        text = token.get_secret_value().strip()
        if not (text.isascii() and text.isprintable()):
            raise ValueError("write the token as the shop shows it, in letters, digits and signs")
        return SecretStr(text)

    @field_validator("shop_country")
    @classmethod
    def _known_country(cls, country: str) -> str:
        return known_country(country)

    @field_validator("lake")
    @classmethod
    def _plain_lake(cls, url: str) -> str:
        """Rejects a URL with credentials, since messages and MLflow quote it."""
        if "@" in urlsplit(url).netloc:
            raise ValueError("write it as s3://bucket/folder; credentials are AWS_* variables")
        return url

    @field_validator("spark_master")
    @classmethod
    def _plain_master(cls, url: str) -> str:
        """Rejects a URL with a token, since messages quote it."""
        if "token=" in url:
            raise ValueError("write it without its token, which is SPARK_CONNECT_AUTHENTICATE_TOKEN")
        return url

    @property
    def lake_url(self) -> str:
        """Folder or URL of the tables."""
        return self.lake or str(self.home / "lake")

    @property
    def fits(self) -> Path:
        """Folder of the fits that a nightly run's steps share."""
        return self.state / "fits"

    @property
    def shop_address(self) -> str:
        """Address of the shop's API."""
        return self.shop_url or address(self, self.shop_port)

    def mapping_of(self, source: str) -> str:
        """Returns the name or path of a source's mapping; `shop-api` uses none."""
        return {"sql": self.sql_mapping, "mongo": self.mongo_mapping}.get(source, self.files_mapping)

    @property
    def shop_identity(self) -> IdentityRule:
        """What the customer ids of the shop's API are."""
        nobody = tuple(filter(None, map(str.strip, self.shop_nobody.split(","))))
        return IdentityRule(country=self.shop_country, nobody=nobody)

    @property
    def is_demo_shop(self) -> bool:
        """Whether the shop is the demo shop of this machine."""
        return self.shop_address == address(self, self.shop_port)


def address(settings: Settings, port: int) -> str:
    """Returns the URL by which this machine reaches one of its own ports."""
    host = "127.0.0.1" if settings.host in EVERYWHERE else settings.host
    return f"http://{host}:{port}"


@cache
def settings() -> Settings:
    """Returns the settings of this process, read once; raises NightshelfError naming each invalid setting."""
    return read(Settings)


def customer_key() -> str:
    """Returns the key that turns customer ids into pseudonyms; raises NightshelfError if it is not set."""
    return settings().require_customer_key()


def write_env() -> bool:
    """Writes HOME/.env with new secrets, unless it exists; returns whether it was written."""
    path = home() / ".env"
    if path.exists():
        return False
    lines = {name: secrets.token_urlsafe(48) for name in ("CUSTOMER_KEY", "AIRFLOW_JWT_SECRET")}
    lines["DATABASE_PASSWORD"] = secrets.token_urlsafe(24)
    lines |= {name: secrets.token_urlsafe(9) for name in ("SHOP_PASSWORD", "AIRFLOW_PASSWORD")}
    lines["DEMO_START"] = str(dt.datetime.now(dt.UTC).date() - dt.timedelta(days=DEMO_DAYS))
    text = "# Written once; keep it: with a new CUSTOMER_KEY no known customer is recognised.\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text + "".join(f"NIGHTSHELF_{key}={value}\n" for key, value in lines.items()))
    settings.cache_clear()
    return True
