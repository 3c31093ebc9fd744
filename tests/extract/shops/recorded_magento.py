"""Magento's REST API V1, by developer.adobe.com/commerce/webapi/rest.

Traps: beyond its end the list repeats the last page; fields that are null are absent; a configurable product
has a line of its own beside that of its variant.
"""

import datetime as dt
from types import MappingProxyType

from recorded import RecordedShop, page_of, refused
from starlette.responses import JSONResponse
from starlette.routing import Route

TOKEN = "magento-1"
STATES = {"paid": "complete", "cancelled": "canceled", "unpaid": "new", "refunded": "closed"}
TIME = "%Y-%m-%d %H:%M:%S"


class Magento(RecordedShop):
    settings = MappingProxyType({"PROFILE": "magento", "TOKEN": TOKEN})

    def routes(self):
        return [Route("/rest/V1/orders", self.list_orders), Route("/rest/V1/products", self.list_products)]

    def paged(self, request, entries):
        params = request.query_params
        size = int(params["searchCriteria[pageSize]"])
        last = max(-(-len(entries) // size), 1)
        page = min(int(params.get("searchCriteria[currentPage]", 1)), last)
        return JSONResponse({"items": page_of(entries, page, size), "total_count": len(entries)})

    async def list_orders(self, request):
        if response := refused(request, "Authorization", f"Bearer {TOKEN}"):
            return response
        params = request.query_params
        orders = list(self.orders.values())
        begin = "searchCriteria[filter_groups][0][filters][0]"
        if params.get(f"{begin}[field]") == "updated_at":
            assert params[f"{begin}[condition_type]"] == "gteq"
            since = dt.datetime.strptime(params[f"{begin}[value]"], TIME).replace(tzinfo=dt.UTC)
            orders = [order for order in orders if order.changed >= since]
        if params.get("searchCriteria[sortOrders][0][direction]") != "ASC":
            orders.reverse()
        return self.paged(request, [self.order(order) for order in orders])

    def order(self, order):
        items = []
        for index, line in enumerate(order.lines):
            parent = {
                "item_id": 2 * index + 1,
                "product_id": line.product,
                "product_type": "configurable",
                "sku": f"P{line.product}-blue",
                "name": f"Product {line.product}",
                "qty_ordered": line.pieces,
                "qty_refunded": line.returned,
                "qty_canceled": 0,
                "base_price": line.price - 1,
                "base_price_incl_tax": line.price,
            }
            child = {
                "item_id": 2 * index + 2,
                "parent_item_id": 2 * index + 1,
                "product_id": 900 + line.product,
            }
            items += [parent, {**parent, **child, "base_price_incl_tax": 0, "parent_item": parent}]
        customer = {"customer_id": order.customer} if order.customer else {"customer_is_guest": 1}
        return customer | {
            "entity_id": order.number,
            "increment_id": f"0000{order.number}",
            "created_at": order.at.strftime(TIME),
            "updated_at": order.changed.strftime(TIME),
            "state": STATES[order.state],
            "status": STATES[order.state],
            "billing_address": {"country_id": "DE"},
            "items": items,
        }

    async def list_products(self, request):
        products = [
            {"id": 2, "sku": "a", "name": "Cup", "price": 2.5, "status": 1},
            {"id": 3, "sku": "b", "name": "Pot", "status": 2},
        ]
        return self.paged(request, products)
