"""One function per route: a question and what is served in, JSON out."""

from serving import answers
from serving.answers import Json
from serving.bundle import Bundle
from serving.live import Served
from serving.questions import OfProduct, OfUser, Popular, Problem, Question, Reco, Recommendations, Related
from serving.recommender import Item, recommend, similar, trending
from serving.rules import starting_from

OLDER_USER_ITEMS = 3
OLDER_RECO_ITEMS = 5


def recommendations(served: Served, asked: Recommendations) -> Json:
    """Items for a customer; what trends for a stranger, who is `"known": false`."""
    bundle = served.bundle
    customer = bundle.customer(asked.customer)
    mask = answers.allowed(bundle, asked.in_stock, asked.category, asked.exclude)
    found = recommend(bundle, customer, asked.lane, asked.n, mask)
    return answers.of(served, known=customer is not None, lane=asked.lane, items=answers.items(bundle, found))


def similar_products(served: Served, asked: Related) -> Json:
    """Alternatives to a product: bought by the same customers, by the cosine of the factors."""
    bundle, product = served.bundle, _product(served.bundle, asked.product)
    found = similar(bundle, product, asked.n, answers.allowed(bundle, asked.in_stock))
    return answers.of(served, product=answers.named(bundle, product), items=answers.items(bundle, found))


def bought_together(served: Served, asked: Related) -> Json:
    """What is bought along with a product: rules with confidence, lift, support and count."""
    bundle, product = served.bundle, _product(served.bundle, asked.product)
    found = answers.bought_together(bundle, [product], asked.n, answers.allowed(bundle, asked.in_stock))
    return answers.of(served, product=answers.named(bundle, product), items=found)


def popular(served: Served, asked: Popular) -> Json:
    """What trends, or has most buyers within the last `days` days; one category or all."""
    bundle, days = served.bundle, asked.days
    windows = bundle.manifest["recent_days"]
    if days is not None and days not in windows:
        raise Problem(400, "bad_parameter", f"days: Input should be one of {windows}", "days")
    strength = bundle.trend if days is None else bundle.recent[windows.index(days)]
    found = trending(bundle, asked.n, answers.allowed(bundle, asked.in_stock, asked.category), strength)
    return answers.of(served, category=asked.category, days=asked.days, items=answers.items(bundle, found))


def model(served: Served, asked: Question) -> Json:
    """What the serving model is: window, counts, metrics, verdict."""
    told = {key: value for key, value in served.bundle.manifest.items() if key != "files"}
    return answers.of(served, **told | {"verdict": served.verdict})


def user_recommendations(served: Served, asked: OfUser) -> list[Json]:
    """The top three of a customer, phone numbers in any format (an older system's route)."""
    found = _best(served.bundle, asked.customer, OLDER_USER_ITEMS)
    return [
        {"goodsId": served.bundle.products[item.product].decode(), "rating": answers.number(item.score)}
        for item in found
    ]


def associations(served: Served, asked: OfProduct) -> list[Json]:
    """All rules that start from a product, by falling confidence (an older system's route)."""
    bundle, product = served.bundle, _product(served.bundle, asked.product)
    return [
        {
            "antecedent": asked.product,
            "consequent": bundle.products[bundle.rule_consequent[place]].decode(),
            "confidence": answers.number(bundle.rule_confidence[place]),
        }
        for place in starting_from(bundle, product)
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
        for item in _best(bundle, asked.user_id, OLDER_RECO_ITEMS)
    ]


def _best(bundle: Bundle, customer: str, n: int) -> list[Item]:
    return recommend(bundle, bundle.customer(customer), "for-you", n, answers.allowed(bundle))


def _product(bundle: Bundle, product: str) -> int:
    row = bundle.product(product)
    if row is None:
        raise Problem(404, "unknown_product", "product: the catalogue has no product of this id", "product")
    return row
