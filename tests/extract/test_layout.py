"""JSON documents of every shape, fields on an order's first row only, and lines packed into a cell."""

import json

import pyarrow as pa
import pytest

from pipelines import columns as c
from pipelines.extract.files import file_lines
from pipelines.extract.join import JoinedFiles
from pipelines.extract.mapping import Mapping
from pipelines.extract.packed import items
from pipelines.extract.readers.documents import Document
from serving.errors import NightshelfError

ORDERS = [
    {
        "id": number,
        "at": "2026-01-31T10:00:00",
        "billing": {"email": f"c{number}@shop.example"},
        "status": "cancelled" if number == 2 else "completed",
        "lines": [{"sku": f"P{line}", "n": line, "price": "29.100"} for line in range(1, number + 1)],
    }
    for number in (1, 2, 3)
]
NESTED = {
    "nested": {"lines": "lines"},
    "columns": {
        c.ORDER_ID: "id",
        c.ORDERED_AT: "at",
        c.CUSTOMER: "billing.email",
        c.PRODUCT: "lines.sku",
        c.QUANTITY: "lines.n",
        c.UNIT_PRICE: "lines.price",
    },
    "leave_out": [{"reason": "cancelled", "column": "status", "values": ["Cancelled "]}],
}


def read(path, text, mapping):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    tables = file_lines(Document(path.name, path), JoinedFiles(Mapping.model_validate(mapping), path))
    return pa.concat_tables(tables, promote_options="default")


SHAPES = {
    "array.json": json.dumps(ORDERS),
    "pretty.json": json.dumps(ORDERS, indent=2),
    "lines.json": "\n".join(map(json.dumps, ORDERS)),
    "lines.ndjson": "\n\n".join(map(json.dumps, ORDERS)) + "\n",
    "wrapped.json": json.dumps({"meta": {"warnings": [{"id": 1}]}, "orders": ORDERS, "count": 3}),
    "deep.json": json.dumps({"data": {"shop": {"orders": ORDERS}}}, indent=1),
    "concatenated.json": "\n".join(json.dumps(order, indent=1) for order in ORDERS),
    "mark.json": b"\xef\xbb\xbf" + json.dumps(ORDERS).encode(),
    "utf16.json": json.dumps(ORDERS).encode("utf-16"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_json_of_every_shape_yields_the_nested_lines(tmp_path, name):
    rows = read(tmp_path / name, SHAPES[name], NESTED)
    assert rows[c.ORDER_ID].to_pylist() == ["1", "2", "2", "3", "3", "3"]
    assert rows[c.PRODUCT].to_pylist() == ["P1", "P1", "P2", "P1", "P2", "P3"]
    assert set(rows[c.UNIT_PRICE].to_pylist()) == {"29.100"}
    assert rows[c.LEFT_OUT].to_pylist() == [None, "cancelled", "cancelled", None, None, None]


def test_a_single_order_and_an_empty_list_are_read(tmp_path):
    assert read(tmp_path / "one.json", json.dumps(ORDERS[2], indent=2), NESTED).num_rows == 3
    assert read(tmp_path / "line.json", json.dumps(ORDERS[2]), NESTED).num_rows == 3
    for text in ("[]", '{"orders": []}'):
        assert sum(table.num_rows for table in _tables(tmp_path / "none.json", text)) == 0


def _tables(path, text):
    path.write_text(text)
    return list(file_lines(Document(path.name, path), JoinedFiles(Mapping.model_validate(NESTED), path)))


def test_the_path_of_the_orders_can_be_stated(tmp_path):
    text = json.dumps({"old": ORDERS[:1], "new": {"orders": ORDERS[1:]}})
    rows = read(tmp_path / "orders.json", text, NESTED | {"file": {"records": "new.orders"}})
    assert set(rows[c.ORDER_ID].to_pylist()) == {"2", "3"}


@pytest.mark.parametrize("cut", [10, 200, -1])
def test_a_document_that_is_cut_off_is_one_clear_error(tmp_path, cut):
    with pytest.raises(NightshelfError, match=r"orders\.json"):
        read(tmp_path / "orders.json", json.dumps(ORDERS)[:cut], NESTED)


def test_a_missing_key_is_named_with_the_nearest(tmp_path):
    columns = NESTED["columns"] | {c.ORDERED_AT: "att"}
    for name in ("orders.json", "orders.jsonl"):
        text = json.dumps(ORDERS) if name.endswith("json") else "\n".join(map(json.dumps, ORDERS))
        with pytest.raises(NightshelfError, match=f"{name} has no column 'att'; .*'at'"):
            read(tmp_path / name, text, NESTED | {"columns": columns})


FILLED = {
    "file": {"fill_down": True},
    "columns": {
        c.ORDER_ID: "id",
        c.ORDERED_AT: "at",
        c.CUSTOMER: "who",
        c.PRODUCT: "sku",
        c.QUANTITY: "n",
        c.NAME: "title",
    },
    "leave_out": [{"reason": "unpaid", "column": "status", "other_than": ["paid"]}],
}
HEADER = "id,at,who,status,sku,n,title\n"


def test_order_fields_go_down_within_their_order_only(tmp_path):
    text = HEADER + "1,2026-01-31,a,paid,A,1,Tea\n1,,,,B,2,\n2,2026-02-01,,open,A,1,\n2,,,,C,1,Cup\n"
    rows = read(tmp_path / "orders.csv", text, FILLED)
    assert rows[c.ORDERED_AT].to_pylist() == ["2026-01-31"] * 2 + ["2026-02-01"] * 2
    assert rows[c.CUSTOMER].to_pylist() == ["a", "a", None, None]
    assert rows[c.NAME].to_pylist() == ["Tea", None, None, "Cup"]
    assert rows[c.LEFT_OUT].to_pylist() == [None, None, "unpaid", "unpaid"]


def test_a_rule_for_a_field_of_lines_concerns_its_own_line_only(tmp_path):
    rule = {"reason": "gift", "column": "title", "values": ["WRAP "]}
    text = HEADER + "1,2026-01-31,a,paid,A,1,Wrap\n1,,,,B,2,\n"
    rows = read(tmp_path / "orders.csv", text, FILLED | {"leave_out": [rule]})
    assert rows[c.LEFT_OUT].to_pylist() == ["gift", None]


def test_rows_without_an_order_id_belong_to_the_order_above_unless_a_row_between_is_bad(tmp_path):
    text = HEADER + "1,2026-01-31,a,paid,A,1,\n,,,,B,2,\n2,bad\n,,,,C,1,\n"
    text += "3,2026-02-01,b,paid,A,1,\nTotal,,,,,5,\n"
    rows = read(tmp_path / "orders.csv", text, FILLED)
    by_line = {row[c.LINE]: row[c.ORDER_ID] for row in rows.to_pylist()}
    assert by_line == {2: "1", 3: "1", 4: None, 5: None, 6: "3"}


def test_order_fields_go_down_over_the_end_of_a_block(tmp_path):
    first = "7,2026-01-31,a,paid,A,1,x\n"
    text = HEADER + first + "7,,,,B,1,\n" * 150_000
    rows = read(tmp_path / "orders.csv", text, FILLED)
    assert (set(rows[c.CUSTOMER].to_pylist()), rows.num_rows) == ({"a"}, 150_001)


PACKED = {
    "packed": {"column": "items"},
    "columns": {c.ORDER_ID: "id", c.ORDERED_AT: "at", c.PRODUCT: "items.sku", c.QUANTITY: "items.Quantity"},
}


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("sku:A|quantity:2;sku:B|quantity:1", {}),
        ("SKU: A | quantity: 2 ; SKU: B | quantity: 1;", {}),
        ("name:Tea; green|sku:A|quantity:2;name:x|y|sku:B|quantity:1", {}),
        ("sku=A&quantity=2/sku=B&quantity=1", {"items": "/", "fields": "&", "value": "="}),
        ('[{"sku": "A", "Quantity": 2, "x": {"y": 1}}, {"sku": "B", "Quantity": 1.0}]', {}),
    ],
)
def test_items_packed_into_a_cell_are_lines(tmp_path, cell, options):
    quoted = cell.replace('"', '""')
    text = f'id,at,items\n1,2026-01-31,"{quoted}"\n2,2026-01-31,\n'
    rows = read(tmp_path / "orders.csv", text, PACKED | {"packed": {"column": "items"} | options})
    assert rows[c.ORDER_ID].to_pylist() == ["1", "1", "2"]
    assert rows[c.PRODUCT].to_pylist() == ["A", "B", None]
    assert rows[c.QUANTITY].to_pylist() == ["2", "1", None]
    assert rows[c.LINE].to_pylist() == [0, 1, 2]


def test_items_without_names_have_numbered_fields():
    packed = Mapping.model_validate(
        PACKED | {"packed": {"column": "items", "items": ",", "fields": ":", "value": ""}}
    ).packed
    assert items("A:2, B:1", packed, ["1", "2"]) == [{"1": "A", "2": "2"}, {"1": "B", "2": "1"}]
