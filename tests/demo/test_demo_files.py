"""The files of a large demo shop contain what its API lists."""

import datetime as dt
import re
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.demo import files
from pipelines.demo.dirt import PLACEHOLDER_PHONES, Dirt
from pipelines.demo.shop import Shop
from pipelines.extract.files import FileSource
from pipelines.extract.pulls import pull
from pipelines.run.progress import silent

SHOP = Shop(start=dt.date(2026, 9, 1), customers=5000, products=3000, orders_per_day=1000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop") / "lines"
    days = [len(day.order) for day in islice(SHOP.days(), 3)]
    assert files.write(SHOP, sum(days[:2]) + 1, folder) == sum(days)
    return folder


def digits(phone: str | None) -> str | None:
    """The digits of a phone number in any format."""
    return phone and re.sub(r"\D", "", phone)


def test_writes_a_file_per_day(folder: Path) -> None:
    assert sorted(file.name for file in folder.iterdir()) == [f"2026-09-0{day}.parquet" for day in (1, 2, 3)]


def test_the_lines_are_those_of_the_api_without_duplicates(folder: Path) -> None:
    dirt, products = Dirt(SHOP), {product.id: product for product in SHOP.catalogue}
    placeholders = {digits(phone) for phone in PLACEHOLDER_PHONES}
    for day in islice(SHOP.days(), 3):
        listed = {order["id"]: order for order in dirt.listing(day).orders}
        expected = [
            (
                order["id"],
                dt.datetime.fromisoformat(order["createdAt"]).replace(tzinfo=None),
                "placeholder" if digits(order["clientTel"]) in placeholders else digits(order["clientTel"]),
                order["region"],
                line["quantity"],
                line["price"],
                line["goodsId"],
                products[line["goodsId"]].name,
                products[line["goodsId"]].category,
                products[line["goodsId"]].brand,
            )
            for order in sorted(listed.values(), key=lambda order: order["id"])
            for line in order["basket"]
        ]
        rows = pq.read_table(folder / f"2026-09-0{day.number + 1}.parquet").to_pylist()
        for row in rows:
            row["customer"] = "placeholder" if digits(row["customer"]) in placeholders else row["customer"]
        assert [tuple(row.values()) for row in rows] == expected


@pytest.mark.usefixtures("home")
def test_the_shipped_mapping_reads_the_files(folder: Path) -> None:
    source = FileSource(str(folder), "nightshelf")
    written = sum(pq.read_metadata(file).num_rows for file in folder.iterdir())
    assert pull(source, dt.date(2026, 9, 3), False, silent)["new_order_lines"] == written
