"""One function per route: a question and what is served in, JSON out."""

from typing import Annotated

from serving import answers, people, shapes
from serving.answers import Json
from serving.bundle import Bundle
from serving.live import Served
from serving.questions import (
    History,
    OfMany,
    OfProduct,
    OfUser,
    Popular,
    Problem,
    Question,
    Reco,
    Recommendations,
    Related,
)
from serving.recommender import Item, recommend, similar, trend_within, trending
from serving.rerank import Variety
from serving.rules import starting_from

OLDER_USER_ITEMS = 3
OLDER_RECO_ITEMS = 5


def recommendations(served: Served, asked: Recommendations) -> Annotated[Json, shapes.Recommended]:
    """Items for a customer; what trends, in the group if known, for a stranger, who is `"known": false`."""
    bundle, customer = people.now(served, asked.customer)
    group = _group(bundle, asked.group) if customer is None else None
    mask = answers.allowed(bundle, asked.in_stock, asked.category, asked.exclude)
    shown = (row for product in asked.shown if (row := bundle.product(product)) is not None)
    variety = Variety(asked.per_category or served.per_category, tuple(shown))
    found = recommend(bundle, customer, asked.lane, asked.n, mask, variety, group)
    told = {"known": customer is not None, "lane": asked.lane, "group": answers.group(bundle, group)}
    return answers.of(served, **told, items=answers.items(bundle, found))


def of_many(served: Served, asked: OfMany) -> Annotated[Json, shapes.OfMany]:
    """Items for many customers at once, in the order of the customers asked for."""
    rest = {name: getattr(asked, name) for name in OfMany.model_fields if name != "customers"}
    found = (
        recommendations(served, Recommendations.model_construct(customer=customer, **rest))
        for customer in asked.customers
    )
    each = [{name: one[name] for name in ("known", "group", "items")} for one in found]
    return answers.of(served, lane=asked.lane, customers=each)


def history(served: Served, asked: History) -> Annotated[Json, shapes.History]:
    """What a customer bought, the last purchase first; nothing of a stranger, who is `"known": false`."""
    bundle, customer = people.now(served, asked.customer)
    found = [] if customer is None else answers.purchases(bundle, customer, asked.n)
    return answers.of(served, known=customer is not None, items=found)


def similar_products(served: Served, asked: Related) -> Annotated[Json, shapes.Alternatives]:
    """Alternatives to a product: bought by the same customers, or described alike where few did."""
    bundle, product = served.bundle, product_row(served.bundle, asked.product)
    found = similar(bundle, product, asked.n, answers.allowed(bundle, asked.in_stock))
    return answers.of(served, product=answers.named(bundle, product), items=answers.items(bundle, found))


def bought_together(served: Served, asked: Related) -> Annotated[Json, shapes.Together]:
    """What is bought along with a product: rules with confidence, lift, support and count."""
    bundle, product = served.bundle, product_row(served.bundle, asked.product)
    found = answers.bought_together(bundle, [product], asked.n, answers.allowed(bundle, asked.in_stock))
    return answers.of(served, product=answers.named(bundle, product), items=found)


def popular(served: Served, asked: Popular) -> Annotated[Json, shapes.Trending]:
    """What trends, first in a group if asked, or has most buyers within the last `days` days."""
    bundle, days = served.bundle, asked.days
    windows = bundle.manifest["recent_days"]
    if days is not None and days not in windows:
        raise Problem(400, "bad_parameter", f"days: Input should be one of {windows}", "days")
    if days is not None and asked.group is not None:
        raise Problem(400, "bad_parameter", "group: Input can't be given together with days", "group")
    group = _group(bundle, asked.group)
    strength = trend_within(bundle, group) if days is None else bundle.recent[windows.index(days)]
    found = trending(bundle, asked.n, answers.allowed(bundle, asked.in_stock, asked.category), strength)
    told = {"category": asked.category, "days": days, "group": answers.group(bundle, group)}
    return answers.of(served, **told, items=answers.items(bundle, found))


def model(served: Served, asked: Question) -> Annotated[Json, shapes.About]:
    """What the serving model is: window, counts, metrics, verdict."""
    told = {key: value for key, value in served.bundle.manifest.items() if key != "files"}
    return answers.of(served, **told | {"verdict": served.verdict})


def user_recommendations(served: Served, asked: OfUser) -> Annotated[list[Json], list[shapes.Rating]]:
    """The top three of a customer, phone numbers in any format (an older system's route)."""
    found = _best(served, asked.customer, OLDER_USER_ITEMS)
    return [
        {"goodsId": served.bundle.products[item.product].decode(), "rating": answers.number(item.score)}
        for item in found
    ]


def associations(served: Served, asked: OfProduct) -> Annotated[list[Json], list[shapes.Association]]:
    """All rules that start from a product, by falling confidence (an older system's route)."""
    bundle, product = served.bundle, product_row(served.bundle, asked.product)
    return [
        {
            "antecedent": asked.product,
            "consequent": bundle.products[bundle.rule_consequent[place]].decode(),
            "confidence": answers.number(bundle.rule_confidence[place]),
        }
        for place in starting_from(bundle, product)
        if not bundle.hidden[bundle.rule_consequent[place]]
    ]


def reco(served: Served, asked: Reco) -> Annotated[list[Json], list[shapes.Scored]]:
    """The top five of the customer in the body's `user_id` (an older system's route)."""
    bundle = served.bundle
    return [
        {
            "score": answers.number(item.score),
            "item_name": answers.text(bundle.name, item.product),
            "item_id": bundle.products[item.product].decode(),
            "brand": answers.text(bundle.brand, item.product),
        }
        for item in _best(served, asked.user_id, OLDER_RECO_ITEMS)
    ]


def _best(served: Served, customer: str, n: int) -> list[Item]:
    variety = Variety(served.per_category)
    bundle, row = people.now(served, customer)
    return recommend(bundle, row, "for-you", n, answers.allowed(bundle), variety)


def _group(bundle: Bundle, name: str | None) -> int | None:
    return None if name is None else bundle.group(name.strip())


def product_row(bundle: Bundle, product: str) -> int:
    """The row of a product; raises Problem 404 where the catalogue lacks it."""
    row = bundle.product(product)
    if row is None:
        raise Problem(404, "unknown_product", "product: the catalogue has no product of this id", "product")
    return row
