"""Products' changes: in every answer, over whatever is live, for every worker."""

import dataclasses
import random
from pathlib import Path
from typing import Any

import bundles
import numpy as np
import pytest
from clients import Client
from pydantic import SecretStr
from stores import changes, shop

from serving.bundle.format import Bundle
from serving.errors import StoreError
from serving.http.routes import create_app
from serving.live.changes import CHANGEABLE, LOOK_SECONDS, Changes, laid_over, view
from serving.live.served import Live, Served
from serving.settings import ServingSettings

ANNA = "/v1/customers/+7(916)539-6205/recommendations"
STRANGER = f"/v1/customers/{bundles.STRANGER}/recommendations"
LISTS = (ANNA, STRANGER, "/v1/popular", "/v1/popular?days=28", "/v1/products/coffee-2/similar")
TOGETHER = "/v1/products/tea-1/bought-together"


@pytest.fixture
def known(tmp_path: Path) -> Changes:
    return changes(tmp_path)


@pytest.fixture
def client(bundle: Bundle, known: Changes) -> Client:
    return shop(bundle, known)


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["product"] for item in answer["items"]]


def test_what_sells_out_is_out_of_every_list_with_the_next_answer(client: Client) -> None:
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
    client.put("/v1/products/coffee-3", json={"stock": True})  # which the bundle has out of stock
    assert ids(client.get(ANNA).json())[:3] == ["coffee-1", "coffee-2", "coffee-3"]


def test_a_price_is_shown_wherever_the_product_is_and_null_takes_it_back(client: Client) -> None:
    def price() -> Any:
        return client.get(ANNA, params={"n": 1}).json()["items"][0]["price"]

    client.put("/v1/products/coffee-1", json={"price": 12.25})
    client.put("/v1/products/coffee-1", json={"stock": True})  # what isn't named stays
    assert price() == 12.25
    client.put("/v1/products/coffee-1", json={"price": None})
    assert price() == 9.5


def test_what_is_hidden_is_recommended_to_nobody(client: Client) -> None:
    assert ids(client.get(TOGETHER).json()) == ["tea-2"]
    client.put("/v1/products/tea-2", json={"hidden": True})
    assert not any("tea-2" in ids(client.get(path).json()) for path in (*LISTS, TOGETHER))
    assert client.get("/products/tea-1/associations").json() == []


def test_changes_lie_over_every_bundle_and_outlive_the_process(
    bundle: Bundle, known: Changes, tmp_path: Path
) -> None:
    live = Live(Served("7", bundle), changes=known)
    client = Client(create_app(live, bundles.KEY))
    client.put("/v1/products/coffee-1", json={"stock": 0, "price": 3})
    live.served = Served("8", dataclasses.replace(bundle, price=bundle.price + 1))
    assert ids(client.get(ANNA).json())[0] == "coffee-2"
    again = shop(bundle, changes(tmp_path))
    answer = again.get(ANNA, params={"in_stock": False, "n": 1}).json()["items"][0]
    assert (answer["product"], answer["price"]) == ("coffee-1", 3)


def test_another_worker_knows_once_it_looks(bundle: Bundle, client: Client, tmp_path: Path) -> None:
    other = changes(tmp_path)
    client.put("/v1/products/coffee-1", json={"stock": 0})
    assert ids(shop(bundle, other).get(ANNA).json())[0] == "coffee-1"
    other.look()
    assert ids(shop(bundle, other).get(ANNA).json())[0] == "coffee-2"


def test_a_worker_looks_by_itself_within_a_fraction_of_a_second(known: Changes, tmp_path: Path) -> None:
    other = changes(tmp_path)
    other.start()
    for product in ("coffee-1", "coffee-2"):
        known.change(product, {"in_stock": False})
        assert bundles.until(lambda sold=product: sold in other.state.products, 10) < 5 * LOOK_SECONDS
    other.stop()


def test_the_arrays_are_made_once_for_a_bundle_and_a_state(bundle: Bundle, known: Changes) -> None:
    bundle.prepare()
    made = known.over(bundle)
    assert known.over(bundle) is made
    known.look()
    assert known.over(bundle) is made
    known.change("coffee-1", {"in_stock": False})
    assert known.over(bundle) is not made
    assert known.over(bundle).gram is bundle.gram
    assert bundle.in_stock[0]  # it stays as it is in its files


def test_changes_one_after_another_leave_what_they_leave_all_at_once(
    bundle: Bundle, known: Changes, seed: int
) -> None:
    rng = random.Random(seed)
    known.over(bundle)
    for _ in range(60):
        name, value = rng.choice([("in_stock", False), ("price", 3.5), ("hidden", True)])
        product = rng.choice(["coffee-1", "coffee-2", "tea-1", "no such"])
        known.change(product, {name: rng.choice([value, None])})
    one_by_one, at_once = known.over(bundle), laid_over(bundle, known.state)
    for name in CHANGEABLE:
        np.testing.assert_array_equal(getattr(one_by_one, name), getattr(at_once, name))


def test_a_product_that_a_bundle_lacks_waits_for_one_that_has_it(bundle: Bundle, known: Changes) -> None:
    for product in ("a", "coffee-1x", "zzz", "чай"):
        known.change(product, {"in_stock": False})
    assert (known.over(bundle).in_stock == bundle.in_stock).all()
    names = ["a", "coffee-1", "coffee-1x", "new", "tea-1", "zzz", "чай"]
    found = known.over(bundles.small(names)).in_stock
    assert [name for name, there in zip(names, found, strict=True) if not there] == [
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
def test_a_wrong_change_is_refused(
    client: Client, product: str, body: Any, status: int, field: str | None
) -> None:
    answer = client.put(f"/v1/products/{product}", json=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field)


@pytest.mark.parametrize(
    "body", ["", "{", '{"price": NaN}', '{"price": 1e999}', '{"price": Infinity}', "null"]
)
def test_a_body_that_is_none_is_refused(client: Client, body: str) -> None:
    assert client.put("/v1/products/coffee-1", content=body).status_code == 400


def test_other_methods_and_paths_below_a_product_stay_unknown(client: Client) -> None:
    assert client.get("/v1/products/coffee-1").status_code == 404
    assert client.get("/v1/products/coffee-1/nonsense").status_code == 404
    assert client.post("/v1/products/coffee-1/similar").status_code == 405


def test_while_the_store_is_down_the_model_answers_and_changes_are_not_acknowledged(
    bundle: Bundle, known: Changes, client: Client, tmp_path: Path
) -> None:
    client.put("/v1/products/coffee-1", json={"stock": 0})
    known.store.engine.dispose()
    for file in (tmp_path / ".nightshelf").glob("store.db*"):
        file.unlink()
    (tmp_path / ".nightshelf" / "store.db").mkdir()
    answer = client.put("/v1/products/coffee-2", json={"stock": 0})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_store")
    assert ids(client.get(ANNA).json())[0] == "coffee-2"


def test_a_service_that_never_reached_its_store_answers_nobody(bundle: Bundle, tmp_path: Path) -> None:
    nowhere = SecretStr("postgresql+psycopg://shop:s3cret@127.0.0.1:1/x")
    known = Changes(ServingSettings(home=tmp_path, store_url=nowhere))
    with pytest.raises(StoreError):
        known.look()
    answer = shop(bundle, known).get(ANNA)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_store")


def test_a_view_is_the_bundle_with_other_arrays_alone(bundle: Bundle) -> None:
    bundle.prepare()
    found = view(bundle, price=np.zeros(7))
    assert (found.price == 0).all()
    assert found.in_stock is bundle.in_stock
    assert found.gram is bundle.gram
