"""One function per route: a question and what is served in, JSON out."""

from functools import partial

from serving import answers
from serving.answers import Json
from serving.bundle import Bundle
from serving.cart import Cart, ranking_with
from serving.live import Served
from serving.questions import (
    OfMany,
    OfProduct,
    OfUser,
    Personal,
    Placed,
    Popular,
    Problem,
    Question,
    Reco,
    Recommendations,
    Related,
    WithCart,
)
from serving.recommender import Item, Ranking, rankings, trending
from serving.related import goes_with, similar
from serving.rerank import Variety
from serving.rules import starting_from

OLDER_USER_ITEMS = 3
OLDER_RECO_ITEMS = 5


def recommendations(served: Served, asked: Recommendations) -> Json:
    """Items for a customer; what trends, in the group if known, for a stranger, who is `"known": false`."""
    bundle = served.bundle
    customer = bundle.customer(asked.customer)
    group = _group(bundle, asked.group) if customer is None else None
    (ranking,) = rankings(bundle, [customer], asked.lane, _variety(served, asked), group)
    found = _placed(served, asked, ranking)
    told = {"known": customer is not None, "lane": asked.lane, "group": answers.group(bundle, group)}
    return answers.of(served, **told, items=answers.items(bundle, found))


def of_many(served: Served, asked: OfMany) -> Json:
    """Items for many customers at once, in the order of the customers asked for."""
    bundle, group = served.bundle, _group(served.bundle, asked.group)
    customers = [bundle.customer(one) for one in asked.customers]
    each = rankings(bundle, customers, asked.lane, _variety(served, asked), group)
    found = [_placed(served, asked, ranking) for ranking in each]
    told = [
        {"known": True, "group": None}
        if customer is not None
        else {"known": False, "group": answers.group(bundle, group)}
        for customer in customers
    ]
    lists = [one | {"items": answers.items(bundle, items)} for one, items in zip(told, found, strict=True)]
    return answers.of(served, lane=asked.lane, customers=lists)


def cart_recommendations(served: Served, asked: WithCart) -> Json:
    """Items that go with a cart or with what a guest looked at; the customer may be told, too."""
    bundle = served.bundle
    customer = None if asked.customer is None else bundle.customer(asked.customer)
    group = _group(bundle, asked.group) if customer is None else None
    cart = Cart.of(answers.rows_of(bundle, asked.cart), answers.rows_of(bundle, asked.viewed))
    ranking = ranking_with(bundle, cart, customer, asked.lane, _variety(served, asked), group)
    found = _placed(served, asked, ranking)
    unknown = [one for one in dict.fromkeys([*asked.cart, *asked.viewed]) if bundle.product(one) is None]
    told = {"known": customer is not None, "lane": asked.lane, "group": answers.group(bundle, group)}
    return answers.of(served, **told, unknown=unknown, items=answers.items(bundle, found))


def similar_products(served: Served, asked: Related) -> Json:
    """Alternatives to a product: bought by the same customers, or described alike where few did."""
    bundle, product = served.bundle, _product(served.bundle, asked.product)
    mask = answers.allowed(bundle, asked) & ~served.shop.placing(bundle).excluded
    found = similar(bundle, product, asked.n, mask)
    return answers.of(served, product=answers.named(bundle, product), items=answers.items(bundle, found))


def bought_together(served: Served, asked: Related) -> Json:
    """What is bought along with a product: rules with confidence, lift, support and count."""
    bundle, product = served.bundle, _product(served.bundle, asked.product)
    mask = answers.allowed(bundle, asked) & ~served.shop.placing(bundle).excluded
    found = goes_with(bundle, [product], asked.n, mask)
    return answers.of(served, product=answers.named(bundle, product), items=answers.items(bundle, found))


def popular(served: Served, asked: Popular) -> Json:
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
    told = {"category": asked.category, "days": days, "group": answers.group(bundle, group)}
    return answers.of(served, **told, items=answers.items(bundle, found))


def model(served: Served, asked: Question) -> Json:
    """What the serving model is: window, counts, metrics, verdict."""
    told = {key: value for key, value in served.bundle.manifest.items() if key != "files"}
    return answers.of(served, **told | {"verdict": served.verdict, "rules": served.shop.told(served.bundle)})


def user_recommendations(served: Served, asked: OfUser) -> list[Json]:
    """The top three of a customer, phone numbers in any format (an older system's route)."""
    found = _best(served, asked.customer, OLDER_USER_ITEMS)
    return [
        {"goodsId": served.bundle.products[item.product].decode(), "rating": answers.number(item.score)}
        for item in found
    ]


def associations(served: Served, asked: OfProduct) -> list[Json]:
    """All rules that start from a product, by falling confidence (an older system's route)."""
    bundle, product = served.bundle, _product(served.bundle, asked.product)
    kept = ~(bundle.hidden | served.shop.placing(bundle).excluded)
    return [
        {
            "antecedent": asked.product,
            "consequent": bundle.products[bundle.rule_consequent[place]].decode(),
            "confidence": answers.number(bundle.rule_confidence[place]),
        }
        for place in starting_from(bundle, product)
        if kept[bundle.rule_consequent[place]]
    ]


def reco(served: Served, asked: Reco) -> list[Json]:
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
    bundle, variety = served.bundle, Variety(served.per_category)
    (ranking,) = rankings(bundle, [bundle.customer(customer)], "for-you", variety)
    return _placed(served, Placed(n=n), ranking)


def _placed(served: Served, asked: Placed, ranking: Ranking) -> list[Item]:
    """The items of a ranking that are asked for, where the rules of the shop put them."""
    mask = answers.allowed(served.bundle, asked)
    if not asked.rules:
        return ranking(asked.n, mask)
    return served.shop.placing(served.bundle, asked.on).place(ranking, asked.n, mask)


def _variety(served: Served, asked: Personal) -> Variety:
    shown = answers.rows_of(served.bundle, asked.shown)
    return Variety(asked.per_category or served.per_category, tuple(shown))


def _group(bundle: Bundle, name: str | None) -> int | None:
    return None if name is None else bundle.group(name.strip())


def _product(bundle: Bundle, product: str) -> int:
    row = bundle.product(product)
    if row is None:
        raise Problem(404, "unknown_product", "product: the catalogue has no product of this id", "product")
    return row
