"""Product changes apply to every answer, to every bundle, and in every worker."""

import dataclasses
import random
from pathlib import Path
from typing import Any

import bundles
import numpy as np
import pytest
from clients import Client
from pydantic import SecretStr
from stores import client_for, open_changes

from serving.bundle.format import Bundle
from serving.errors import StoreError
from serving.http.routes import create_app
from serving.live.changes import CHANGEABLE, POLL_SECONDS, Changes, with_changes
from serving.live.served import Served, ServingState
from serving.settings import ServingSettings

ANNA = "/v1/customers/+7(916)539-6205/recommendations"
UNKNOWN = f"/v1/customers/{bundles.UNKNOWN_CUSTOMER}/recommendations"
LISTS = (ANNA, UNKNOWN, "/v1/popular", "/v1/popular?days=28", "/v1/products/coffee-2/similar")
TOGETHER = "/v1/products/tea-1/bought-together"


@pytest.fixture
def changes(tmp_path: Path) -> Changes:
    return open_changes(tmp_path)


@pytest.fixture
def client(bundle: Bundle, changes: Changes) -> Client:
    return client_for(bundle, changes)


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["product"] for item in answer["items"]]


def test_a_sold_out_product_disappears_from_every_list_at_once(client: Client) -> None:
    assert all("coffee-1" in ids(client.get(path).json()) for path in LISTS)
    answer = client.put("/v1/products/coffee-1", json={"stock": 0})
    assert answer.json() == {
        "model": {"version": "7"},
        "product": "coffee-1",
        "in_stock": False,
        "price": None,
        "hidden": None,
    }
    assert not any("coffee-1" in ids(client.get(path).json()) for path in LISTS)
    assert "coffee-1" in ids(client.get(ANNA, params={"in_stock": False}).json())
    client.put("/v1/products/coffee-1", json={"stock": 2.5})
    client.put("/v1/products/coffee-3", json={"stock": True})  # out of stock in the bundle
    assert ids(client.get(ANNA).json())[:3] == ["coffee-1", "coffee-2", "coffee-3"]


def test_shows_a_changed_price_until_null_restores_the_bundle_s_price(client: Client) -> None:
    def price() -> Any:
        return client.get(ANNA, params={"n": 1}).json()["items"][0]["price"]

    client.put("/v1/products/coffee-1", json={"price": 12.25})
    client.put("/v1/products/coffee-1", json={"stock": True})  # the price is not named and stays
    assert price() == 12.25
    client.put("/v1/products/coffee-1", json={"price": None})
    assert price() == 9.5


def test_a_hidden_product_is_in_no_list(client: Client) -> None:
    assert ids(client.get(TOGETHER).json()) == ["tea-2"]
    client.put("/v1/products/tea-2", json={"hidden": True})
    assert not any("tea-2" in ids(client.get(path).json()) for path in (*LISTS, TOGETHER))
    assert client.get("/products/tea-1/associations").json() == []


def test_changes_apply_to_the_next_bundle_and_survive_a_restart(
    bundle: Bundle, changes: Changes, tmp_path: Path
) -> None:
    live = ServingState(Served("7", bundle), changes=changes)
    client = Client(create_app(live, bundles.KEY))
    client.put("/v1/products/coffee-1", json={"stock": 0, "price": 3})
    live.served = Served("8", dataclasses.replace(bundle, price=bundle.price + 1))
    assert ids(client.get(ANNA).json())[0] == "coffee-2"
    restarted = client_for(bundle, open_changes(tmp_path))
    answer = restarted.get(ANNA, params={"in_stock": False, "n": 1}).json()["items"][0]
    assert (answer["product"], answer["price"]) == ("coffee-1", 3)


def test_another_worker_applies_a_change_after_its_next_refresh(
    bundle: Bundle, client: Client, tmp_path: Path
) -> None:
    other = open_changes(tmp_path)
    client.put("/v1/products/coffee-1", json={"stock": 0})
    assert ids(client_for(bundle, other).get(ANNA).json())[0] == "coffee-1"
    other.refresh()
    assert ids(client_for(bundle, other).get(ANNA).json())[0] == "coffee-2"


def test_a_worker_refreshes_in_the_background_within_a_second(changes: Changes, tmp_path: Path) -> None:
    other = open_changes(tmp_path)
    other.start()
    for product in ("coffee-1", "coffee-2"):
        changes.update_product(product, {"in_stock": False})
        assert bundles.wait_until(lambda sold=product: sold in other.state.products, 10) < 5 * POLL_SECONDS
    other.stop()


def test_arrays_are_changed_once_per_bundle_and_change(bundle: Bundle, changes: Changes) -> None:
    bundle.precompute()
    changed = changes.apply_to(bundle)
    assert changes.apply_to(bundle) is changed
    changes.refresh()
    assert changes.apply_to(bundle) is changed
    changes.update_product("coffee-1", {"in_stock": False})
    assert changes.apply_to(bundle) is not changed
    assert changes.apply_to(bundle).gram is bundle.gram
    assert bundle.in_stock[0]  # the bundle itself is unchanged


def test_changes_give_the_same_arrays_one_by_one_and_all_at_once(
    bundle: Bundle, changes: Changes, seed: int
) -> None:
    rng = random.Random(seed)
    changes.apply_to(bundle)
    for _ in range(60):
        name, value = rng.choice([("in_stock", False), ("price", 3.5), ("hidden", True)])
        product = rng.choice(["coffee-1", "coffee-2", "tea-1", "no such"])
        changes.update_product(product, {name: rng.choice([value, None])})
    one_by_one, all_at_once = changes.apply_to(bundle), with_changes(bundle, changes.state)
    for name in CHANGEABLE:
        np.testing.assert_array_equal(getattr(one_by_one, name), getattr(all_at_once, name))


def test_a_change_of_a_missing_product_applies_to_a_later_bundle_with_it(
    bundle: Bundle, changes: Changes
) -> None:
    for product in ("a", "coffee-1x", "zzz", "чай"):
        changes.update_product(product, {"in_stock": False})
    assert (changes.apply_to(bundle).in_stock == bundle.in_stock).all()
    names = ["a", "coffee-1", "coffee-1x", "new", "tea-1", "zzz", "чай"]
    in_stock = changes.apply_to(bundles.small(names)).in_stock
    assert [name for name, available in zip(names, in_stock, strict=True) if not available] == [
        "a",
        "coffee-1x",
        "zzz",
        "чай",
    ]


@pytest.mark.parametrize(
    ("product", "body", "status", "field"),
    [
        ("nothing-like-it", {"stock": 1}, 404, "product"),
        ("coffee-1", {"stock": -1}, 400, "stock"),
        ("coffee-1", {"stock": "many"}, 400, "stock"),
        ("coffee-1", {"price": "1"}, 400, "price"),
        ("coffee-1", {"price": -0.5}, 400, "price"),
        ("coffee-1", {"price": True}, 400, "price"),
        ("coffee-1", {"hidden": 1}, 400, "hidden"),
        ("coffee-1", {"colour": "red"}, 400, "colour"),
        ("coffee-1", {"product": "coffee-2"}, 400, "product"),
        ("coffee-1", [1], 400, None),
    ],
)
def test_rejects_an_invalid_change_and_names_the_field(
    client: Client, product: str, body: Any, status: int, field: str | None
) -> None:
    answer = client.put(f"/v1/products/{product}", json=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field)


@pytest.mark.parametrize(
    "body", ["", "{", '{"price": NaN}', '{"price": 1e999}', '{"price": Infinity}', "null"]
)
def test_rejects_a_body_that_is_no_object(client: Client, body: str) -> None:
    assert client.put("/v1/products/coffee-1", content=body).status_code == 400


def test_answers_404_or_405_to_other_methods_and_paths_below_a_product(client: Client) -> None:
    assert client.get("/v1/products/coffee-1").status_code == 404
    assert client.get("/v1/products/coffee-1/nonsense").status_code == 404
    assert client.post("/v1/products/coffee-1/similar").status_code == 405


def test_answers_lists_but_rejects_changes_while_the_store_is_down(
    bundle: Bundle, changes: Changes, client: Client, tmp_path: Path
) -> None:
    client.put("/v1/products/coffee-1", json={"stock": 0})
    changes.store.close()
    for file in (tmp_path / ".nightshelf").glob("store.db*"):
        file.unlink()
    (tmp_path / ".nightshelf" / "store.db").mkdir()
    answer = client.put("/v1/products/coffee-2", json={"stock": 0})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_store")
    assert ids(client.get(ANNA).json())[0] == "coffee-2"


def test_answers_503_until_the_store_has_answered_once(bundle: Bundle, tmp_path: Path) -> None:
    unreachable = SecretStr("postgresql+psycopg://shop:s3cret@127.0.0.1:1/x")
    changes = Changes(ServingSettings(home=tmp_path, store_url=unreachable))
    with pytest.raises(StoreError):
        changes.refresh()
    answer = client_for(bundle, changes).get(ANNA)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_store")


def test_a_copy_with_other_arrays_shares_everything_else(bundle: Bundle) -> None:
    bundle.precompute()
    copy = bundle.with_arrays(price=np.zeros(7))
    assert (copy.price == 0).all()
    assert copy.in_stock is bundle.in_stock
    assert copy.gram is bundle.gram
