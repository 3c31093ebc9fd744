"""One function per route: a question and what is served in, JSON out."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Annotated

from serving.bundle.format import Bundle
from serving.errors import Problem
from serving.http import responses, shapes
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
from serving.live import customers as people
from serving.live.served import Served
from serving.recommend.association_rules import starting_from
from serving.recommend.cart import Cart, ranking_with
from serving.recommend.reasons import Tell, reasons
from serving.recommend.recommender import Item, Ranking, rankings, trending
from serving.recommend.related import goes_with, similar
from serving.recommend.rerank import Variety

OLDER_USER_ITEMS = 3
OLDER_RECO_ITEMS = 5
AT_ONCE = 8  # customers of a long answer between two looks at who else waits
UNTOLD = ("files", SHOPPERS)  # the latter has a route of its own


def recommendations(served: Served, asked: RecommendationsQuery) -> Annotated[Json, shapes.Recommended]:
    """Items for a customer; what trends, in the group if known, for a stranger, who is `"known": false`."""
    bundle, customer = people.current(served, asked.customer)
    group = _group(bundle, asked.group) if customer is None else None
    (ranking,) = rankings(bundle, [customer], asked.lane, _variety(served, asked), group)
    found = _placed(served, asked, ranking)
    told = {"known": customer is not None, "lane": asked.lane, "group": responses.group(bundle, group)}
    return responses.of(served, **told, items=responses.items(bundle, found))


async def of_many(served: Served, asked: BatchQuery) -> Annotated[Json, shapes.OfMany]:
    """Items for many customers at once, in the order of the customers asked for."""
    told: list[Json] = []
    for start in range(0, len(asked.customers), AT_ONCE):
        told += _of_some(served, asked, asked.customers[start : start + AT_ONCE])
        await asyncio.sleep(0)  # others are answered meanwhile
    return responses.of(served, lane=asked.lane, customers=told)


def cart_recommendations(served: Served, asked: CartQuery) -> Annotated[Json, shapes.WithCart]:
    """Items that go with a cart or with what a guest looked at; the customer may be told, too."""
    bundle, customer = served.bundle, None
    if asked.customer is not None:
        bundle, customer = people.current(served, asked.customer)
    group = _group(bundle, asked.group) if customer is None else None
    cart = Cart.of(responses.rows_of(bundle, asked.cart), responses.rows_of(bundle, asked.viewed))
    ranking = ranking_with(bundle, cart, customer, asked.lane, _variety(served, asked), group)
    found = _placed(served, asked, ranking)
    unknown = [one for one in dict.fromkeys([*asked.cart, *asked.viewed]) if bundle.product(one) is None]
    told = {"known": customer is not None, "lane": asked.lane, "group": responses.group(bundle, group)}
    return responses.of(served, **told, unknown=unknown, items=responses.items(bundle, found))


def history(served: Served, asked: HistoryQuery) -> Annotated[Json, shapes.History]:
    """What a customer bought, the last purchase first; nothing of a stranger, who is `"known": false`."""
    bundle, customer = people.current(served, asked.customer)
    found = [] if customer is None else responses.purchases(bundle, customer, asked.n)
    return responses.of(served, known=customer is not None, items=found)


def similar_products(served: Served, asked: RelatedQuery) -> Annotated[Json, shapes.Alternatives]:
    """Alternatives to a product: bought by the same customers, or described alike where few did."""
    bundle, product = served.bundle, product_row(served.bundle, asked.product)
    found = alternatives(served, asked, product)
    return responses.of(
        served, product=responses.named(bundle, product), items=responses.items(bundle, found)
    )


def alternatives(served: Served, asked: ListQuery, product: int) -> list[Item]:
    """The alternatives to a product, by its row."""
    mask = responses.allowed(served.bundle, asked) & ~served.shop.placing(served.bundle).excluded
    return similar(served.bundle, product, asked.n, mask)


def bought_together(served: Served, asked: RelatedQuery) -> Annotated[Json, shapes.Together]:
    """What is bought along with a product: rules with confidence, lift, support and count."""
    bundle, product = served.bundle, product_row(served.bundle, asked.product)
    mask = responses.allowed(bundle, asked) & ~served.shop.placing(bundle).excluded
    found = goes_with(bundle, [product], asked.n, mask)
    return responses.of(
        served, product=responses.named(bundle, product), items=responses.items(bundle, found)
    )


def popular(served: Served, asked: PopularQuery) -> Annotated[Json, shapes.Trending]:
    """What trends, first in a group if asked, or has most buyers within the last `days` days."""
    bundle, days = served.bundle, asked.days
    windows = bundle.manifest["recent_days"]
    if days is not None and days not in windows:
        raise Problem(400, "bad_parameter", f"days: Input should be one of {windows}", "days")
    if days is not None and asked.group is not None:
        raise Problem(400, "bad_parameter", "group: Input can't be given together with days", "group")
    group = _group(bundle, asked.group)
    buyers = None if days is None else bundle.by_recent[windows.index(days)]
    found = _placed(served, asked, partial(trending, bundle, group=group, buyers=buyers))
    told = {"category": asked.category, "days": days, "group": responses.group(bundle, group)}
    return responses.of(served, **told, items=responses.items(bundle, found))


def model(served: Served, asked: RequestModel) -> Annotated[Json, shapes.About]:
    """What the serving model is: window, counts, metrics, verdict."""
    told = {key: value for key, value in served.bundle.manifest.items() if key not in UNTOLD}
    return responses.of(
        served, **told | {"verdict": served.verdict, "rules": served.shop.told(served.bundle)}
    )


def user_recommendations(
    served: Served, asked: LegacyUserQuery
) -> Annotated[list[Json], list[shapes.Rating]]:
    """The top three of a customer, phone numbers in any format (an older system's route)."""
    found = _best(served, asked.customer, OLDER_USER_ITEMS)
    return [
        {"goodsId": served.bundle.products[item.product].decode(), "rating": responses.number(item.score)}
        for item in found
    ]


def associations(
    served: Served, asked: LegacyAssociationsQuery
) -> Annotated[list[Json], list[shapes.Association]]:
    """All rules that start from a product, by falling confidence (an older system's route)."""
    bundle, product = served.bundle, product_row(served.bundle, asked.product)
    kept = ~(bundle.hidden | served.shop.placing(bundle).excluded)
    return [
        {
            "antecedent": asked.product,
            "consequent": bundle.products[bundle.rule_consequent[place]].decode(),
            "confidence": responses.number(bundle.rule_confidence[place]),
        }
        for place in starting_from(bundle, product)
        if kept[bundle.rule_consequent[place]]
    ]


def reco(served: Served, asked: LegacyRecoQuery) -> Annotated[list[Json], list[shapes.Scored]]:
    """The top five of the customer in the body's `user_id` (an older system's route)."""
    bundle = served.bundle
    return [
        {
            "score": responses.number(item.score),
            "item_name": responses.text(bundle.name, item.product),
            "item_id": bundle.products[item.product].decode(),
            "brand": responses.text(bundle.brand, item.product),
        }
        for item in _best(served, asked.user_id, OLDER_RECO_ITEMS)
    ]


def _best(served: Served, customer: str, n: int) -> list[Item]:
    bundle, row = people.current(served, customer)
    (ranking,) = rankings(bundle, [row], "for-you", Variety(served.per_category))
    return _placed(served, MerchandisedQuery(n=n), ranking)


def _of_some(served: Served, asked: BatchQuery, customers: list[str]) -> Iterator[Json]:
    """What is told of some of the customers asked for."""
    group = _group(served.bundle, asked.group)
    found = [people.current(served, customer) for customer in customers]
    for (bundle, customer), items in zip(found, each(served, found, asked), strict=True):
        of_group = responses.group(bundle, group) if customer is None else None
        yield {"known": customer is not None, "group": of_group, "items": responses.items(bundle, items)}


def each(
    served: Served, found: list[tuple[Bundle, int | None]], asked: PersonalQuery, tell: Tell = reasons
) -> Iterator[list[Item]]:
    """The items of many customers; those without events are worked out together.

    found: the bundle to answer each from and the row in it, as `people.now` tells. tell: as in `rankings`.
    """
    group, variety = _group(served.bundle, asked.group), _variety(served, asked)
    plain = [row for bundle, row in found if bundle is served.bundle]
    together = iter(rankings(served.bundle, plain, asked.lane, variety, group, tell))
    for bundle, row in found:
        if bundle is served.bundle:
            yield _placed(served, asked, next(together))
        else:
            (own,) = rankings(bundle, [row], asked.lane, variety, group, tell)
            yield _placed(served, asked, own)


def _placed(served: Served, asked: MerchandisedQuery, ranking: Ranking) -> list[Item]:
    """The items of a ranking that are asked for, where the rules of the shop put them."""
    mask = responses.allowed(served.bundle, asked)
    if not asked.rules:
        return ranking(asked.n, mask)
    return served.shop.placing(served.bundle, asked.on).place(ranking, asked.n, mask)


def _variety(served: Served, asked: PersonalQuery) -> Variety:
    shown = responses.rows_of(served.bundle, asked.shown)
    return Variety(asked.per_category or served.per_category, tuple(shown))


def _group(bundle: Bundle, name: str | None) -> int | None:
    return None if name is None else bundle.group(name.strip())


def product_row(bundle: Bundle, product: str) -> int:
    """The row of a product; raises Problem 404 where the catalogue lacks it."""
    row = bundle.product(product)
    if row is None:
        raise Problem(404, "unknown_product", "product: the catalogue has no product of this id", "product")
    return row
