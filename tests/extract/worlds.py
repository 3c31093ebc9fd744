"""Small shops whose orders a test knows, behind every kind of source."""

import csv
import gzip
import os
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from pipelines import columns as c
from pipelines import extract
from pipelines.extract import raw
from pipelines.settings import settings

COLUMNS = ["order_no", "at", "client", "sku", "n", "price", "title", "written"]
MAPPING = """
[columns]
order_id = "order_no"
ordered_at = "at"
customer = "client"
product = "sku"
quantity = "n"
unit_price = "price"
name = "title"
"""
SQL = """
[sql]
lines = "SELECT * FROM order_lines"
changed = "written"
"""


def order(number, day, lines=2, hour=10):
    """An order of September 2026; which products are in it tells its number and its lines."""
    return {
        "id": str(number),
        "at": f"2026-09-{day:02}T{hour:02}:00:00Z",
        "client": f"7916{number:07}",
        "lines": [(f"P{number % 7}{place}", 1 + place, 9.5) for place in range(lines)],
    }


@dataclass
class World:
    """The orders that a source should give; `write` shows them to it as a night finds them."""

    orders: dict[str, dict] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    clock: int = 0

    def put(self, *orders):
        """Adds orders, or changes those that are there."""
        self.clock += 1
        for one in orders:
            self.orders[one["id"]] = one
            self.written[one["id"]] = self.clock

    def rows(self, since=0):
        """The lines of the orders written after a moment, in the order of their time."""
        for one in sorted(self.orders.values(), key=lambda one: (one["at"], int(one["id"]))):
            if self.written[one["id"]] > since:
                for sku, n, price in one["lines"]:
                    title = f"Product {sku}"
                    yield [one["id"], one["at"], one["client"], sku, n, price, title, self.written[one["id"]]]

    def truth(self, until="9999"):
        """What raw/ should say."""
        return sorted(
            (one["id"], one["at"], one["client"], sku, str(n), str(float(price)))
            for one in self.orders.values()
            if one["at"][:10] <= until
            for sku, n, price in one["lines"]
        )


class ShopWorld(World):
    """A shop's API with four orders on a page; it notes which pages it was asked for."""

    asked: list[int]

    def serve(self, serve, monkeypatch, filtered=False):
        self.asked = []
        app = Starlette(routes=[Route("/orders", self._orders), Route("/goods", self._goods)])
        told = {"URL": serve(app), "PAGE_SIZE": 4, "CONCURRENCY": 2, "RATE": 10_000, "BACKOFF": 0}
        for name, value in (told | ({"SINCE": "since"} if filtered else {})).items():
            monkeypatch.setenv(f"NIGHTSHELF_SHOP_{name}", str(value))
        settings.cache_clear()
        return self

    def source(self):
        return extract.source("shop-api", "", "")

    def write(self):
        pass

    def listed(self):
        return sorted(self.orders.values(), key=lambda one: (one["at"], int(one["id"])))

    async def _orders(self, request):
        page, size = int(request.query_params["page"]), int(request.query_params["per-page"])
        since = request.query_params.get("since", "")
        listed = [one for one in self.listed() if one["at"] >= since]
        self.asked.append(page)
        shown = [
            {
                "id": int(one["id"]),
                "createdAt": one["at"],
                "clientTel": one["client"],
                "basket": [{"goodsId": sku, "quantity": n, "price": price} for sku, n, price in one["lines"]],
            }
            for one in listed[(page - 1) * size : page * size]
        ]
        return JSONResponse({"orders": shown, "pageCount": -(-len(listed) // size)})

    async def _goods(self, _):
        return JSONResponse({"goods": [{"id": "P00", "name": "Product P00"}], "pageCount": 1})


class FilesWorld(World):
    """A folder that gets a packed CSV file with what was written since the last one."""

    def at(self, folder: Path):
        self.folder, self.shown = folder / "orders", 0
        self.folder.mkdir()
        (folder / "world.toml").write_text(MAPPING)
        self.mapping = str(folder / "world.toml")
        return self

    def source(self):
        return extract.source("files", str(self.folder), self.mapping)

    def write(self):
        rows = list(self.rows(self.shown))
        self.shown = self.clock
        if rows:
            with gzip.open(self.folder / f"{self.clock:04}.csv.gz", "wt", newline="") as file:
                csv.writer(file).writerows([COLUMNS, *rows])


class SqlWorld(World):
    """A table of a database, written anew for each night."""

    def at(self, folder: Path, url: str, monkeypatch):
        (folder / "world.toml").write_text(MAPPING + SQL)
        self.mapping, self.engine = str(folder / "world.toml"), sa.create_engine(url, poolclass=sa.NullPool)
        types = [sa.Integer, sa.String, sa.String, sa.String, sa.Integer, sa.Float, sa.String, sa.Integer]
        columns = [sa.Column(name, kind) for name, kind in zip(COLUMNS, types, strict=True)]
        self.table = sa.Table("order_lines", sa.MetaData(), *columns)
        monkeypatch.setenv("NIGHTSHELF_SQL_URL", url)
        settings.cache_clear()
        return self

    def source(self):
        return extract.source("sql", "", self.mapping)

    def write(self):
        with self.engine.begin() as connection:
            self.table.drop(connection, checkfirst=True)
            self.table.create(connection)
            rows = [dict(zip(COLUMNS, row, strict=True)) | {"order_no": int(row[0])} for row in self.rows()]
            connection.execute(self.table.insert(), rows)


def received(source, until="9999"):
    """The lines that raw/ holds of a source: of each order the newest version, up to a day."""
    names = [c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE]
    rows = raw.newest_versions(
        raw.read(raw.pulls(source.name), [*names, c.LINE, c.SOURCE, *raw.VERSION]).to_pandas()
    )
    rows = rows.drop_duplicates([c.ORDER_ID, c.LINE])[names]
    rows[c.UNIT_PRICE] = rows[c.UNIT_PRICE].astype(float).astype(str)
    return sorted(tuple(row) for row in rows.itertuples(index=False) if row[1][:10] <= until)


def environment():
    """The settings of this process, for a process of its own."""
    return {name: value for name, value in os.environ.items() if name.startswith("NIGHTSHELF_")}
