"""What the storefront shows beside recommendations: who serves, the departments, shoppers to look at."""

from typing import Annotated, Any

import numpy as np

from serving.bundle.format import Bundle
from serving.bundle.labels import NOTHING
from serving.http import responses, shapes
from serving.http.requests import CategoriesQuery, RequestModel
from serving.http.responses import Json
from serving.live.identity import HIDDEN
from serving.live.served import Served
from serving.observe.latency import Latency

SHOPPERS = "shoppers"  # in a manifest: what the night wrote of some telling customers

LATENCY = Latency()


def status(served: Served, asked: RequestModel) -> Annotated[Json, shapes.Status]:
    """Which model serves, and how fast it answered lately."""
    recent, manifest = LATENCY.recent(), served.bundle.manifest
    told = {name: manifest.get(name) for name in ("as_of", "window", "counts")}
    return responses.of(
        served,
        **told,
        verdict=served.verdict,
        latency={
            "seconds": round(recent.seconds, 1),
            "answers": recent.answers,
            "p99_ms": None if recent.p99 is None else responses.number(recent.p99),
        },
    )


def categories(served: Served, asked: CategoriesQuery) -> Annotated[Json, shapes.Categories]:
    """The categories of the catalogue, those with most products first."""
    filed = served.bundle.categories
    counts = np.bincount(filed.number[filed.number != NOTHING]).tolist()
    told = [{"category": name.decode(), "products": counts[at]} for name, at in filed.numbers.items()]
    items = sorted(told, key=lambda one: -one["products"])[: asked.n]
    return responses.of(served, items=items)


def shoppers(served: Served, asked: RequestModel) -> Annotated[Json, shapes.Shoppers]:
    """A few telling customers: what was recommended before the test window, and what they bought in it."""
    bundle = served.bundle
    told: dict[str, Any] = bundle.manifest.get(SHOPPERS) or {"cut": None, "until": None, "popular": []}
    # Who was forgotten since is a stranger to the bundle.
    known = [one for one in told.get(SHOPPERS, []) if bundle.customer(one["customer"]) is not None]
    days, found = {name: told[name] for name in ("cut", "until")}, [_shopper(bundle, one) for one in known]
    return responses.of(served, **days, popular=_cards(bundle, told["popular"]), shoppers=found)


def _shopper(bundle: Bundle, told: Json) -> Json:
    lists = {name: _cards(bundle, told[name]) for name in ("recommended", "bought")}
    return told | {"customer": f"{HIDDEN}{told['customer']}"} | lists


def _cards(bundle: Bundle, products: list[str]) -> list[Json]:
    return [responses.card(bundle, row) for row in responses.rows_of(bundle, products)]
