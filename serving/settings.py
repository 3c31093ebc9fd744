"""What the service is told from outside, by environment variables named NIGHTSHELF_*."""

import os
from pathlib import Path
from typing import TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.errors import NightshelfError

PROJECT = Path(__file__).resolve().parents[1]


def home() -> Path:
    """The folder of NIGHTSHELF_HOME, else the project's own."""
    return Path(os.environ.get("NIGHTSHELF_HOME") or PROJECT)


class ServingSettings(BaseSettings):
    """The part of the settings that answering over HTTP needs."""

    model_config = SettingsConfigDict(
        env_prefix="NIGHTSHELF_", extra="ignore", frozen=True, env_ignore_empty=True
    )

    home: Path = Field(
        default_factory=home, description="folder under which everything that is written lives"
    )
    host: str = Field("127.0.0.1", description="address that every server listens on")
    serving_port: int = Field(3000, description="port of the BentoML service")
    mlflow_uri: str = Field(
        "", description="MLflow tracking address; empty: the database in HOME/mlruns, without a server"
    )
    model_name: str = Field("nightshelf", description="registered model that is trained and served")
    follow_seconds: float = Field(2.0, gt=0, description="how often the service looks for a new champion")
    per_category: int = Field(
        0,
        ge=0,
        description="products of one category in an answer, at most, as long as there are others; 0: any",
    )
    workers: int = Field(1, ge=1, description="processes that answer, sharing one bundle's memory")
    keys_file: str = Field("", description="file of the service's API keys, as hashes; empty: HOME/keys")
    rate_limit: float = Field(
        0.0,
        ge=0,
        description="requests per second that a key may make of a worker, a second's worth at once; 0: any",
    )
    body_limit: int = Field(1_000_000, ge=1, description="bytes that a request's body may have")
    cors_origins: str = Field(
        "", description="origins whose pages a browser may let ask, separated by commas; empty: none"
    )
    access_log: bool = Field(True, description="whether each request is a line of JSON on standard output")
    trace_url: str = Field(
        "", description="address that traces are sent to by OTLP over HTTP, with its path; empty: none"
    )
    trace_share: float = Field(1.0, ge=0, le=1, description="share of the requests that are traced")
    store_url: SecretStr = Field(
        SecretStr(""),
        description="SQLAlchemy URL of the database of changes and events; empty: a file in HOME (secret)",
    )
    purchase_weight: float = Field(
        1.0, gt=0, description="what an event `purchase` adds to a taste, in orders"
    )
    cart_weight: float = Field(0.5, ge=0, description="what an event `cart` adds to a taste, in orders")
    view_weight: float = Field(0.1, ge=0, description="what an event `view` adds to a taste, in orders")
    shop_rules: str = Field(
        "", description="TOML file of what is pinned, boosted, buried or excluded in answers; empty: nothing"
    )
    customer_key: SecretStr = Field(
        SecretStr(""), description="secret that turns customer ids into pseudonyms (secret)"
    )

    @property
    def tracking_uri(self) -> str:
        """The MLflow address in use."""
        return self.mlflow_uri or f"sqlite:///{self.home / 'mlruns' / 'mlflow.db'}"

    @property
    def keys_path(self) -> Path:
        """The file of the API keys."""
        return Path(self.keys_file) if self.keys_file else self.home / "keys"

    @property
    def nights(self) -> Path:
        """Folder of the night reports."""
        return self.home / "nights"

    @property
    def state(self) -> Path:
        """Folder of everything that can be made anew: caches, logs, Airflow's home."""
        return self.home / ".nightshelf"

    @property
    def store_address(self) -> str:
        """The SQLAlchemy URL of the store in use."""
        return self.store_url.get_secret_value() or f"sqlite:///{self.state / 'store.db'}"

    def require_customer_key(self) -> str:
        """The secret behind the pseudonyms; raises NightshelfError where it isn't set."""
        if not (key := self.customer_key.get_secret_value()):
            raise NightshelfError(
                "NIGHTSHELF_CUSTOMER_KEY is not set: "
                "set it, or let `nightshelf init` write a .env with secrets"
            )
        return key


S = TypeVar("S", bound=ServingSettings)


def read(kind: type[S]) -> S:
    """The settings of the environment and of HOME/.env; raises NightshelfError naming each wrong one."""
    try:
        return kind(_env_file=home() / ".env")
    except ValidationError as error:
        wrong = "; ".join(f"NIGHTSHELF_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise NightshelfError(f"wrong settings: {wrong}") from None
