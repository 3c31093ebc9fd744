"""The E-COM contract: what a shop answers, and which of our columns that is."""

from typing import NotRequired

import pyarrow as pa
from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict

from pipelines import columns as c
from pipelines.extract.product_history import RAW_PRODUCTS

Text = str | None

numbers_as_text = with_config(ConfigDict(coerce_numbers_to_str=True))


@numbers_as_text
class Line(TypedDict):
    """A line of a basket."""

    goodsId: Text
    quantity: Text
    price: NotRequired[Text]


@numbers_as_text
class Order(TypedDict):
    """An order and its basket."""

    id: str
    createdAt: Text
    clientTel: NotRequired[Text]
    region: NotRequired[Text]
    basket: list[Line]


@numbers_as_text
class Good(TypedDict):
    """One of the goods."""

    id: str
    name: NotRequired[Text]
    category: NotRequired[Text]
    brand: NotRequired[Text]
    price: NotRequired[float | None]
    weight: NotRequired[float | None]
    inStock: NotRequired[bool | None]


class OrderPage(TypedDict):
    """What `/orders` answers."""

    orders: list[Order]
    pageCount: int


class GoodPage(TypedDict):
    """What `/goods` answers."""

    goods: list[Good]
    pageCount: int


EMPTY_LINE = Line(goodsId=None, quantity=None)

# Dictionaries, for a page of them is checked in a fifth of the time that objects take.
ORDER_PAGE = TypeAdapter(OrderPage)
GOOD_PAGE = TypeAdapter(GoodPage)


def order_lines(answer: OrderPage) -> pa.Table:
    """The lines of a page of orders, in columns of RAW_ORDERS; an empty basket is one line of nothing.

    So an order whose lines went replaces what it was.
    """
    orders = answer["orders"]
    lines = [
        (order, number, line)
        for order in orders
        for number, line in enumerate(order["basket"] or [EMPTY_LINE])
    ]
    columns = {
        c.ORDER_ID: [order["id"] for order, _, _ in lines],
        c.LINE: [number for _, number, _ in lines],
        c.ORDERED_AT: [order["createdAt"] for order, _, _ in lines],
        c.CUSTOMER: [order.get("clientTel") for order, _, _ in lines],
        c.PRODUCT: [line["goodsId"] for _, _, line in lines],
        c.QUANTITY: [line["quantity"] for _, _, line in lines],
        c.UNIT_PRICE: [line.get("price") for _, _, line in lines],
        c.GROUP: [order.get("region") for order, _, _ in lines],
        c.SOURCE: ["shop-api"] * len(lines),
    }
    return pa.table(columns)


def products(answer: GoodPage) -> pa.Table:
    """The goods of a page, in the schema RAW_PRODUCTS."""
    rows = [
        {
            c.PRODUCT: good["id"],
            c.NAME: good.get("name"),
            c.CATEGORY: good.get("category"),
            c.BRAND: good.get("brand"),
            c.PRICE: good.get("price"),
            c.IN_STOCK: good.get("inStock") is not False,
            c.WEIGHT: good.get("weight"),
        }
        for good in answer["goods"]
    ]
    return pa.Table.from_pylist(rows, RAW_PRODUCTS)
