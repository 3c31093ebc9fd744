"""The tastes planted in the demo shop's customers, which its pages show beside example shoppers."""

import datetime as dt

from pipelines.demo.catalogue import STYLES
from pipelines.demo.dirt import Dirt
from pipelines.demo.shop import Shop
from pipelines.demo.words import CATEGORIES
from serving.live.identity import AUTO, IdentityRule, pseudonym

Tastes = dict[str, list[str]]


def tastes(key: str, rule: IdentityRule = AUTO) -> Tastes:
    """The favourite departments of every customer, by pseudonym; key: the secret of the pseudonyms.

    They don't depend on the shop's first day.
    """
    shop = Shop(start=dt.date.min)
    return {
        pseudonym(phone, key, rule): [_department(cluster) for cluster in favourites if cluster >= 0]
        for phone, favourites in zip(Dirt(shop).phones, shop.truth.favourites.tolist(), strict=True)
    }


def _department(cluster: int) -> str:
    category = CATEGORIES[cluster // STYLES]
    return f"{category.name} ({category.styles[cluster % STYLES].nouns[0]})"
