"""WooCommerce's REST API v3, by woocommerce.github.io/woocommerce-rest-api-docs.

Traps: the newest come first unless asked otherwise; the number of pages is a header; modified_after is in
the shop's time zone unless dates_are_gmt; a guest's customer_id is 0; amounts are strings; an order only
names its refunds, whose quantities and amounts are negative.
"""

import base64
import datetime as dt
import math
from types import MappingProxyType

from recorded import RecordedShop, page_of, refused
from starlette.responses import JSONResponse
from starlette.routing import Route

USER, PASSWORD = "ck_1", "cs_2"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
ZONE = dt.timezone(dt.timedelta(hours=3))
STATES = {"paid": "completed", "cancelled": "cancelled", "unpaid": "pending", "refunded": "refunded"}


class WooCommerce(RecordedShop):
    settings = MappingProxyType({"PROFILE": "woocommerce", "USER": USER, "PASSWORD": PASSWORD})

    def routes(self):
        base = "/wp-json/wc/v3"
        return [
            Route(f"{base}/orders", self.list_orders),
            Route(f"{base}/orders/{{number:int}}/refunds", self.list_refunds),
            Route(f"{base}/products", self.list_products),
        ]

    def paged(self, request, entries):
        params = request.query_params
        size, page = int(params.get("per_page", 10)), int(params.get("page", 1))
        if size > 100:
            return JSONResponse({"code": "rest_invalid_param"}, 400)
        if params.get("order", "desc") == "desc":
            entries = entries[::-1]
        headers = {
            "X-WP-Total": str(len(entries)),
            "X-WP-TotalPages": str(math.ceil(len(entries) / size)),
        }
        return JSONResponse(page_of(entries, page, size), headers=headers)

    async def list_orders(self, request):
        params = request.query_params
        if response := refused(request, "Authorization", BASIC):
            return response
        orders = list(self.orders.values())
        if after := params.get("modified_after"):
            zone = dt.UTC if params.get("dates_are_gmt") == "true" else ZONE
            moment = dt.datetime.fromisoformat(after).replace(tzinfo=zone)
            orders = [order for order in orders if order.changed > moment]
        return self.paged(request, [self.order(order) for order in orders])

    def order(self, order):
        refunds = [{"id": 1, "reason": "", "total": "-1.00"}] if order.has_returns else []
        return {
            "id": order.number,
            "parent_id": 0,
            "status": STATES[order.state],
            "currency": "EUR",
            "date_created": local(order.at),
            "date_created_gmt": gmt(order.at),
            "date_modified": local(order.changed),
            "date_modified_gmt": gmt(order.changed),
            "customer_id": order.customer,
            "billing": {"email": "a@shop.example", "country": "DE"},
            "line_items": [
                {
                    "id": index,
                    "name": f"Product {line.product} - blue",
                    "parent_name": f"Product {line.product}",
                    "product_id": line.product,
                    "variation_id": 500 + line.product,
                    "quantity": line.pieces,
                    "total": f"{line.pieces * line.price:.2f}",
                    "price": line.price,
                    "sku": "",
                    "meta_data": [{"key": "colour", "value": {"nested": True}}],
                }
                for index, line in enumerate(order.lines)
            ],
            "refunds": refunds,
        }

    async def list_refunds(self, request):
        order = self.orders[request.path_params["number"]]
        items = [
            {
                "id": index,
                "product_id": line.product,
                "quantity": -line.returned,
                "total": f"{-line.returned * line.price:.2f}",
            }
            for index, line in enumerate(order.lines)
        ]
        return self.paged(request, [{"id": 1, "amount": "1.00", "line_items": items}])

    async def list_products(self, request):
        products = [
            {
                "id": 2,
                "name": "Cup",
                "price": "2.50",
                "stock_status": "instock",
                "categories": [{"name": "Tea"}],
            },
            {"id": 3, "name": "Pot", "price": "", "stock_status": "outofstock", "categories": []},
        ]
        return self.paged(request, products)


def gmt(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def local(moment):
    return moment.astimezone(ZONE).strftime("%Y-%m-%dT%H:%M:%S")
