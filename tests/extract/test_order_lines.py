"""Rows become order lines: conditions of rules, and columns that have alternatives or are joined."""

import pyarrow as pa
import pytest

from pipelines import columns as c
from pipelines.extract.leaving_out import meets
from pipelines.extract.lines import order_lines
from pipelines.extract.mapping import Mapping
from pipelines.extract.mapping_tables import LeaveOut
from pipelines.extract.notation.numbers import recognise_decimal
from serving.errors import NightshelfError

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"values": ["PAID ", "open"]}, [True, True, False, False, False]),
        ({"other_than": ["Paid"]}, [False, False, True, True, True]),
        ({"matches": "^can"}, [False, False, True, False, False]),
        ({"filled": True}, [True, True, True, False, False]),
        ({"filled": False}, [False, False, False, True, True]),
    ],
)
def test_a_rule_leaves_out_what_meets_its_condition(condition, expected):
    column = pa.chunked_array([["paid", " Paid", "CANCELLED", "  ", None]])
    assert meets(column, LeaveOut(reason="any", column="status", **condition)).to_pylist() == expected


def line(columns, **row):
    """The order line of a row with these cells."""
    plain = {c.ORDER_ID: "id", c.ORDERED_AT: "at", c.PRODUCT: "sku"}
    cells = {"id": "1", "at": "2026-01-31", "sku": "A"} | row
    rows = pa.table({name: pa.chunked_array([[cell]], pa.string()) for name, cell in cells.items()})
    (lines,) = order_lines([rows], Mapping(columns=plain | columns), "the rows")
    return lines.to_pylist()[0]


@pytest.mark.parametrize("blank", [None, "", " "])
def test_the_first_alternative_that_is_not_blank_counts(blank):
    columns = {c.PRODUCT: ["sku", "title"]}
    assert line(columns, sku=blank, title="Tea")[c.PRODUCT] == "Tea"
    assert line(columns, sku="A", title="Tea")[c.PRODUCT] == "A"


@pytest.mark.parametrize("blank", [None, "", " "])
def test_a_joined_column_with_a_blank_part_is_blank(blank):
    columns = {c.ORDER_ID: {"join": ["store", "id"]}}
    assert line(columns, store="de")[c.ORDER_ID] == "de/1"
    assert line(columns, store=blank)[c.ORDER_ID] is None


def test_a_source_without_quantities_has_one_piece_per_product():
    assert line({})[c.QUANTITY] == "1"
    assert line({}, sku=None)[c.QUANTITY] is None  # an order without lines


@pytest.mark.parametrize("prices", [["1,234", "5"], ["1.234"], ["29,10", "29.10"]])
def test_an_ambiguous_decimal_sign_is_refused(prices):
    with pytest.raises(NightshelfError, match='decimal = ","'):
        recognise_decimal([pa.chunked_array([prices])], "the file")


def test_the_first_rule_that_is_met_names_the_reason():
    rules = [{"reason": reason, "column": "sku", "filled": True} for reason in ("first", "second")]
    rows = pa.table({"id": ["1"], "at": ["2026-01-31"], "sku": ["A"]})
    columns = {c.ORDER_ID: "id", c.ORDERED_AT: "at", c.PRODUCT: "sku"}
    (lines,) = order_lines([rows], Mapping(columns=columns, leave_out=rules), "the rows")
    assert lines[c.LEFT_OUT].to_pylist() == ["first"]
