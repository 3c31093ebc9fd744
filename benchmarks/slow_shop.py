"""A shop API that takes 50 ms for a page: `python -m benchmarks.slow_shop ORDERS PORT`."""

import asyncio
import json
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LATENCY = 0.05
DAYS = 28


class SlowShop:
    """Serves orders of three lines each, spread over the days of a month."""

    def __init__(self, orders: int) -> None:
        self.total = orders
        self.app = Starlette(routes=[Route("/orders", self.orders), Route("/goods", self.goods)])

    async def orders(self, request: Request) -> Response:
        """Returns a page of orders after the latency."""
        page, size = int(request.query_params["page"]), int(request.query_params["per-page"])
        start = (page - 1) * size
        orders = b", ".join(self._order(number) for number in range(start, min(start + size, self.total)))
        await asyncio.sleep(LATENCY)
        return Response(b'{"orders": [%b], "pageCount": %d}' % (orders, -(-self.total // size)))

    async def goods(self, _: Request) -> Response:
        """Returns an empty catalogue."""
        return JSONResponse({"goods": [], "pageCount": 1})

    def _order(self, number: int) -> bytes:
        basket = [{"goodsId": f"G{number % 997 + line}", "quantity": 1, "price": 9.5} for line in range(3)]
        time = f"2026-09-{1 + number * DAYS // self.total:02}T10:00:00Z"
        phone = f"7916{number % 20_000:07}"
        order = {"id": number, "createdAt": time, "clientTel": phone, "basket": basket}
        return json.dumps(order).encode()


if __name__ == "__main__":
    uvicorn.run(SlowShop(int(sys.argv[1])).app, port=int(sys.argv[2]), log_level="warning")
