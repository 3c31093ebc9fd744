"""Small shops with known orders, for every kind of source."""

import csv
import gzip
import os
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from databases import driver
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from pipelines import columns as c
from pipelines import extract
from pipelines.extract import raw, versions
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
    """Returns an order of September 2026, whose products depend on its number and number of lines."""
    return {
        "id": str(number),
        "at": f"2026-09-{day:02}T{hour:02}:00:00Z",
        "client": f"7916{number:07}",
        "lines": [(f"P{number % 7}{line}", 1 + line, 9.5) for line in range(lines)],
    }


@dataclass
class World:
    """The orders that a source should return; `write` makes their present state visible to the source."""

    orders: dict[str, dict] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    clock: int = 0

    def put(self, *orders):
        """Adds orders, or replaces those with the same id."""
        self.clock += 1
        for order in orders:
            self.orders[order["id"]] = order
            self.written[order["id"]] = self.clock

    def rows(self, since=0):
        """Yields the lines of the orders written after a moment, by the time of the order."""
        for order in self.listed():
            written = self.written[order["id"]]
            if written > since:
                for sku, n, price in order["lines"]:
                    yield [
                        order["id"],
                        order["at"],
                        order["client"],
                        sku,
                        n,
                        price,
                        f"Product {sku}",
                        written,
                    ]

    def truth(self, until="9999"):
        """Returns the lines that raw/ should hold, of orders up to a day."""
        return sorted(
            (order["id"], order["at"], order["client"], sku, str(n), str(float(price)))
            for order in self.orders.values()
            if order["at"][:10] <= until
            for sku, n, price in order["lines"]
        )

    def listed(self):
        """Returns the orders by time and id."""
        return sorted(self.orders.values(), key=lambda order: (order["at"], int(order["id"])))


class ShopWorld(World):
    """A shop's API with four orders per page, which records the requested pages."""

    requested: list[int]

    def serve(self, serve, monkeypatch, filtered=False):
        self.requested = []
        app = Starlette(routes=[Route("/orders", self._orders), Route("/goods", self._goods)])
        values = {"URL": serve(app), "PAGE_SIZE": 4, "CONCURRENCY": 2, "RATE": 10_000, "BACKOFF": 0}
        for name, value in (values | ({"SINCE": "since"} if filtered else {})).items():
            monkeypatch.setenv(f"NIGHTSHELF_SHOP_{name}", str(value))
        settings.cache_clear()
        return self

    def source(self):
        return extract.source("shop-api", "", "")

    def write(self):
        pass

    async def _orders(self, request):
        page, size = int(request.query_params["page"]), int(request.query_params["per-page"])
        since = request.query_params.get("since", "")
        listed = [order for order in self.listed() if order["at"] >= since]
        self.requested.append(page)
        shown = [
            {
                "id": int(order["id"]),
                "createdAt": order["at"],
                "clientTel": order["client"],
                "basket": [
                    {"goodsId": sku, "quantity": n, "price": price} for sku, n, price in order["lines"]
                ],
            }
            for order in listed[(page - 1) * size : page * size]
        ]
        return JSONResponse({"orders": shown, "pageCount": -(-len(listed) // size)})

    async def _goods(self, _):
        return JSONResponse({"goods": [{"id": "P00", "name": "Product P00"}], "pageCount": 1})


class FilesWorld(World):
    """A folder; each `write` adds a compressed CSV file with the orders written since the last file."""

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
    """A database table, which each `write` creates again."""

    def at(self, folder: Path, url: str, monkeypatch):
        (folder / "world.toml").write_text(MAPPING + SQL)
        self.mapping = str(folder / "world.toml")
        self.engine = sa.create_engine(driver(url), poolclass=sa.NullPool)
        text = sa.String(100)
        types = [sa.Integer, text, text, text, sa.Integer, sa.Float, text, sa.Integer]
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
    """Returns the lines of each order's newest version in raw/, of orders up to a day."""
    names = [c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE]
    rows = versions.newest_versions(
        raw.read(raw.pulls(source.name), [*names, c.LINE, c.SOURCE, *raw.VERSION]).to_pandas()
    )
    rows = rows.drop_duplicates([c.ORDER_ID, c.LINE])[names]
    rows[c.UNIT_PRICE] = rows[c.UNIT_PRICE].astype(float).astype(str)
    return sorted(tuple(row) for row in rows.itertuples(index=False) if row[1][:10] <= until)


def environment():
    """Returns the settings of this process, for a child process."""
    return {name: value for name, value in os.environ.items() if name.startswith("NIGHTSHELF_")}
