"""Shopify's Admin API in GraphQL, by shopify.dev.

Traps: without status:any only open orders are listed; cursors; a list ends after so many objects; a query
costs points, and one that the budget can't pay is answered with 200 and THROTTLED; long lists of lines are
cut.
"""

import base64
import datetime as dt
import json
import re
import time
from types import MappingProxyType

from recorded import RecordedShop, refused
from starlette.responses import JSONResponse
from starlette.routing import Route

TOKEN = "shpat_1"
STATES = {"paid": "PAID", "cancelled": "PAID", "unpaid": "PENDING", "refunded": "REFUNDED"}


class Shopify(RecordedShop):
    settings = MappingProxyType({"PROFILE": "shopify", "TOKEN": TOKEN})
    objects = 25_000
    budget, restore = 2000.0, 2000.0  # points, and points per second
    throttled = 0
    refund_size = 1000  # lines of one refund, at most

    def routes(self):
        self.spent_at = time.monotonic()
        self.available = self.budget
        return [Route("/admin/api/{version}/graphql.json", self.graphql, methods=["POST"])]

    async def graphql(self, request):
        if response := refused(request, "X-Shopify-Access-Token", TOKEN):
            return response
        body = await request.json()
        query, variables = body["query"], body["variables"]
        cost = 2 + 10 * variables.get("first", 1)
        if not self.pay(cost):
            self.throttled += 1
            errors = [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
            return JSONResponse({"errors": errors, "extensions": self.cost(cost, None)})
        answers = {"orders": self.list_orders, "order": self.one_order, "products": self.list_products}
        field = re.search(r"\{\s*(\w+)\(", query)[1]
        data = answers[field](query, variables)
        if data is None:
            message = f"the list ends after {self.objects} objects"
            return JSONResponse({"errors": [{"message": message}], "data": None})
        return JSONResponse({"data": {field: data}, "extensions": self.cost(cost, cost)})

    def busy(self):
        errors = [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
        return JSONResponse({"errors": errors, "extensions": self.cost(10, None)})

    def pay(self, cost):
        now = time.monotonic()
        self.available = min(self.budget, self.available + (now - self.spent_at) * self.restore)
        self.spent_at = now
        paid = cost <= self.available
        self.available -= cost if paid else 0
        return paid

    def cost(self, requested, actual):
        status = {
            "maximumAvailable": self.budget,
            "currentlyAvailable": int(self.available),
            "restoreRate": self.restore,
        }
        return {
            "cost": {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": status}
        }

    def list_orders(self, query, variables):
        orders = list(self.orders.values())
        text = variables["query"] or ""
        if "status:any" not in text:
            orders = [order for order in orders if order.state == "unpaid"]
        if since := re.search(r"updated_at:>='([^']+)'", text):
            orders = [order for order in orders if order.changed >= dt.datetime.fromisoformat(since[1])]
        by_change = "sortKey: UPDATED_AT" in query
        orders.sort(key=lambda order: key(order, by_change))
        read = 0
        if variables["after"]:
            read, *after = json.loads(base64.b64decode(variables["after"]))
            orders = [order for order in orders if key(order, by_change) > tuple(after)]
        if read + variables["first"] > self.objects:
            return None
        shown = orders[: variables["first"]]
        last = [read + len(shown), *key(shown[-1], by_change)] if shown else None
        cursor = base64.b64encode(json.dumps(last).encode()).decode() if shown else None
        page = {"hasNextPage": len(orders) > len(shown), "endCursor": cursor}
        return {"pageInfo": page, "nodes": [self.order(order, query) for order in shown]}

    def one_order(self, query, variables):
        order = self.orders[int(variables["id"].rpartition("/")[2])]
        if "refunds" in query:
            return {"refunds": self.refunds(order, query)}
        start = int(variables["after"] or 0)
        return {"lineItems": self.lines(order, start, variables["first"])}

    def refunds(self, order, query):
        """Returns an order's refunds, of at most `refund_size` lines each, as many as the query asks for."""
        returned = [line for line in order.lines if line.returned]
        most = int(re.search(r"refundLineItems\(first: (\d+)\)", query)[1])
        first = re.search(r"refunds\(first: (\d+)\)", query)
        starts = range(0, len(returned), self.refund_size)
        refunds = [refund(start, returned[start : start + self.refund_size], most) for start in starts]
        return refunds[: int(first[1])] if first else refunds

    def lines(self, order, start, most):
        end = start + most
        nodes = [
            {
                "quantity": line.pieces,
                "sku": "",
                "title": f"Product {line.product}",
                "product": product(line),
                "discountedUnitPriceSet": money(line.price),
            }
            for line in order.lines[start:end]
        ]
        return {"pageInfo": {"hasNextPage": end < len(order.lines), "endCursor": str(end)}, "nodes": nodes}

    def order(self, order, query):
        most = int(re.search(r"lineItems\(first: (\d+)\)", query)[1])
        return {
            "legacyResourceId": str(order.number),
            "createdAt": stamp(order.at),
            "updatedAt": stamp(order.changed),
            "cancelledAt": stamp(order.changed) if order.state == "cancelled" else None,
            "test": False,
            "displayFinancialStatus": STATES[order.state],
            "customer": {"legacyResourceId": str(order.customer)} if order.customer else None,
            "shippingAddress": {"countryCodeV2": "DE"} if order.number % 3 else None,
            "lineItems": self.lines(order, 0, most),
            "refunds": self.refunds(order, query),
        }

    def list_products(self, query, variables):
        nodes = [
            {
                "legacyResourceId": "2",
                "title": "Cup",
                "productType": "Tea",
                "vendor": "A",
                "status": "ACTIVE",
                "priceRangeV2": {"minVariantPrice": {"amount": "2.5"}},
            },
            {"legacyResourceId": "3", "title": "Pot", "productType": "", "vendor": "A", "status": "DRAFT"},
        ]
        return {"pageInfo": {"hasNextPage": False, "endCursor": "x"}, "nodes": nodes}


def key(order, by_change):
    return (stamp(order.changed), order.number) if by_change else ("", order.number)


def product(line):
    return {"legacyResourceId": str(line.product)}


def refund(number, lines, most):
    nodes = [
        {
            "quantity": line.returned,
            "priceSet": money(line.price),
            "lineItem": {"sku": "", "title": "a", "product": product(line)},
        }
        for line in lines[:most]
    ]
    page = {"hasNextPage": len(lines) > most}
    return {"id": f"gid://shopify/Refund/{number}", "refundLineItems": {"pageInfo": page, "nodes": nodes}}


def money(price):
    return {"shopMoney": {"amount": f"{price:.2f}"}}


def stamp(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
