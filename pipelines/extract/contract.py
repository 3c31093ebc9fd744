"""The E-COM contract: what a shop answers, and which of our columns that is."""

from typing import Any

from pydantic import BaseModel, TypeAdapter

from pipelines import columns as c

Value = str | int | float | None


class Line(BaseModel):
    """A line of a basket."""

    goodsId: Value  # noqa: N815 - the shop's names
    quantity: Value
    price: Value = None


class Order(BaseModel):
    """An order and its basket."""

    id: int | str
    createdAt: str | None  # noqa: N815
    clientTel: str | None = None  # noqa: N815
    basket: list[Line]


class Good(BaseModel):
    """One of the goods."""

    id: int | str
    name: str | None = None
    category: str | None = None
    brand: str | None = None
    price: float | None = None
    inStock: bool = True  # noqa: N815


class OrderPage(BaseModel):
    """What `/orders` answers."""

    orders: list[Order]
    pageCount: int  # noqa: N815


class GoodPage(BaseModel):
    """What `/goods` answers."""

    goods: list[Good]
    pageCount: int  # noqa: N815


ORDER_PAGE = TypeAdapter(OrderPage)
GOOD_PAGE = TypeAdapter(GoodPage)


def order_rows(answer: OrderPage, page: int) -> list[dict[str, Any]]:
    """The lines of a page of orders, in the columns of RAW_ORDERS."""
    return [
        {
            c.ORDER_ID: str(order.id),
            c.LINE: line,
            c.ORDERED_AT: order.createdAt,
            c.CUSTOMER: order.clientTel,
            c.PRODUCT: _text(item.goodsId),
            c.QUANTITY: _text(item.quantity),
            c.UNIT_PRICE: _text(item.price),
            c.SOURCE: "shop-api",
            c.PAGE: page,
        }
        for order in answer.orders
        for line, item in enumerate(order.basket)
    ]


def product_rows(answer: GoodPage) -> list[dict[str, Any]]:
    """The goods of a page, in the columns of RAW_PRODUCTS."""
    return [
        {
            c.PRODUCT: str(good.id),
            c.NAME: good.name,
            c.CATEGORY: good.category,
            c.BRAND: good.brand,
            c.PRICE: good.price,
            c.IN_STOCK: good.inStock,
        }
        for good in answer.goods
    ]


def _text(value: Value) -> str | None:
    return None if value is None else str(value)
