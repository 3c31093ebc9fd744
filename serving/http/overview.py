"""The endpoints behind the storefront's status line, its category menu and its example customers."""

from typing import Annotated, Any

import numpy as np

from serving.bundle.format import Bundle
from serving.bundle.labels import NO_LABEL
from serving.http import overview_shapes, responses
from serving.http.requests import CategoriesQuery, RequestModel
from serving.http.responses import Json
from serving.live.identity import PSEUDONYM_PREFIX
from serving.live.served import Served
from serving.observe.latency import Latency

SHOPPERS = "shoppers"  # manifest entry: the example customers that the nightly run chose

LATENCY = Latency()


def status(served: Served, query: RequestModel) -> Annotated[Json, overview_shapes.Status]:
    """Returns which model is served, the gate's verdict on it, and recent latency."""
    recent, manifest = LATENCY.recent(), served.bundle.manifest
    return responses.with_version(
        served,
        **{name: manifest.get(name) for name in ("as_of", "window", "counts")},
        verdict=served.verdict,
        latency={
            "seconds": round(recent.seconds, 1),
            "answers": recent.answers,
            "p99_ms": None if recent.p99 is None else responses.rounded(recent.p99),
        },
    )


def categories(served: Served, query: CategoriesQuery) -> Annotated[Json, overview_shapes.Categories]:
    """Returns the categories of the catalogue, largest first."""
    labels = served.bundle.categories
    counts = np.bincount(labels.codes[labels.codes != NO_LABEL]).tolist()
    items = [{"category": name.decode(), "products": counts[code]} for name, code in labels.code_of.items()]
    items.sort(key=lambda item: -item["products"])
    return responses.with_version(served, items=items[: query.n])


def shoppers(served: Served, query: RequestModel) -> Annotated[Json, overview_shapes.Shoppers]:
    """Returns example customers: items recommended before the test window, and purchases in it."""
    bundle = served.bundle
    examples: dict[str, Any] = bundle.manifest.get(SHOPPERS) or {"cut": None, "until": None, "popular": []}
    # The bundle no longer knows a customer who was forgotten after the nightly run.
    known = [entry for entry in examples.get(SHOPPERS, []) if bundle.customer(entry["customer"]) is not None]
    return responses.with_version(
        served,
        cut=examples["cut"],
        until=examples["until"],
        popular=_cards(bundle, examples["popular"]),
        shoppers=[_shopper(bundle, entry) for entry in known],
    )


def _shopper(bundle: Bundle, entry: Json) -> Json:
    lists = {name: _cards(bundle, entry[name]) for name in ("recommended", "bought")}
    return entry | {"customer": f"{PSEUDONYM_PREFIX}{entry['customer']}"} | lists


def _cards(bundle: Bundle, products: list[str]) -> list[Json]:
    return [responses.card(bundle, row) for row in responses.product_rows(bundle, products)]
