"""One known set of orders in 60 drawn dialects of delimited text: each is read exactly, or refused."""

import datetime as dt
import json
import random
from collections import Counter

import dialects
import pyarrow as pa

from pipelines import columns as c
from pipelines.extract.files import file_lines
from pipelines.extract.join import JoinedFiles
from pipelines.extract.mapping import load_mapping
from pipelines.extract.readers.documents import Document
from serving.errors import NightshelfError

DIALECTS = 60


def mapping(path, stated):
    top = "".join(f"{key} = {value!r}\n" for key, value in stated.items() if key == "decimal")
    top += f"times = [{stated['times']!r}]\n" if "times" in stated else ""
    file = "".join(
        f"{key} = {json.dumps(value)}\n" for key, value in stated.items() if key in ("encoding", "delimiter")
    )
    path.write_text(
        f"{top}[file]\n{file}[columns]\n"
        'order_id = "Order No"\nordered_at = "Ordered at"\ncustomer = "Customer"\nproduct = "SKU"\n'
        'quantity = "Qty"\nunit_price = "Price"\nname = "Title"\n'
    )
    return load_mapping(str(path))


def read(path, mapping):
    tables = list(file_lines(Document(path.name, path), JoinedFiles(mapping, path)))
    return pa.concat_tables(tables, promote_options="default").to_pylist()


def differences(rows, expected, date):
    """Returns the columns in which rows that can be read differ from the orders."""
    if len(rows) != len(expected):
        return {"rows"}
    return {name for row, order in zip(rows, expected, strict=True) for name in _differing(row, order, date)}


def _differing(row, order, date):
    number, at, customer, product, quantity, price, name, _ = order
    has_clock = "%H" in date or "%I" in date or date in ("seconds", "milliseconds")
    shown = at if "%S" in date or ("s" in date[-7:] and has_clock) else at.replace(second=0)
    shown = shown if has_clock else dt.datetime.combine(at.date(), dt.time())
    read_at = dt.datetime.fromisoformat(row[c.ORDERED_AT].removesuffix("Z"))
    same = {
        c.ORDER_ID: row[c.ORDER_ID] == number,
        c.ORDERED_AT: read_at == shown,
        c.CUSTOMER: row[c.CUSTOMER] == customer,
        c.PRODUCT: row[c.PRODUCT] == product,
        c.QUANTITY: float(row[c.QUANTITY]) == quantity,
        c.UNIT_PRICE: float(row[c.UNIT_PRICE]) == price,
        c.NAME: row[c.NAME] == name,
        c.FAULT: row.get(c.FAULT) is None,
    }
    return [name for name, is_same in same.items() if not is_same]


def test_each_of_60_drawn_dialects_is_read_exactly_or_refused(tmp_path, seed):
    rng = random.Random(seed)
    outcomes = Counter()
    for index in range(DIALECTS):
        drawn = dialects.draw(rng)
        orders = dialects.orders(rng, rng.choice([40, 400]))
        path = tmp_path / f"orders{index}.csv"
        path.write_bytes(dialects.written(orders, drawn))
        try:
            rows = read(path, mapping(tmp_path / "map.toml", drawn.stated))
            wrong = differences(rows, orders, drawn.date)
        except NightshelfError as error:
            outcomes["refused"] += 1
            print(f"{index} refused: {error}")
            continue
        assert not wrong, (wrong, drawn)
        outcomes["exact"] += 1
    print(dict(outcomes))
    assert outcomes["exact"] >= DIALECTS * 0.7
