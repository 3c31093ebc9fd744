"""The E-COM contract: the shape of a shop API's responses, and how they map to our columns."""

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
    """One order line."""

    goodsId: Text
    quantity: Text
    price: NotRequired[Text]


@numbers_as_text
class Order(TypedDict):
    """An order with its lines."""

    id: str
    createdAt: Text
    clientTel: NotRequired[Text]
    region: NotRequired[Text]
    basket: list[Line]


@numbers_as_text
class Good(TypedDict):
    """A product of the catalogue."""

    id: str
    name: NotRequired[Text]
    category: NotRequired[Text]
    brand: NotRequired[Text]
    price: NotRequired[float | None]
    weight: NotRequired[float | None]
    inStock: NotRequired[bool | None]


class OrderPage(TypedDict):
    """The response of `/orders`."""

    orders: list[Order]
    pageCount: int


class GoodPage(TypedDict):
    """The response of `/goods`."""

    goods: list[Good]
    pageCount: int


EMPTY_LINE = Line(goodsId=None, quantity=None)

# Typed dictionaries, because a page validates five times as fast as with model objects.
ORDER_PAGE = TypeAdapter(OrderPage)
GOOD_PAGE = TypeAdapter(GoodPage)


def order_lines(response: OrderPage) -> pa.Table:
    """Returns the order lines of a page, in columns of RAW_ORDERS.

    An order with an empty basket becomes one line of nulls, so that it replaces its earlier version.
    """
    orders = response["orders"]
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


def products(response: GoodPage) -> pa.Table:
    """Returns the products of a page, in the schema RAW_PRODUCTS."""
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
        for good in response["goods"]
    ]
    return pa.Table.from_pylist(rows, RAW_PRODUCTS)
