"""The shop's address and secrets, where connections of Airflow hold them."""

import os
from urllib.parse import urlsplit

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException


def _connection(name: str) -> Connection | None:
    """The connection by that name, if there is one."""
    try:
        return Connection.get(name)
    except AirflowNotFoundException:
        return None


def _address(shop: Connection) -> str | None:
    """The address of a shop's connection, whose host may hold a scheme and a path."""
    if not shop.host:
        return None
    parts = urlsplit(shop.host if "://" in shop.host else f"{shop.schema or 'http'}://{shop.host}")
    port = f":{shop.port}" if shop.port and not parts.port else ""
    return parts._replace(netloc=f"{parts.netloc}{port}").geturl()


def take_secrets() -> None:
    """Lets this task's settings be what Airflow's connections say of the shop and of its database."""
    from sqlalchemy import URL

    found: dict[str, str | None] = {}
    if shop := _connection("nightshelf_shop"):
        found |= {"SHOP_USER": shop.login, "SHOP_PASSWORD": shop.password, "SHOP_URL": _address(shop)}
    if database := _connection("nightshelf_sql"):
        kind = "postgresql+psycopg" if database.conn_type.startswith("postgres") else database.conn_type
        place = (database.login, database.password, database.host, database.port, database.schema)
        found["SQL_URL"] = URL.create(kind, *place).render_as_string(hide_password=False)
    os.environ |= {f"NIGHTSHELF_{name}": value for name, value in found.items() if value}
