"""Merchandising rules on the small bundle: Anna's ranking is coffee-1, coffee-2, tea-1, tea-2, tea-3."""

import logging
from pathlib import Path
from typing import Any

import bundles
import numpy as np
import pytest
import random_bundles
from clients import Client

from serving.bundle.format import Bundle
from serving.http.routes import create_app
from serving.live.merchandising import Merchandising, MerchandisingRules
from serving.live.served import Served, ServingState
from serving.recommend import recommender

pytestmark = pytest.mark.fast

ANNA = "/v1/customers/+7(916)539-6205/recommendations"
UNKNOWN = f"/v1/customers/{bundles.UNKNOWN_CUSTOMER}/recommendations"
PLAIN = ["coffee-1", "coffee-2", "tea-1", "tea-2", "tea-3"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rules.toml"


@pytest.fixture
def client(bundle: Bundle, file: Path) -> Client:
    return Client(
        create_app(ServingState(Served("7", bundle, merchandising=Merchandising(file))), bundles.KEY)
    )


def write(file: Path, *rules: str) -> None:
    file.write_text("\n".join(f"[[rule]]\n{rule}" for rule in rules))


def products(client: Client, path: str = ANNA, **options: Any) -> list[str]:
    return [item["product"] for item in client.get(path, params=options).json()["items"]]


def rule_names(client: Client, path: str = ANNA, **options: Any) -> dict[str, str | None]:
    return {item["product"]: item.get("rule") for item in client.get(path, params=options).json()["items"]}


def test_pins_come_first_in_the_order_of_the_rules(client: Client, file: Path) -> None:
    write(file, 'name = "a"\nact = "pin"\nproducts = ["tea-3"]', 'name = "b"\nact = "pin"\nbrands = ["Acme"]')
    assert products(client) == ["tea-3", "coffee-1", "coffee-2", "tea-1", "tea-2"]
    assert products(client, n=2) == ["tea-3", "coffee-1"]
    assert rule_names(client) == {"tea-3": "a", "coffee-1": "b", "coffee-2": "b", "tea-1": "b", "tea-2": "b"}
    assert products(client, UNKNOWN)[0] == products(client, "/v1/popular")[0] == "tea-3"
    assert products(client, category="coffee") == ["coffee-1", "coffee-2"]  # filters apply to pinned products
    assert products(client, lane="buy-again") == ["coffee-1", "coffee-2"]  # and so do lanes


def test_a_boost_multiplies_the_gain_of_the_rank(client: Client, file: Path) -> None:
    """Gains of the first five: 1, 0.63, 0.5, 0.43, 0.39."""
    write(file, 'name = "more tea"\nact = "boost"\nproducts = ["tea-1"]\nfactor = 1.3')
    assert products(client) == ["coffee-1", "tea-1", "coffee-2", "tea-2", "tea-3"]  # 0.65
    write(file, 'name = "more tea"\nact = "boost"\ncategories = ["tea"]\nfactor = 2.2')
    assert products(client) == ["tea-1", "coffee-1", "tea-2", "tea-3", "coffee-2"]  # 1.1, 1, 0.95, 0.85, 0.63
    assert products(client, n=1) == ["tea-1"]
    assert rule_names(client, n=2) == {"tea-1": "more tea", "coffee-1": None}
    write(file, 'name = "less"\nact = "boost"\nproducts = ["coffee-1"]\nfactor = 0.6')
    assert products(client)[:2] == ["coffee-2", "coffee-1"]


def test_rules_leave_scores_and_reasons_alone(client: Client, file: Path) -> None:
    before = {item["product"]: item for item in client.get(ANNA).json()["items"]}
    write(
        file, 'name = "a"\nact = "pin"\nproducts = ["tea-2"]', 'name = "b"\nact = "bury"\nbrands = ["Acme"]'
    )
    after = client.get(ANNA).json()["items"]
    assert [item["product"] for item in after] == ["tea-2", "tea-3", "coffee-1", "coffee-2", "tea-1"]
    for item in after:
        item.pop("rule", None)
        assert item == before[item["product"]]


def test_buried_products_come_last_and_excluded_ones_never(client: Client, file: Path) -> None:
    write(file, 'name = "b"\nact = "bury"\ncategories = ["coffee"]')
    assert products(client, n=4) == ["tea-1", "tea-2", "tea-3", "coffee-1"]
    assert products(client, category="coffee") == ["coffee-1", "coffee-2"]
    write(file, 'name = "x"\nact = "exclude"\ncategories = ["coffee"]\nproducts = ["tea-2", "unheard-of"]')
    assert products(client) == ["tea-1", "tea-3"]
    assert products(client, "/v1/products/coffee-2/similar") == []
    assert products(client, "/v1/products/tea-1/bought-together") == []
    assert client.get("/users/79165396205/recommendations").json()[0]["goodsId"] == "tea-1"
    assert client.get("/products/tea-1/associations").json() == []
    cart = client.post("/v1/cart/recommendations", json={"cart": ["coffee-1"]}).json()["items"]
    assert {item["product"] for item in cart} == {"tea-1", "tea-3"}
    many = client.post("/v1/recommendations", json={"customers": [bundles.ANNA]}).json()["customers"]
    assert [item["product"] for item in many[0]["items"]] == ["tea-1", "tea-3"]


def test_the_first_rule_of_a_product_applies_and_an_exclusion_always(client: Client, file: Path) -> None:
    pin, bury = 'name = "p"\nact = "pin"\nproducts = ["tea-1"]', 'name = "b"\nact = "bury"\nbrands = ["Acme"]'
    write(file, pin, bury)
    assert products(client)[:2] == ["tea-1", "tea-3"]
    write(file, bury, pin)
    assert products(client)[0] == "tea-3"
    write(file, pin, 'name = "x"\nact = "exclude"\nproducts = ["tea-1"]')
    assert "tea-1" not in products(client)


def test_a_rule_applies_on_its_days_and_can_be_previewed(client: Client, file: Path) -> None:
    rule = 'act = "pin"\nproducts = ["tea-3"]'
    write(file, f'name = "xmas"\nfrom = 2100-12-01\nuntil = 2100-12-24\n{rule}')
    assert products(client) == PLAIN
    assert client.get("/v1/model").json()["rules"] == {"in_force": [], "error": None}
    for day, first in (("11-30", "coffee-1"), ("12-01", "tea-3"), ("12-24", "tea-3"), ("12-25", "coffee-1")):
        assert products(client, on=f"2100-{day}")[0] == first
    write(file, f'name = "now"\nuntil = 2100-12-24\n{rule}')
    assert products(client)[0] == "tea-3"
    assert products(client, rules=False) == PLAIN
    in_force = client.get("/v1/model").json()["rules"]["in_force"]
    assert in_force == [{"name": "now", "act": "pin", "products": 1}]


@pytest.mark.parametrize(
    ("content", "message"),
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
def test_an_invalid_file_keeps_the_old_rules_and_is_reported_once(
    client: Client, file: Path, content: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(file, 'name = "p"\nact = "pin"\nproducts = ["tea-3"]')
    assert products(client)[0] == "tea-3"
    file.write_text(content)
    with caplog.at_level(logging.WARNING):
        assert products(client)[0] == products(client)[0] == "tea-3"
    assert message in client.get("/v1/model").json()["rules"]["error"]
    assert len(caplog.messages) == 1
    assert message in caplog.messages[0]
    file.unlink()
    assert products(client)[0] == "tea-3"
    write(file)
    assert products(client) == PLAIN
    assert client.get("/v1/model").json()["rules"]["error"] is None


def test_the_rules_apply_to_the_next_bundle(bundle: Bundle, file: Path) -> None:
    write(file, 'name = "p"\nact = "pin"\nproducts = ["tea-3"]')
    merchandising, state = Merchandising(file), ServingState()
    client = Client(create_app(state, bundles.KEY))
    state.served = Served("1", bundle, merchandising=merchandising)
    assert products(client)[0] == "tea-3"
    renamed = sorted(["a", "b", "c", "d", "e", "f", "tea-3"])
    state.served = Served("2", bundles.small(products=renamed), merchandising=merchandising)
    assert products(client)[0] == "tea-3"


def test_no_product_is_lost_or_repeated(seed: int, file: Path) -> None:
    rng = np.random.default_rng(seed)
    bundle = random_bundles.draw(rng)
    acts = ["pin", "boost", "bury"]
    for customer in range(8):
        categories = {f"category {rng.integers(12)}" for _ in range(3)}
        rules = [
            {"name": act, "act": act, "categories": [category]}
            for act, category in zip(acts, categories, strict=False)
        ]
        merchandising = Merchandising(rules=MerchandisingRules.model_validate({"rule": rules}))
        (ranking,) = recommender.rankings(bundle, [customer], "for-you")
        allowed = np.ones(len(bundle.products), bool)
        placed = [item.product for item in merchandising.placement(bundle).apply(ranking, 150, allowed)]
        assert len(set(placed)) == len(placed) == 150
        buried = merchandising.placement(bundle).buried[placed]
        pinned = merchandising.placement(bundle).pinned[placed]
        assert (np.diff(pinned.astype(int)) <= 0).all() and (np.diff(buried.astype(int)) >= 0).all()
