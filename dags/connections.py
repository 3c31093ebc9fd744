"""The addresses and credentials of the shop and its databases, from Airflow's connections."""

import os
from urllib.parse import quote, urlsplit

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException


def _connection(name: str) -> Connection | None:
    """Returns the connection of that name, or None."""
    try:
        connection: Connection = Connection.get(name)
    except AirflowNotFoundException:
        return None
    return connection


def _address(shop: Connection) -> str | None:
    """Returns the URL of a shop's connection, whose host may hold scheme and path; None without a host."""
    if not shop.host:
        return None
    parts = urlsplit(shop.host if "://" in shop.host else f"{shop.schema or 'http'}://{shop.host}")
    port = f":{shop.port}" if shop.port and not parts.port else ""
    return parts._replace(netloc=f"{parts.netloc}{port}").geturl()


def _database_url(database: Connection) -> str:
    """Returns the SQLAlchemy URL of a database's connection, including the password."""
    from sqlalchemy import URL

    kind = database.conn_type or "postgres"
    driver = "postgresql+psycopg" if kind.startswith("postgres") else kind
    parts = (database.login, database.password, database.host, database.port, database.schema)
    return URL.create(driver, *parts).render_as_string(hide_password=False)


def _mongo_url(mongo: Connection) -> str:
    """Returns the URL of a MongoDB's connection with its password; `srv` in the extra selects mongodb+srv."""
    scheme = "mongodb+srv" if mongo.extra_dejson.get("srv") else "mongodb"
    user = ":".join(quote(part, safe="") for part in (mongo.login, mongo.password) if part)
    port = f":{mongo.port}" if mongo.port and scheme == "mongodb" else ""
    return f"{scheme}://{user}{'@' if user else ''}{mongo.host}{port}/{mongo.schema or ''}"


def apply_connections() -> None:
    """Overrides this process's settings with Airflow's connections to the shop and its databases."""
    settings: dict[str, str | None] = {}
    if shop := _connection("nightshelf_shop"):
        settings |= {"SHOP_USER": shop.login, "SHOP_PASSWORD": shop.password, "SHOP_URL": _address(shop)}
    if database := _connection("nightshelf_sql"):
        settings["SQL_URL"] = _database_url(database)
    if mongo := _connection("nightshelf_mongo"):
        settings["MONGO_URL"] = _mongo_url(mongo)
    os.environ |= {f"NIGHTSHELF_{name}": value for name, value in settings.items() if value}
