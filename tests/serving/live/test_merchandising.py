"""The shop's own rules over the small bundle: anna's order is coffee-1, coffee-2, tea-1, tea-2, tea-3."""

import logging
from pathlib import Path
from typing import Any

import bundles
import drawn
import numpy as np
import pytest
from clients import Client

from serving.bundle.format import Bundle
from serving.http.routes import create_app
from serving.live.merchandising import Shop, ShopRules
from serving.live.served import Live, Served
from serving.recommend import recommender

ANNA = "/v1/customers/+7(916)539-6205/recommendations"
STRANGER = f"/v1/customers/{bundles.STRANGER}/recommendations"
PLAIN = ["coffee-1", "coffee-2", "tea-1", "tea-2", "tea-3"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rules.toml"


@pytest.fixture
def client(bundle: Bundle, file: Path) -> Client:
    return Client(create_app(Live(Served("7", bundle, shop=Shop(file))), bundles.KEY))


def write(file: Path, *rules: str) -> None:
    file.write_text("\n".join(f"[[rule]]\n{rule}" for rule in rules))


def asked(client: Client, path: str = ANNA, **options: Any) -> list[str]:
    return [item["product"] for item in client.get(path, params=options).json()["items"]]


def told(client: Client, path: str = ANNA, **options: Any) -> dict[str, str | None]:
    return {item["product"]: item.get("rule") for item in client.get(path, params=options).json()["items"]}


def test_pins_come_first_in_the_order_of_the_rules(client: Client, file: Path) -> None:
    write(file, 'name = "a"\nact = "pin"\nproducts = ["tea-3"]', 'name = "b"\nact = "pin"\nbrands = ["Acme"]')
    assert asked(client) == ["tea-3", "coffee-1", "coffee-2", "tea-1", "tea-2"]
    assert asked(client, n=2) == ["tea-3", "coffee-1"]
    assert told(client) == {"tea-3": "a", "coffee-1": "b", "coffee-2": "b", "tea-1": "b", "tea-2": "b"}
    assert asked(client, STRANGER)[0] == asked(client, "/v1/popular")[0] == "tea-3"
    assert asked(client, category="coffee") == ["coffee-1", "coffee-2"]  # filters hold for pins
    assert asked(client, lane="buy-again") == ["coffee-1", "coffee-2"]  # and so do lanes


def test_a_boost_multiplies_the_gain_of_the_place(client: Client, file: Path) -> None:
    """Gains of the first five: 1, 0.63, 0.5, 0.43, 0.39."""
    write(file, 'name = "more tea"\nact = "boost"\nproducts = ["tea-1"]\nfactor = 1.3')
    assert asked(client) == ["coffee-1", "tea-1", "coffee-2", "tea-2", "tea-3"]  # 0.65
    write(file, 'name = "more tea"\nact = "boost"\ncategories = ["tea"]\nfactor = 2.2')
    assert asked(client) == ["tea-1", "coffee-1", "tea-2", "tea-3", "coffee-2"]  # 1.1, 1, 0.95, 0.85, 0.63
    assert asked(client, n=1) == ["tea-1"]
    assert told(client, n=2) == {"tea-1": "more tea", "coffee-1": None}
    write(file, 'name = "less"\nact = "boost"\nproducts = ["coffee-1"]\nfactor = 0.6')
    assert asked(client)[:2] == ["coffee-2", "coffee-1"]


def test_scores_and_reasons_stay(client: Client, file: Path) -> None:
    before = {item["product"]: item for item in client.get(ANNA).json()["items"]}
    write(
        file, 'name = "a"\nact = "pin"\nproducts = ["tea-2"]', 'name = "b"\nact = "bury"\nbrands = ["Acme"]'
    )
    after = client.get(ANNA).json()["items"]
    assert [item["product"] for item in after] == ["tea-2", "tea-3", "coffee-1", "coffee-2", "tea-1"]
    for item in after:
        item.pop("rule", None)
        assert item == before[item["product"]]


def test_what_is_buried_fills_up_and_what_is_excluded_does_not(client: Client, file: Path) -> None:
    write(file, 'name = "b"\nact = "bury"\ncategories = ["coffee"]')
    assert asked(client, n=4) == ["tea-1", "tea-2", "tea-3", "coffee-1"]
    assert asked(client, category="coffee") == ["coffee-1", "coffee-2"]
    write(file, 'name = "x"\nact = "exclude"\ncategories = ["coffee"]\nproducts = ["tea-2", "unheard-of"]')
    assert asked(client) == ["tea-1", "tea-3"]
    assert asked(client, "/v1/products/coffee-2/similar") == []
    assert asked(client, "/v1/products/tea-1/bought-together") == []
    assert client.get("/users/79165396205/recommendations").json()[0]["goodsId"] == "tea-1"
    assert client.get("/products/tea-1/associations").json() == []
    cart = client.post("/v1/cart/recommendations", json={"cart": ["coffee-1"]}).json()["items"]
    assert {item["product"] for item in cart} == {"tea-1", "tea-3"}
    many = client.post("/v1/recommendations", json={"customers": [bundles.ANNA]}).json()["customers"]
    assert [item["product"] for item in many[0]["items"]] == ["tea-1", "tea-3"]


def test_the_first_rule_about_a_product_counts_and_an_exclusion_always(client: Client, file: Path) -> None:
    pin, bury = 'name = "p"\nact = "pin"\nproducts = ["tea-1"]', 'name = "b"\nact = "bury"\nbrands = ["Acme"]'
    write(file, pin, bury)
    assert asked(client)[:2] == ["tea-1", "tea-3"]
    write(file, bury, pin)
    assert asked(client)[0] == "tea-3"
    write(file, pin, 'name = "x"\nact = "exclude"\nproducts = ["tea-1"]')
    assert "tea-1" not in asked(client)


def test_rules_have_their_days_and_can_be_looked_at_before(client: Client, file: Path) -> None:
    rule = 'act = "pin"\nproducts = ["tea-3"]'
    write(file, f'name = "xmas"\nfrom = 2100-12-01\nuntil = 2100-12-24\n{rule}')
    assert asked(client) == PLAIN
    assert client.get("/v1/model").json()["rules"] == {"in_force": [], "error": None}
    for day, first in (("11-30", "coffee-1"), ("12-01", "tea-3"), ("12-24", "tea-3"), ("12-25", "coffee-1")):
        assert asked(client, on=f"2100-{day}")[0] == first
    write(file, f'name = "now"\nuntil = 2100-12-24\n{rule}')
    assert asked(client)[0] == "tea-3"
    assert asked(client, rules=False) == PLAIN
    in_force = client.get("/v1/model").json()["rules"]["in_force"]
    assert in_force == [{"name": "now", "act": "pin", "products": 1}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[[rule]]\nname = "x"\nact = "lift"\nproducts = ["tea-1"]', "rule.0.act"),
        ('[[rule]]\nname = "x"\nact = "pin"', "names no products, categories or brands"),
        ('[[rule]]\nname = "x"\nact = "pin"\nfactor = 2\nbrands = ["Acme"]', "only a boost has a factor"),
        ('[[rule]]\nname = "x"\nact = "boost"\nfactor = 0\nbrands = ["Acme"]', "rule.0.factor"),
        (
            '[[rule]]\nname = "x"\nact = "pin"\nbrands = ["A"]\nfrom = 2026-02-01\nuntil = 2026-01-01',
            "from is",
        ),
        ('[[rule]]\nname = "x"\nact = "pin"\nbrands = ["A"]\ncolour = "red"', "rule.0.colour"),
        ("[[rule", "can't be read"),
    ],
)
def test_a_file_that_cannot_be_used_changes_nothing_and_says_why(
    client: Client, file: Path, content: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(file, 'name = "p"\nact = "pin"\nproducts = ["tea-3"]')
    assert asked(client)[0] == "tea-3"
    file.write_text(content)
    with caplog.at_level(logging.WARNING):
        assert asked(client)[0] == asked(client)[0] == "tea-3"
    assert said in client.get("/v1/model").json()["rules"]["error"]
    assert len(caplog.messages) == 1
    assert said in caplog.messages[0]
    file.unlink()
    assert asked(client)[0] == "tea-3"
    write(file)
    assert asked(client) == PLAIN
    assert client.get("/v1/model").json()["rules"]["error"] is None


def test_another_bundle_gets_the_rules_too(bundle: Bundle, file: Path) -> None:
    write(file, 'name = "p"\nact = "pin"\nproducts = ["tea-3"]')
    shop, live = Shop(file), Live()
    client = Client(create_app(live, bundles.KEY))
    live.served = Served("1", bundle, shop=shop)
    assert asked(client)[0] == "tea-3"
    renamed = sorted(["a", "b", "c", "d", "e", "f", "tea-3"])
    live.served = Served("2", bundles.small(products=renamed), shop=shop)
    assert asked(client)[0] == "tea-3"


def test_no_product_is_lost_or_comes_twice(seed: int, file: Path) -> None:
    rng = np.random.default_rng(seed)
    bundle = drawn.bundle(rng)
    acts = ["pin", "boost", "bury"]
    for customer in range(8):
        about = {f"category {rng.integers(12)}" for _ in range(3)}
        found = [
            {"name": act, "act": act, "categories": [one]} for act, one in zip(acts, about, strict=False)
        ]
        shop = Shop(rules=ShopRules.model_validate({"rule": found}))
        (ranking,) = recommender.rankings(bundle, [customer], "for-you")
        every = np.ones(len(bundle.products), bool)
        placed = [item.product for item in shop.placing(bundle).place(ranking, 150, every)]
        assert len(set(placed)) == len(placed) == 150
        buried = shop.placing(bundle).buried[placed]
        pinned = shop.placing(bundle).pinned[placed]
        assert (np.diff(pinned.astype(int)) <= 0).all() and (np.diff(buried.astype(int)) >= 0).all()
