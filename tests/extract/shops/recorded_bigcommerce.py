"""BigCommerce's API V2 of orders and V3 of products, by developer.bigcommerce.com.

Traps: an empty page is 204 without content; a limit is stated in milliseconds by a header of its own; times
are in RFC 2822; an order's products are a list of their own; amounts are strings.
"""

import datetime as dt
import email.utils
from types import MappingProxyType

from recorded import RecordedShop, page_of, refused
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "big-1"
STATES = {"paid": 10, "cancelled": 5, "unpaid": 7, "refunded": 4}


class BigCommerce(RecordedShop):
    settings = MappingProxyType({"PROFILE": "bigcommerce", "TOKEN": TOKEN})
    extending = "[limits]\nrate = 10000"  # the shop's own limit would take a minute
    wait_ms = 20

    def routes(self):
        return [
            Route("/v2/orders", self.list_orders),
            Route("/v2/orders/{number:int}/products", self.list_lines),
            Route("/v3/catalog/products", self.list_products),
        ]

    def busy(self):
        headers = {"X-Rate-Limit-Time-Reset-Ms": str(self.wait_ms), "X-Rate-Limit-Requests-Left": "0"}
        return JSONResponse({"status": 429, "title": "Too many requests"}, 429, headers)

    def paged(self, request, entries):
        size, page = int(request.query_params.get("limit", 50)), int(request.query_params.get("page", 1))
        shown = page_of(entries, page, size)
        return JSONResponse(shown) if shown else Response(status_code=204)

    async def list_orders(self, request):
        if response := refused(request, "X-Auth-Token", TOKEN):
            return response
        orders = list(self.orders.values())
        if since := request.query_params.get("min_date_modified"):
            orders = [order for order in orders if order.changed >= dt.datetime.fromisoformat(since)]
        if request.query_params.get("sort", "id:desc") == "id:desc":
            orders.reverse()
        return self.paged(request, [self.order(order) for order in orders])

    def order(self, order):
        return {
            "id": order.number,
            "customer_id": order.customer,
            "date_created": email.utils.format_datetime(order.at),
            "date_modified": email.utils.format_datetime(order.changed),
            "status_id": STATES[order.state],
            "status": "a word",
            "is_deleted": False,
            "billing_address": {"country_iso2": "DE", "email": "a@shop.example"},
            "products": {
                "url": "https://api.bigcommerce.com/x",
                "resource": f"/orders/{order.number}/products",
            },
        }

    async def list_lines(self, request):
        lines = self.orders[request.path_params["number"]].lines
        entries = [
            {
                "id": index,
                "product_id": line.product,
                "name": f"Product {line.product}",
                "sku": "",
                "quantity": line.pieces,
                "quantity_refunded": line.returned,
                "price_inc_tax": f"{line.price:.4f}",
            }
            for index, line in enumerate(lines)
        ]
        return self.paged(request, entries)

    async def list_products(self, request):
        products = [
            {"id": 2, "name": "Cup", "price": 2.5, "is_visible": True},
            {"id": 3, "name": "Pot", "price": 0, "is_visible": False},
        ]
        return JSONResponse({"data": products, "meta": {"pagination": {"total": 2, "total_pages": 1}}})
