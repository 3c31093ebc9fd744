"""The endpoints that read: one function per route, from the served model and a query to the response body."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any

from serving.bundle.format import Array, Bundle
from serving.errors import Problem
from serving.http import overview_shapes, responses, shapes
from serving.http.kept import LastingAnswer
from serving.http.overview import SHOPPERS
from serving.http.requests import (
    BatchQuery,
    CartQuery,
    HistoryQuery,
    LegacyAssociationsQuery,
    LegacyRecoQuery,
    LegacyUserQuery,
    ListQuery,
    MerchandisedQuery,
    PersonalQuery,
    PopularQuery,
    RecommendationsQuery,
    RelatedQuery,
    RequestModel,
)
from serving.http.responses import Json
from serving.http.turns import LongAnswer
from serving.live import customers
from serving.live.identity import IDENTITY
from serving.live.served import Served
from serving.recommend.association_rules import rules_from
from serving.recommend.cart import Cart, cart_ranking
from serving.recommend.reasons import Explain, reasons
from serving.recommend.recommender import Item, Ranking, rankings, trending
from serving.recommend.related import goes_with, similar
from serving.recommend.rerank import Variety

LEGACY_USER_ITEMS = 3
LEGACY_RECO_ITEMS = 5
UNPUBLISHED = ("files", SHOPPERS, IDENTITY)  # manifest entries that /v1/model leaves out


def recommendations(
    served: Served, query: RecommendationsQuery
) -> Annotated[LastingAnswer, shapes.Recommended]:
    """Returns items for a customer; for an unknown customer, what is trending in the region, then overall."""
    events = customers.events(served, query.customer)
    placement = served.merchandising.placement(served.bundle, query.on) if query.rules else None
    compute = partial(_recommended, served, query, events)
    return LastingAnswer(query, served.version, served.bundle, placement, events, compute)


def _recommended(served: Served, query: RecommendationsQuery, events: Sequence[Any]) -> Json:
    bundle, customer = customers.after(served, query.customer, events)
    group = _group(bundle, query.group) if customer is None else None
    (ranking,) = rankings(bundle, [customer], query.lane, _variety(served, query), group)
    return responses.with_version(
        served,
        known=customer is not None,
        lane=query.lane,
        group=responses.group_name(bundle, group),
        items=responses.items(bundle, _merchandised(served, query, ranking)),
    )


def of_many(served: Served, query: BatchQuery) -> Annotated[LongAnswer, shapes.OfMany]:
    """Returns items for each of many customers, in the order of the request."""
    mask = responses.allowed_mask(served.bundle, query)

    def part(rows: slice) -> list[Json]:
        return list(_batch_answers(served, query, query.customers[rows], mask))

    return LongAnswer(
        responses.with_version(served, lane=query.lane), "customers", len(query.customers), part
    )


def cart_recommendations(served: Served, query: CartQuery) -> Annotated[Json, shapes.WithCart]:
    """Returns items that go with a cart or with recently viewed products. The customer is optional."""
    bundle, customer = customers.current(served, query.customer)
    group = _group(bundle, query.group) if customer is None else None
    cart = Cart.of(responses.product_rows(bundle, query.cart), responses.product_rows(bundle, query.viewed))
    ranking = cart_ranking(bundle, cart, customer, query.lane, _variety(served, query), group)
    products = dict.fromkeys([*query.cart, *query.viewed])
    return responses.with_version(
        served,
        known=customer is not None,
        lane=query.lane,
        group=responses.group_name(bundle, group),
        unknown=[product for product in products if bundle.product(product) is None],
        items=responses.items(bundle, _merchandised(served, query, ranking)),
    )


def history(served: Served, query: HistoryQuery) -> Annotated[Json, shapes.History]:
    """Returns the purchases of a customer, most recent first. An unknown customer has no purchases."""
    bundle, customer = customers.current(served, query.customer)
    items = [] if customer is None else responses.purchases(bundle, customer, query.n)
    return responses.with_version(served, known=customer is not None, items=items)


def similar_products(served: Served, query: RelatedQuery) -> Annotated[Json, shapes.Alternatives]:
    """Returns alternatives to a product: bought by the same customers, or with a similar description."""
    bundle, product = served.bundle, product_row(served.bundle, query.product)
    items = alternatives(served, query, product)
    return responses.with_version(
        served, product=responses.product_reference(bundle, product), items=responses.items(bundle, items)
    )


def alternatives(served: Served, query: ListQuery, product: int) -> list[Item]:
    """Returns at most `query.n` alternatives to a product, best first; product: its row."""
    return similar(served.bundle, product, query.n, _allowed(served, query))


def bought_together(served: Served, query: RelatedQuery) -> Annotated[Json, shapes.Together]:
    """Returns products bought in the same basket, with confidence, lift, support and count of the rule."""
    bundle, product = served.bundle, product_row(served.bundle, query.product)
    items = goes_with(bundle, [product], query.n, _allowed(served, query))
    return responses.with_version(
        served, product=responses.product_reference(bundle, product), items=responses.items(bundle, items)
    )


def popular(served: Served, query: PopularQuery) -> Annotated[Json, shapes.Trending]:
    """Returns what is trending in the region, then overall; or products by buyers in the last `days` days."""
    bundle, days = served.bundle, query.days
    windows = bundle.manifest["recent_days"]
    if days is not None and days not in windows:
        raise Problem(400, "bad_parameter", f"days: Input should be one of {windows}", "days")
    if days is not None and query.group is not None:
        raise Problem(400, "bad_parameter", "group: Input can't be given together with days", "group")
    group = _group(bundle, query.group)
    buyers = None if days is None else bundle.by_recent[windows.index(days)]
    items = _merchandised(served, query, partial(trending, bundle, group=group, buyers=buyers))
    return responses.with_version(
        served,
        category=query.category,
        days=days,
        group=responses.group_name(bundle, group),
        items=responses.items(bundle, items),
    )


def model(served: Served, query: RequestModel) -> Annotated[Json, overview_shapes.About]:
    """Returns facts about the served model: training window, counts, metrics and the gate's verdict."""
    facts = {key: value for key, value in served.bundle.manifest.items() if key not in UNPUBLISHED}
    facts |= {"verdict": served.verdict, "rules": served.merchandising.summary(served.bundle)}
    return responses.with_version(served, **facts)


def user_recommendations(
    served: Served, query: LegacyUserQuery
) -> Annotated[list[Json], list[shapes.Rating]]:
    """Returns the best three items for a customer, in the format of an older system."""
    return [
        {"goodsId": served.bundle.products[item.product].decode(), "rating": responses.rounded(item.score)}
        for item in _legacy_items(served, query.customer, LEGACY_USER_ITEMS)
    ]


def associations(
    served: Served, query: LegacyAssociationsQuery
) -> Annotated[list[Json], list[shapes.Association]]:
    """Returns the association rules that start from a product, by falling confidence (older format)."""
    bundle, product = served.bundle, product_row(served.bundle, query.product)
    shown = ~(bundle.hidden | served.merchandising.placement(bundle).excluded)
    return [
        {
            "antecedent": query.product,
            "consequent": bundle.products[bundle.rule_consequent[rule]].decode(),
            "confidence": responses.rounded(bundle.rule_confidence[rule]),
        }
        for rule in rules_from(bundle, product)
        if shown[bundle.rule_consequent[rule]]
    ]


def reco(served: Served, query: LegacyRecoQuery) -> Annotated[list[Json], list[shapes.Scored]]:
    """Returns the best five items for the customer in `user_id`, in the format of an older system."""
    bundle = served.bundle
    return [
        {
            "score": responses.rounded(item.score),
            "item_name": responses.text_or_none(bundle.name, item.product),
            "item_id": bundle.products[item.product].decode(),
            "brand": responses.text_or_none(bundle.brand, item.product),
        }
        for item in _legacy_items(served, query.user_id, LEGACY_RECO_ITEMS)
    ]


def _legacy_items(served: Served, customer: str | None, n: int) -> list[Item]:
    bundle, row = customers.current(served, customer)
    (ranking,) = rankings(bundle, [row], "for-you", Variety(served.per_category))
    return _merchandised(served, MerchandisedQuery(n=n), ranking)


def _batch_answers(
    served: Served, query: BatchQuery, pseudonyms: list[str | None], mask: Array
) -> Iterator[Json]:
    """Yields the answers for some of the customers of a query, in order; mask: the allowed products."""
    group = _group(served.bundle, query.group)
    rows = [customers.current(served, pseudonym) for pseudonym in pseudonyms]
    for (bundle, customer), items in zip(rows, item_lists(served, rows, query, mask=mask), strict=True):
        name = responses.group_name(bundle, group) if customer is None else None
        yield {"known": customer is not None, "group": name, "items": responses.items(bundle, items)}


def item_lists(
    served: Served,
    rows: list[tuple[Bundle, int | None]],
    query: PersonalQuery,
    explain: Explain = reasons,
    mask: Array | None = None,
) -> Iterator[list[Item]]:
    """Yields the items of each customer. Customers without recent events are scored together.

    rows: for each customer the bundle to answer from and the row in it, as `customers.current` returns them.
    explain: see `rankings`. mask: the products that the query's filters allow, (P,) bool.
    """
    mask = responses.allowed_mask(served.bundle, query) if mask is None else mask
    group, variety = _group(served.bundle, query.group), _variety(served, query)
    without_events = [row for bundle, row in rows if bundle is served.bundle]
    together = iter(rankings(served.bundle, without_events, query.lane, variety, group, explain))
    for bundle, row in rows:
        if bundle is served.bundle:
            yield _merchandised(served, query, next(together), mask)
        else:
            (own,) = rankings(bundle, [row], query.lane, variety, group, explain)
            yield _merchandised(served, query, own, mask)


def _merchandised(
    served: Served, query: MerchandisedQuery, ranking: Ranking, mask: Array | None = None
) -> list[Item]:
    """Returns a ranking's items that pass the filters, in the order that the merchandising rules give."""
    mask = responses.allowed_mask(served.bundle, query) if mask is None else mask
    if not query.rules:
        return ranking(query.n, mask)
    return served.merchandising.placement(served.bundle, query.on).apply(ranking, query.n, mask)


def _allowed(served: Served, query: ListQuery) -> Array:
    """Returns True for products that pass the filters and no merchandising rule excludes, (P,) bool."""
    excluded = served.merchandising.placement(served.bundle).excluded
    return responses.allowed_mask(served.bundle, query) & ~excluded


def _variety(served: Served, query: PersonalQuery) -> Variety:
    shown = responses.product_rows(served.bundle, query.shown)
    return Variety(query.per_category or served.per_category, tuple(shown))


def _group(bundle: Bundle, name: str | None) -> int | None:
    return None if name is None else bundle.group(name.strip())


def product_row(bundle: Bundle, product: str) -> int:
    """Returns the row of a product id; raises Problem 404 for an id that is not in the catalogue."""
    row = bundle.product(product)
    if row is None:
        raise Problem(404, "unknown_product", "product: the catalogue has no product of this id", "product")
    return row
