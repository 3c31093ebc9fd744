"""The demo shop's faults over real HTTP: each kind does what it says, as often as configured."""

import datetime as dt
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from ports import free_port
from pydantic import ValidationError

from pipelines.demo.api import app
from pipelines.demo.dirt import Dirt, Order
from pipelines.demo.faults import KINDS, Faults, load
from pipelines.demo.shop import Shop
from pipelines.extract.shops.catalogue import entry_type
from pipelines.extract.shops.listing import ListReader
from pipelines.extract.shops.orders import OrderReader
from pipelines.extract.shops.profile import ECOM, load_profile
from pipelines.settings import Settings
from serving.errors import NightshelfError

SHOP = Shop(start=dt.date(2026, 9, 1), customers=300, products=200, orders_per_day=40)
TODAY = dt.date(2026, 9, 11)  # after 10 days
AUTH = ("shop", "secret")
COMMAND = Path(sys.executable).with_name("nightshelf")

Faulty = Callable[..., httpx.Client]
PROFILE = load_profile(ECOM)
ORDER_PAGE = OrderReader(PROFILE, Settings(), "", "").list.shape
GOOD_PAGE = ListReader(PROFILE.catalogue, entry_type(PROFILE.catalogue), 2).shape


@pytest.fixture
def faulty(serve: Callable[..., str]) -> Iterator[Faulty]:
    """A function from faults to a client of a shop with these faults."""
    clients = []

    def start(**faults: Any) -> httpx.Client:
        address = serve(app(SHOP, *AUTH, lambda: TODAY, Faults(**faults)))
        auth = httpx.BasicAuth(*AUTH)
        clients.append(httpx.Client(base_url=address, auth=auth, trust_env=False))
        return clients[-1]

    yield start
    for client in clients:
        client.close()


def days() -> list[list[Order]]:
    """The orders of each of the shop's first eleven days, without faults."""
    dirt = Dirt(SHOP)
    return [dirt.listing(day).orders for day in islice(SHOP.days(), 11)]


def orders() -> list[Order]:
    return [order for day in days()[:10] for order in day]


def get_orders(client: httpx.Client, page: int, size: int = 30) -> httpx.Response:
    return client.get("/orders", params={"expand": "basket", "page": page, "per-page": size})


def everything(client: httpx.Client) -> list[Order]:
    return [order for page in range(1, 40) for order in get_orders(client, page).json()["orders"]]


def outcome(client: httpx.Client) -> str:
    """The kind of fault in the response to a request for the third page."""
    try:
        answer = get_orders(client, 3)
    except httpx.RemoteProtocolError:
        return "reset"
    if answer.is_error:
        return {500: "server_error", 429: "too_many"}[answer.status_code]
    try:
        received = answer.json()["orders"]
    except json.JSONDecodeError:
        return "truncated" if answer.content.startswith(b"{") else "malformed"
    if not fits(ORDER_PAGE, answer.content):
        return "wrong_type"
    return "right" if received == orders()[60:90] else "moved"


def fits(shape: Any, body: bytes) -> bool:
    try:
        shape.validate_json(body)
    except ValidationError:
        return False
    return True


def test_without_faults_the_shop_is_unchanged(faulty: Faulty) -> None:
    assert everything(faulty(seed=3)) == orders()


def test_a_server_error_is_a_500(faulty: Faulty) -> None:
    client = faulty(server_error=1)
    assert {get_orders(client, page).status_code for page in range(1, 5)} == {500}
    assert {client.get(path).status_code for path in ("/goods", "/goods/10001")} == {500}


def test_too_many_is_a_429_with_retry_after(faulty: Faulty) -> None:
    answer = get_orders(faulty(too_many=1, retry_after=17), 1)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "17")


def test_faults_change_neither_health_nor_authentication(faulty: Faulty) -> None:
    client = faulty(server_error=1)
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/orders", auth=("shop", "wrong")).status_code == 401


def test_slow_exceeds_a_short_timeout(faulty: Faulty) -> None:
    client = faulty(slow=1, slow_seconds=0.5)
    with pytest.raises(httpx.ReadTimeout):
        client.get("/orders", timeout=0.2)
    assert get_orders(client, 1).json()["orders"] == orders()[:30]


def test_latency_delays_every_response(faulty: Faulty) -> None:
    client = faulty(latency=0.15, server_error=0.5, seed=1)
    for path in ("/orders", "/goods", "/orders", "/goods"):
        before = time.monotonic()
        client.get(path)
        assert 0.15 <= time.monotonic() - before < 1


def test_a_reset_breaks_the_connection_in_the_middle_of_the_body(faulty: Faulty) -> None:
    client, right = faulty(reset=1), get_orders(faulty(), 1).content
    for _ in range(3):
        received = b""
        with (
            pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"),
            client.stream("GET", "/orders", params={"expand": "basket", "per-page": 30}) as answer,
        ):
            assert answer.headers["Content-Length"] == str(len(right))
            for part in answer.iter_raw():
                received += part
        assert received == right[: len(right) // 2]


def test_a_truncated_response_is_json_cut_in_the_middle(faulty: Faulty) -> None:
    answer, right = get_orders(faulty(truncated=1), 1), get_orders(faulty(), 1).content
    assert (answer.status_code, answer.content) == (200, right[: len(right) // 2])
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_malformed_response_is_no_json_from_the_start(faulty: Faulty) -> None:
    answer = get_orders(faulty(malformed=1), 1)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError, match="char 0"):
        answer.json()


def test_a_duplicated_page_has_the_orders_of_another_page(faulty: Faulty) -> None:
    client = faulty(duplicated=1)
    right = [orders()[start : start + 30] for start in range(0, len(orders()), 30)]
    seen = [right.index(get_orders(client, 3).json()["orders"]) for _ in range(80)]
    assert set(seen) == set(range(len(right))) - {2}
    assert get_orders(client, 1, size=1000).json()["orders"] == orders()  # there is no other page
    assert client.get("/goods", params={"page": 99}).json()["goods"] != []


def test_a_shifted_page_starts_up_to_three_orders_earlier_or_later(faulty: Faulty) -> None:
    client, right = faulty(shifted=1), orders()
    middle, first = Counter(), Counter()
    for _ in range(60):
        for page, seen in ((3, middle), (1, first)):
            received = get_orders(client, page).json()["orders"]
            start = right.index(received[5]) - 5
            assert received == right[start : start + 30]
            seen[start - 30 * (page - 1)] += 1
    assert set(middle) == {-3, -2, -1, 1, 2, 3}
    assert set(first) == {1, 2, 3}


def test_goods_are_shifted_too(faulty: Faulty) -> None:
    wrong, right = (client.get("/goods").json() for client in (faulty(shifted=1), faulty()))
    assert (len(wrong["goods"]), wrong["pageCount"]) == (100, right["pageCount"])
    assert wrong["goods"][:90] in [right["goods"][step : step + 90] for step in (1, 2, 3)]


def test_a_wrong_type_is_valid_json_that_breaks_the_contract(faulty: Faulty) -> None:
    client, broken = faulty(wrong_type=1), set()
    for _ in range(80):
        for path, shape in (
            ("/orders?expand=basket&per-page=2", ORDER_PAGE),
            ("/goods?per-page=2", GOOD_PAGE),
        ):
            answer = client.get(path).raise_for_status()
            assert answer.json()
            with pytest.raises(ValidationError) as error:
                shape.validate_json(answer.content)
            broken |= {part for detail in error.value.errors() for part in detail["loc"]}
    assert broken > {
        "orders",
        "goods",
        "pageCount",
        "id",
        "clientTel",
        "createdAt",
        "basket",
        "price",
        "inStock",
    }
    wrong, right = (shop.get("/goods/10001").json() for shop in (client, faulty()))
    assert [[value] for name, value in right.items() if wrong[name] != value] == [
        value for value in wrong.values() if isinstance(value, list)
    ]


def test_growth_lists_more_of_todays_orders_with_each_request(faulty: Faulty) -> None:
    client, past, today = faulty(growth=7), orders(), days()[10]
    for request in range(1, 12):
        answer = get_orders(client, 1, size=10)
        expected = len(past) + min(7 * request, len(today))
        assert answer.json()["pageCount"] == -(-expected // 10)
        assert answer.json()["orders"] == past[:10]
    assert len(today) < 7 * 11
    assert everything(client) == past + today


def test_growth_starts_again_each_day(serve: Callable[..., str]) -> None:
    date = [TODAY]
    address = serve(app(SHOP, *AUTH, lambda: date[0], Faults(growth=5)))
    with httpx.Client(base_url=address, auth=httpx.BasicAuth(*AUTH), trust_env=False) as client:
        assert get_orders(client, 1, 1).json()["pageCount"] == len(orders()) + 5
        date[0] += dt.timedelta(days=1)
        assert get_orders(client, 1, 1).json()["pageCount"] == len(orders()) + len(days()[10]) + 5


def test_a_quiet_day_has_no_orders_and_changes_no_other_day(faulty: Faulty) -> None:
    expected = [order for number, day in enumerate(days()[:10]) if number not in (0, 4, 9) for order in day]
    assert everything(faulty(quiet_days=[0, 4, 9])) == expected


def test_the_seed_determines_the_faults(faulty: Faulty) -> None:
    shares = dict.fromkeys(("server_error", "too_many", "reset", "malformed", "wrong_type"), 0.15)
    sequences = [
        [outcome(client) for _ in range(40)] for client in (faulty(seed=s, **shares) for s in (5, 5, 6))
    ]
    assert sequences[0] == sequences[1] != sequences[2]


def test_faults_occur_as_often_as_configured(faulty: Faulty, seed: int) -> None:
    shares = {"server_error": 0.1, "too_many": 0.05, "reset": 0.1, "truncated": 0.1, "malformed": 0.05}
    shares |= {"duplicated": 0.1, "shifted": 0.1, "wrong_type": 0.1}
    client, n = faulty(seed=seed, **shares), 400
    seen = Counter(outcome(client) for _ in range(n))
    expected = shares | {"moved": 0.2, "right": 0.3}
    del expected["duplicated"], expected["shifted"]
    for kind, share in expected.items():
        assert abs(seen[kind] - n * share) < 5 * (n * share * (1 - share)) ** 0.5, seen  # 5 sigma
    assert seen.keys() == expected.keys()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resets = 0.1", "resets: Extra inputs"),
        ("reset = 1.1", "reset: Input should be less than or equal to 1"),
        ("slow = nan", "slow: Input should be"),
        ("latency = inf", "latency: Input should be a finite number"),
        ("reset = 0.6\nslow = 0.5", "reset: Value error, with this share the sum of all shares is above 1"),
        ("seed = -1", "seed: Input should be greater"),
        (
            "quiet_days = [1, -1]",
            "quiet_days.1: Input should be greater|quiet_days.-?1: Input should be greater",
        ),
        ("reset 0.1", "can't be read: Expected '='"),
        ("reset = 0.1 # \udcff", "can't be read: 'utf-8' codec"),
    ],
)
def test_an_invalid_file_is_one_line_naming_the_key(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "faults.toml"
    file.write_text(text, errors="surrogateescape")
    with pytest.raises(NightshelfError, match=message) as error:
        load(file)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_the_sum_of_the_shares_may_be_one(tmp_path: Path) -> None:
    (tmp_path / "faults.toml").write_text("\n".join(f"{kind} = 0.1" for kind in KINDS) + "\nseed = 5")
    assert load(tmp_path / "faults.toml") == Faults(seed=5, **dict.fromkeys(KINDS, 0.1))
    Faults(server_error=0.2, too_many=0.4, slow=0.3, reset=0.1)  # a plain sum of these floats is above 1


def environment(port: int) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTSHELF_")}
    start = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    chosen = {
        "SHOP_PORT": port,
        "SHOP_USER": "me",
        "SHOP_PASSWORD": "x",
        "HOST": "127.0.0.1",
        "DEMO_START": start,
    }
    return plain | {f"NIGHTSHELF_{name}": str(value) for name, value in chosen.items()}


def test_the_command_injects_the_faults_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "faults.toml").write_text("reset = 1")
    port = free_port()
    server = subprocess.Popen(
        [COMMAND, "demo-shop", "--faults", "faults.toml"],
        cwd=tmp_path,
        env=environment(port),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        with httpx.Client(
            transport=httpx.HTTPTransport(retries=8), base_url=f"http://127.0.0.1:{port}"
        ) as client:
            client.get("/health").raise_for_status()
            with pytest.raises(httpx.RemoteProtocolError):
                client.get("/orders", auth=("me", "x"))
    finally:
        server.terminate()
        output, _ = server.communicate()
    assert "Traceback" not in output


def test_the_command_reports_a_missing_file_in_one_line(tmp_path: Path) -> None:
    command = [COMMAND, "demo-shop", "--faults", "none.toml"]
    process = subprocess.run(
        command, check=False, cwd=tmp_path, env=environment(1), capture_output=True, text=True
    )
    assert process.returncode == 1
    assert re.fullmatch(
        r"nightshelf: the faults in none.toml can't be read: .*No such file.*\n", process.stderr
    )
