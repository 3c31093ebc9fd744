"""Answers that are kept are those that would be computed anew, and nothing is computed twice in between."""

import dataclasses
from pathlib import Path
from typing import Any

import bundles
import numpy as np
import pytest
import random_bundles
from clients import Client
from stores import open_changes

from serving.bundle.format import Bundle
from serving.http import endpoints, kept
from serving.http.kept import KeptAnswers, LastingAnswer
from serving.http.requests import RecommendationsQuery
from serving.http.routes import create_app
from serving.live.changes import Changes
from serving.live.identity import pseudonym
from serving.live.merchandising import Merchandising
from serving.live.served import Served, ServingState

pytestmark = pytest.mark.fast

CUSTOMERS = 6
RULE = '[[rule]]\nname = "{0}"\nact = "pin"\nproducts = ["{0}"]\n'


def with_pseudonyms(bundle: Bundle) -> Bundle:
    customers = sorted(pseudonym(f"c{number}", bundles.KEY) for number in range(len(bundle.customers)))
    return dataclasses.replace(bundle, customers=np.array([each.encode() for each in customers]))


@pytest.fixture
def changes(tmp_path: Path) -> Changes:
    return open_changes(tmp_path)


@pytest.fixture
def state(changes: Changes, tmp_path: Path, seed: int) -> ServingState:
    bundle = with_pseudonyms(random_bundles.draw(np.random.default_rng(seed)))
    file = tmp_path / "rules.toml"
    file.write_text("")
    return ServingState(Served("1", bundle, merchandising=Merchandising(file)), changes=changes)


def ask(client: Client, number: int) -> Any:
    paths = (
        f"/v1/customers/c{number % CUSTOMERS}/recommendations",
        f"/v1/customers/c{number % CUSTOMERS}/recommendations?lane=discover&n=5&in_stock=false",
        f"/v1/customers/c{number % CUSTOMERS}/recommendations?exclude=00001,00002&rules=false",
        "/v1/customers/nobody-knows-me/recommendations",
    )
    answer = client.get(paths[number % len(paths)])
    assert answer.status_code == 200
    return answer.json()


def test_kept_answers_are_those_computed_anew_whatever_changes(
    state: ServingState, tmp_path: Path, seed: int
) -> None:
    rng, keeping = np.random.default_rng(seed), Client(create_app(state, bundles.KEY))
    for step in range(150):
        number = int(rng.integers(0, 24))
        assert ask(keeping, number) == ask(Client(create_app(state, bundles.KEY)), number)
        if step % 5 == 0:
            change(keeping, state, tmp_path / "rules.toml", rng)


def change(client: Client, state: ServingState, rules: Path, rng: np.random.Generator) -> None:
    customer, product = f"c{rng.integers(0, CUSTOMERS)}", f"{rng.integers(0, 300):05}"
    kind = rng.integers(0, 6)
    if kind < 2:
        client.put(f"/v1/products/{product}", json={"stock": int(rng.integers(0, 2)), "price": 5})
    elif kind < 4:
        event = {"customer": customer, "product": product, "kind": str(rng.choice(["purchase", "view"]))}
        assert client.post("/v1/events", json=event).status_code == 200
    elif kind == 4:
        rules.write_text(RULE.format(product))
    elif rng.random() < 0.5:
        client.delete(f"/v1/customers/{customer}")
    else:
        assert state.served is not None
        bundle = with_pseudonyms(random_bundles.draw(rng))
        state.served = dataclasses.replace(state.served, version=f"{rng.integers(2, 99)}", bundle=bundle)


def test_nothing_is_computed_twice_until_it_changes(
    state: ServingState, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed, rankings = [], endpoints.rankings

    def recorded(bundle: Bundle, customers: list[int | None], *more: Any, **others: Any) -> Any:
        computed.append(customers)
        return rankings(bundle, customers, *more, **others)

    monkeypatch.setattr(endpoints, "rankings", recorded)
    client = Client(create_app(state, bundles.KEY))
    for _ in range(3):
        ask(client, 0)
        ask(client, 4)
    assert len(computed) == 2
    client.post("/v1/events", json={"customer": "c0", "product": "00001", "kind": "view"})
    ask(client, 0)
    ask(client, 4)
    assert len(computed) == 3  # customer c4 was not touched
    client.put("/v1/products/00001", json={"stock": 0})
    ask(client, 0)
    ask(client, 4)
    assert len(computed) == 5


def test_the_answers_kept_take_bounded_memory_and_those_asked_for_last_stay(bundle: Bundle) -> None:
    room = 5
    computed: list[str] = []
    answers = KeptAnswers(most_bytes=room * 1300)

    def render(customer: str) -> None:
        def compute() -> dict[str, Any]:
            computed.append(customer)
            return {}

        query = RecommendationsQuery.model_construct(customer=customer)
        answers.render(LastingAnswer(query, "1", bundle, None, [], compute))

    for number in range(50):
        render(f"{number:03}")
        render("always")
    assert computed.count("always") == 1
    assert len(answers._kept) <= room
    assert answers._bytes == sum(kept._size(key, each.rendered) for key, each in answers._kept.items())
