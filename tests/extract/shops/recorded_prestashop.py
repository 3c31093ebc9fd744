"""PrestaShop's webservice, by devdocs.prestashop-project.org.

Traps: XML without output_format=JSON; an empty list is [] instead of an object; the filter of a date is
ignored without date=1; limit is "offset,count"; times are the shop's own; values are strings.
"""

import base64
import re
from types import MappingProxyType
from zoneinfo import ZoneInfo

from recorded import RecordedShop, refused
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEY = "PRESTA1"
BASIC = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
ZONE = ZoneInfo("America/New_York")
TIME = "%Y-%m-%d %H:%M:%S"
STATES = {"paid": "5", "cancelled": "6", "unpaid": "10", "refunded": "7"}


class PrestaShop(RecordedShop):
    settings = MappingProxyType({"PROFILE": "prestashop", "TOKEN": KEY})
    extending = 'timezone = "America/New_York"'

    def routes(self):
        return [
            Route("/api/orders", self.list_orders),
            Route("/api/order_details", self.list_details),
            Route("/api/products", self.list_products),
        ]

    def answer(self, request, name, entries):
        params = request.query_params
        if response := refused(request, "Authorization", BASIC):
            return response
        if params.get("output_format") != "JSON":
            return Response("<prestashop/>", media_type="text/xml")
        if "limit" in params:
            offset, count = map(int, params["limit"].split(","))
            entries = entries[offset : offset + count]
        return JSONResponse({name: entries} if entries else [])

    def busy(self):
        return Response("", 503)

    async def list_orders(self, request):
        params = request.query_params
        orders = list(self.orders.values())
        if params.get("date") == "1" and (span := params.get("filter[date_upd]")):
            first, last = span.strip("[]").split(",")
            orders = [order for order in orders if first <= local(order.changed) <= last]
        if params.get("sort") != "[id_ASC]":
            orders.reverse()
        if params.get("display") != "full":
            return self.answer(request, "orders", [{"id": order.number} for order in orders])
        return self.answer(request, "orders", [self.order(order) for order in orders])

    def order(self, order):
        rows = [
            {
                "id": str(10 * order.number + index),
                "product_id": str(line.product),
                "product_attribute_id": "0",
                "product_quantity": str(line.pieces),
                "product_name": f"Product {line.product}",
                "unit_price_tax_incl": f"{line.price:.6f}",
            }
            for index, line in enumerate(order.lines)
        ]
        return {
            "id": order.number,
            "id_customer": str(order.customer),
            "current_state": STATES[order.state],
            "valid": "1" if order.state == "paid" else "0",
            "date_add": local(order.at),
            "date_upd": local(order.changed),
            "reference": "ABC",
            "associations": {"order_rows": rows},
        }

    async def list_details(self, request):
        ids = re.findall(r"\d+", request.query_params["filter[id_order]"])
        details = [
            {
                "id": 10 * number + index,
                "id_order": str(number),
                "product_id": str(line.product),
                "product_quantity_refunded": str(line.returned),
                "unit_price_tax_incl": f"{line.price:.6f}",
            }
            for number in map(int, ids)
            for index, line in enumerate(self.orders[number].lines)
        ]
        return self.answer(request, "order_details", details)

    async def list_products(self, request):
        products = [
            {"id": 2, "name": "Cup", "manufacturer_name": "A", "price": "2.500000", "active": "1"},
            {"id": 3, "name": "Pot", "manufacturer_name": False, "price": "3.000000", "active": "0"},
        ]
        return self.answer(request, "products", products)


def local(moment):
    return moment.astimezone(ZONE).strftime(TIME)
