"""`inspect` on shops' APIs: the profile that it writes reads the shop, and nobody's data is shown."""

import datetime as dt
import io
import tomllib
from collections import Counter
from types import SimpleNamespace

import pytest
import recorded_woocommerce
from recorded_bigcommerce import BigCommerce
from recorded_magento import Magento
from recorded_prestashop import PrestaShop
from recorded_shopify import Shopify
from recorded_woocommerce import WooCommerce
from rich.console import Console
from starlette.responses import PlainTextResponse

from pipelines import columns as c
from pipelines import extract
from pipelines.extract import pulls, raw
from pipelines.extract.inspect import shop as inspected
from pipelines.extract.inspect.command import inspect
from pipelines.extract.inspect.shop_profile import ShopGuess
from pipelines.extract.mapping_tables import alternatives
from pipelines.extract.shops.profile import load_profile, shipped
from pipelines.run.progress import silent
from pipelines.settings import settings
from serving.errors import NightshelfError

SHOPS = [WooCommerce, Shopify, Magento, BigCommerce, PrestaShop]
ORDERS = 24
NOBODY = "http://127.0.0.1:9"  # discard, where nothing listens
TODAY = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)


@pytest.fixture
def connected(home, monkeypatch, serve):
    """Returns a function that serves a shop and sets its credentials; it returns the shop's address."""

    def connect(shop, **overrides):
        given = {name: value for name, value in shop.settings.items() if name != "PROFILE"}
        for name, value in (given | {"BACKOFF": 0.001} | overrides).items():
            monkeypatch.setenv(f"NIGHTSHELF_SHOP_{name}", str(value))
        settings.cache_clear()
        return serve(shop)

    return connect


def text_of(inspection):
    (console := Console(file=io.StringIO(), width=400)).print(inspection.report)
    return console.file.getvalue()


def pulled(url, profile, monkeypatch):
    """Returns the pieces kept in raw/ by product, and the reasons of the lines left out."""
    monkeypatch.setenv("NIGHTSHELF_SHOP_URL", url)
    monkeypatch.setenv("NIGHTSHELF_SHOP_PROFILE", str(profile))
    settings.cache_clear()
    source = extract.source("shop-api", "", "")
    pulls.pull(source, TODAY, False, silent)
    lines = raw.read(raw.pulls(source.name), [c.PRODUCT, c.QUANTITY, c.LEFT_OUT]).to_pylist()
    pieces = Counter()
    for line in lines:
        if line[c.LEFT_OUT] is None:
            pieces[line[c.PRODUCT]] += float(line[c.QUANTITY])
    return +pieces, Counter(line[c.LEFT_OUT] for line in lines if line[c.LEFT_OUT])


def bought(shop):
    pieces = Counter()
    for (_, _, product), (count, _) in shop.truth().items():
        pieces[product] += count
    return pieces


@pytest.mark.parametrize("kind", SHOPS)
def test_the_profile_that_it_writes_reads_the_shop(connected, seed, kind, tmp_path, monkeypatch):
    shop = kind(seed).fill(ORDERS)
    for _ in range(20):
        shop.act()
    url = connected(shop)
    inspection = inspect(url, shop.settings["PROFILE"], tmp_path / "own.toml")
    assert inspection.is_usable
    text = text_of(inspection)
    assert "shop.example" not in text
    assert len([line for line in text.splitlines() if "***" in line]) <= 20
    content = tomllib.loads((tmp_path / "own.toml").read_text())
    assert content == {"extends": shop.settings["PROFILE"]}
    assert "10***" not in text  # no order's number is masked
    for reason in set(shop.states().values()):
        assert f"left out: {reason}" in text
    pieces, _ = pulled(url, tmp_path / "own.toml", monkeypatch)
    assert pieces == bought(shop)


@pytest.mark.parametrize("kind", SHOPS)
def test_without_a_profile_the_one_that_answers_is_named(connected, seed, kind):
    shop = kind(seed).fill(3)
    url = connected(shop)
    inspection = inspect(url, None, None)
    assert f'extends = "{shop.settings["PROFILE"]}"' in inspection.toml
    lists = [path for path in shop.requests if "order" in path or "graphql" in path or "admin" in path]
    assert len(lists) <= len(shipped()) + 2 + 2 * len(shop.orders)


@pytest.mark.parametrize("kind", SHOPS)
def test_without_credentials_the_profile_and_its_settings_are_named(connected, seed, kind):
    shop = kind(seed).fill(3)
    names = {"TOKEN", "USER", "PASSWORD"} & shop.settings.keys()
    url = connected(shop, **dict.fromkeys(names, ""))
    with pytest.raises(NightshelfError, match=shop.settings["PROFILE"]) as raised:
        inspect(url, None, None)
    assert all(f"NIGHTSHELF_SHOP_{name}" in str(raised.value) for name in names)
    with pytest.raises(NightshelfError, match="NIGHTSHELF_SHOP_"):
        inspect(url, shop.settings["PROFILE"], None)


@pytest.mark.parametrize("profile", [None, "magento", "woocommerce"])
def test_a_page_instead_of_an_api_is_one_sentence(serve, home, monkeypatch, profile):
    monkeypatch.setenv("NIGHTSHELF_SHOP_TOKEN", "t")
    monkeypatch.setenv("NIGHTSHELF_SHOP_BACKOFF", "0.001")
    settings.cache_clear()
    url = serve(PlainTextResponse("<html>Welcome</html>", 200))
    with pytest.raises(NightshelfError, match=r"profile|PROFILE") as raised:
        inspect(url, profile, None)
    assert url in str(raised.value)


def test_a_shop_that_is_down_is_named_at_once(home):
    for profile in (None, "woocommerce"):
        with pytest.raises(NightshelfError, match="NIGHTSHELF_SHOP_URL"):
            inspect(NOBODY, profile, None)


def test_credentials_in_the_address_are_refused_and_not_repeated(home):
    with pytest.raises(NightshelfError, match="NIGHTSHELF_SHOP_URL") as raised:
        inspect("https://me:secret-one@shop.example", "woocommerce", None)
    assert "secret-one" not in str(raised.value)


def test_an_empty_list_can_not_be_judged(connected, seed):
    shop = WooCommerce(seed)
    inspection = inspect(connected(shop), "woocommerce", None)
    assert not inspection.is_usable
    assert "none yet" in text_of(inspection)


def test_a_shops_own_status_becomes_a_rule_and_an_unknown_one_a_question(
    connected, seed, tmp_path, monkeypatch
):
    shop = WooCommerce(seed).fill(ORDERS)
    states = recorded_woocommerce.STATES | {"cancelled": "storniert", "unpaid": "bei-oma"}
    monkeypatch.setattr(recorded_woocommerce, "STATES", states)
    for number, order in enumerate(shop.orders.values()):
        order.state = ("paid", "cancelled", "unpaid")[number % 3]
    url = connected(shop)
    inspection = inspect(url, "woocommerce", tmp_path / "own.toml")
    assert [item for item in inspection.draft.undecided if "'bei-oma'" in item and "storniert" not in item]
    _, left_out = pulled(url, tmp_path / "own.toml", monkeypatch)
    cancelled = [order for order in shop.orders.values() if order.state == "cancelled"]
    assert left_out == {"cancelled": sum(len(order.lines) for order in cancelled)}
    assert load_profile(str(tmp_path / "own.toml")).leave_out[0].values == ("cancelled", "trash")


def test_a_profile_of_ones_own_keeps_what_it_says(connected, seed, tmp_path):
    shop = WooCommerce(seed).fill(5)
    own = 'extends = "woocommerce" # ours\nguests = false\n[columns]\nproduct = "line_items.sku"\n'
    (tmp_path / "mine.toml").write_text(own.replace("line_items.sku", "line_items.variation_id"))
    next(iter(shop.orders.values())).customer = 0
    inspect(connected(shop), str(tmp_path / "mine.toml"), tmp_path / "new.toml")
    assert "# ours" in (tmp_path / "new.toml").read_text()
    profile = load_profile(str(tmp_path / "new.toml"))
    assert profile.guests
    assert profile.columns[c.PRODUCT] == "line_items.variation_id"


ORDER = {
    "medusa": {"id": "a", "status": "pending", "payment_status": "captured", "email": "a@shop.example"},
    "magento": {"entity_id": "1", "state": "processing", "status": "pending", "customer_id": "3"},
    "bigcommerce": {"id": "1", "status_id": "11", "status": "Awaiting Fulfillment", "customer_id": "4"},
    "vendure": {"id": "7", "state": "PaymentSettled", "active": "false", "customer": {"id": "2"}},
}


@pytest.mark.fast
@pytest.mark.parametrize("name", ORDER)
def test_what_the_profile_judges_elsewhere_is_left_to_it(name):
    """Medusa's paid orders are `pending`, too: their payment_status counts."""
    profile = load_profile(name)
    when = alternatives(profile.columns[c.ORDERED_AT])[0]
    orders = [ORDER[name] | {when: "2026-09-21T10:00:00Z"}]
    draft = ShopGuess(SimpleNamespace(profile=profile, dialect=profile), orders, orders).draft
    assert "leave_out" not in draft.content
    assert draft.undecided == []


@pytest.mark.fast
def test_what_the_page_shows_of_people_and_money_is_asked_or_said():
    profile = load_profile("ecom")
    orders = [
        {"id": "1", "createdAt": "2026-09-21 10:00", "clientTel": "8 916 539 6205", "currency": "EUR"},
        {"id": "2", "createdAt": "2026-09-21 10:00", "clientTel": None, "currency": "USD"},
    ]
    draft = ShopGuess(SimpleNamespace(profile=profile, dialect=profile), orders, orders).draft
    assert draft.content == {"guests": True}
    questions = " ".join(draft.undecided)
    assert all(word in questions for word in ("NIGHTSHELF_SHOP_COUNTRY", "timezone", "EUR, USD"))


def test_a_page_is_at_most_a_hundred_orders(connected, seed):
    shop = WooCommerce(seed).fill(130)
    assert f"{inspected.ORDERS} orders of the first page" in text_of(
        inspect(connected(shop), "woocommerce", None)
    )
