"""Every shipped profile reads its shop exactly: in full, by changes, with faults, and while orders change."""

import datetime as dt
from collections import Counter

import pytest
from recorded_bigcommerce import BigCommerce
from recorded_magento import Magento
from recorded_prestashop import ZONE, PrestaShop
from recorded_shopify import Shopify
from recorded_woocommerce import WooCommerce

from pipelines import columns as c
from pipelines import extract
from pipelines.extract import pulls, raw, versions
from pipelines.extract.product_history import RAW_PRODUCTS
from pipelines.run.progress import silent
from pipelines.settings import settings
from serving.errors import NightshelfError
from serving.live.identity import canonical

SHOPS = [WooCommerce, Shopify, Magento, BigCommerce, PrestaShop]
TODAY = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
ORDERS = 90
COLUMNS = [c.ORDER_ID, c.LINE, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE, c.LEFT_OUT]


@pytest.fixture
def connected(home, monkeypatch, serve, tmp_path):
    """Returns a function that sets up Nightshelf for a shop."""

    def connect(shop, **overrides):
        values = {"URL": serve(shop), "PAGE_SIZE": 8, "CONCURRENCY": 3, "RATE": 10_000, "BACKOFF": 0.001}
        values |= {"TRIES": 12, **shop.settings, **overrides}
        if extending := getattr(shop, "extending", ""):
            (tmp_path / "own.toml").write_text(f'extends = "{values["PROFILE"]}"\n{extending}\n')
            values["PROFILE"] = str(tmp_path / "own.toml")
        for name, value in values.items():
            monkeypatch.setenv(f"NIGHTSHELF_SHOP_{name}", str(value))
        settings.cache_clear()
        return shop

    return connect


def pull(full=False):
    return pulls.pull(source(), TODAY, full, silent)


def source():
    return extract.source("shop-api", "", "")


def rows():
    """Returns the rows of each order's newest version in raw/."""
    read = raw.read(raw.pulls(source().name), [*COLUMNS, c.SOURCE, *raw.VERSION]).to_pandas()
    return versions.newest_versions(read).drop_duplicates([c.ORDER_ID, c.LINE])


def learned():
    """Returns the pieces kept, and the price, by order, customer and product."""
    kept, prices = Counter(), {}
    for row in rows().itertuples(index=False):
        if not isinstance(row.left_out, str):
            key = row.order_id, canonical(row.customer or ""), row.product
            kept[key] += float(row.quantity)
            prices[key] = float(row.unit_price)
    return {key: (pieces, prices[key]) for key, pieces in kept.items() if pieces}


def left_out():
    """Returns the reason of each order that is left out as a whole."""
    return {
        order: lines[c.LEFT_OUT].iloc[0]
        for order, lines in rows().query(f"{c.LEFT_OUT} != 'bundle_part'").groupby(c.ORDER_ID)
        if lines[c.LEFT_OUT].notna().all()
    }


def listed(shop):
    """Returns how many pages of the list of orders were requested."""
    return shop.requests.count(shop.requests[0])


def assert_equal(shop):
    assert learned() == shop.truth()
    assert left_out() == shop.states()


@pytest.mark.parametrize("kind", SHOPS)
def test_a_full_pull_equals_the_shop(connected, seed, kind):
    shop = connected(kind(seed).fill(ORDERS))
    for _ in range(60):
        shop.act()
    pull()
    assert set(left_out().values()) == {"cancelled", "unpaid", "refunded"}
    assert any(order.has_returns for order in shop.orders.values())
    assert_equal(shop)
    assert pull()["new_order_lines"] == 0


@pytest.mark.parametrize("kind", SHOPS)
def test_times_are_what_the_shop_says(connected, seed, kind):
    shop = connected(kind(seed).fill(5))
    pull()
    zone = ZONE if kind is PrestaShop else dt.UTC
    times = {row.order_id: dt.datetime.fromisoformat(row.ordered_at) for row in rows().itertuples()}
    shown = {order: time.replace(tzinfo=time.tzinfo or zone) for order, time in times.items()}
    assert shown == {str(order.number): order.at for order in shop.orders.values()}


@pytest.mark.parametrize("kind", SHOPS)
def test_incremental_pulls_equal_the_shop_though_it_changes_while_it_is_read(connected, seed, kind):
    shop = connected(kind(seed).fill(ORDERS))
    pull()
    full = listed(shop)
    for _ in range(4):
        shop.acts = 8
        pull()
    shop.acts = 0
    shop.requests.clear()
    pull()
    assert_equal(shop)
    assert listed(shop) < full


@pytest.mark.parametrize("kind", SHOPS)
def test_faults_lose_and_double_nothing(connected, seed, kind):
    shop = connected(kind(seed).fill(ORDERS))
    shop.faults = 0.3
    pull()
    assert_equal(shop)
    for _ in range(20):
        shop.act()
    pull()
    assert_equal(shop)
    assert sum(shop.failed.values()) > 0


@pytest.mark.parametrize("kind", SHOPS)
@pytest.mark.parametrize("after", [2, 7])
def test_a_killed_pull_resumes(connected, seed, kind, after):
    shop = connected(kind(seed).fill(ORDERS))

    def killed(done, known, orders):
        if done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pulls.pull(source(), TODAY, False, killed)
    for _ in range(20):
        shop.act()
    pull()
    pull()
    assert_equal(shop)


@pytest.mark.parametrize("kind", SHOPS)
def test_reads_the_catalogue(connected, seed, kind):
    connected(kind(seed))
    products = source().products()
    assert products.schema == RAW_PRODUCTS
    assert products[c.PRODUCT].to_pylist() == ["2", "3"]
    assert products[c.NAME].to_pylist() == ["Cup", "Pot"]
    assert products[c.PRICE].to_pylist()[0] == 2.5
    assert products[c.IN_STOCK].to_pylist() == [True, False]


@pytest.mark.parametrize("kind", SHOPS)
def test_wrong_credentials_fail_at_once_and_name_their_settings(connected, seed, kind):
    names = {"TOKEN", "PASSWORD"} & kind.settings.keys()
    shop = connected(kind(seed).fill(3), **dict.fromkeys(names, "wrong-one"))
    with pytest.raises(NightshelfError, match="401") as raised:
        pull()
    assert all(f"NIGHTSHELF_SHOP_{name}" in str(raised.value) for name in names)
    assert "wrong-one" not in str(raised.value)
    assert len(shop.requests) == 1


def test_a_missing_token_is_named(connected, seed):
    connected(Magento(seed), TOKEN="")
    with pytest.raises(NightshelfError, match="NIGHTSHELF_SHOP_TOKEN"):
        source()


def test_shopify_is_read_on_where_it_ends_a_list(connected, seed):
    shop = Shopify(seed).fill(ORDERS)
    shop.objects, shop.extending = 24, "[api.pages]\nobjects = 24"
    connected(shop)
    pull()
    assert_equal(shop)


def test_shopify_orders_with_many_lines_are_read_whole(connected, seed):
    shop = connected(Shopify(seed).fill(10))
    order = shop.orders[1004]
    order.state, order.customer = "paid", 7
    order.lines = [type(order.lines[0])(product, 1, 5.0) for product in range(100, 230)]
    pull()
    assert_equal(shop)


@pytest.mark.parametrize(("lines", "size"), [(10, 1), (11, 1), (23, 2), (60, 60)])
def test_shopify_refunds_beyond_those_in_the_list_are_read(connected, seed, lines, size, caplog):
    shop = connected(returning(Shopify(seed).fill(10), lines, size))
    pull()
    assert_equal(shop)
    assert "shows only a part" not in caplog.text


def test_shopify_refunds_beyond_what_it_ever_shows_are_reported(connected, seed, caplog):
    shop = connected(returning(Shopify(seed).fill(10), lines=251, size=251))
    pull()
    assert "shows only a part of a list of 1 orders, such as 1004" in caplog.text
    assert len(learned().keys() - shop.truth().keys()) == 1


def returning(shop, lines, size):
    """Returns the shop, where one order took all but one of its lines back, `size` lines at a time."""
    shop.refund_size, order = size, shop.orders[1004]
    order.state, order.customer = "paid", 7
    order.lines = [type(order.lines[0])(product, 1, 5.0, returned=1) for product in range(100, 100 + lines)]
    order.lines.append(type(order.lines[0])(99, 1, 5.0))
    return shop


def test_shopify_costs_are_waited_for(connected, seed):
    shop = Shopify(seed).fill(ORDERS)
    shop.budget = shop.available = 170.0  # two pages of eight
    shop.restore = 400.0
    connected(shop, TRIES=3)
    pull()
    assert_equal(shop)
    assert shop.throttled <= 2


def test_bigcommerce_waits_as_long_as_its_header_says(connected, seed, monkeypatch):
    shop = connected(BigCommerce(seed).fill(3))
    shop.wait_ms, times, refuse = 400, [], [True]
    answer = shop.app

    async def once_busy(scope, receive, send):
        times.append(dt.datetime.now())
        await (shop.busy() if refuse and refuse.pop() else answer)(scope, receive, send)

    shop.app = once_busy
    pull()
    assert (times[1] - times[0]).total_seconds() >= 0.39
    assert_equal(shop)


def test_woocommerce_in_its_own_order_is_read_too(connected, seed):
    """A profile that doesn't ask for an order gets the newest first."""
    shop = WooCommerce(seed, acts=15).fill(ORDERS)
    shop.extending = '[api]\norder = "newest_first"\n[api.query]\norder = "desc"'
    connected(shop)
    pull()
    shop.acts = 0
    pull()
    assert_equal(shop)


def test_guests_are_nobody(connected, seed):
    shop = connected(WooCommerce(seed).fill(30))
    pull()
    customers = {customer for _, customer, _ in learned()}
    assert ("" in customers) == any(
        not order.customer for order in shop.orders.values() if order.state == "paid"
    )
