"""Whole nightly runs at the demo shop: its API, Spark, Great Expectations, MLflow and the bundle."""

import datetime as dt
import re
from itertools import islice
from math import sqrt

import numpy as np
import pyarrow.parquet as pq
import pytest
from homes import fresh_home, served
from reports import read, wrong_figures

from pipelines import columns as c
from pipelines.batch import export
from pipelines.compare.merchandising import preview
from pipelines.demo.api import app
from pipelines.demo.dirt import Dirt
from pipelines.demo.shop import Shop
from pipelines.lake import tables
from pipelines.registry import acts as registry_acts
from pipelines.registry import versions
from pipelines.report.records import STEPS
from pipelines.retrain import retrain
from pipelines.run import tracking
from pipelines.settings import customer_key, settings
from serving.bundle import files as bundle_files
from serving.errors import NightshelfError
from serving.http.overview import SHOPPERS
from serving.live.identity import canonical, pseudonym
from serving.live.registry import champion, download
from serving.recommend.recommender import recommend

SHOP = Shop(start=dt.date(2026, 9, 1), customers=1500, products=400, orders_per_day=400)
DAYS = 45
LAST = SHOP.start + dt.timedelta(days=DAYS - 1)
USER, PASSWORD = "nightshelf", "a password for tests"
SIGMAS = 4.5
ADVENT = dt.date(2026, 12, 1)


@pytest.fixture(scope="module")
def shop_url():
    two_days_on = LAST + dt.timedelta(days=2)  # the shop also has orders after the run's last day
    with served(app(SHOP, USER, PASSWORD, lambda: two_days_on)) as address:
        yield address


@pytest.fixture(scope="module")
def night(shop_url, tmp_path_factory):
    """The result of a first nightly run."""
    home = tmp_path_factory.mktemp("home")
    with fresh_home(home, SHOP_URL=shop_url, SHOP_PASSWORD=PASSWORD):
        yield retrain(as_of=str(LAST), sweep="quick")


@pytest.fixture(scope="module")
def bundle(night, tmp_path_factory):
    """The champion's bundle, downloaded as the service does."""
    return bundle_files.load(download(champion(settings()), tmp_path_factory.mktemp("bundle")))


@pytest.fixture(scope="module")
def dirt():
    return Dirt(SHOP)


@pytest.fixture(scope="module")
def days():
    return list(islice(SHOP.days(), DAYS))


def test_the_first_model_is_promoted_and_beats_popularity(night):
    assert (night["verdict"], night["version"]) == ("FIRST", "1")
    run = tracking.client().get_run(versions.find("1").run_id)
    assert run.info.status == "FINISHED"
    measured = run.data.metrics
    assert measured["ndcg_at_10_discover"] > 3 * measured["popularity_ndcg_at_10_discover"]
    assert measured["ndcg_at_10_for_you"] > 0.95 * measured["repurchase_ndcg_at_10_for_you"]


def test_every_candidate_is_a_child_run_with_parameters_metrics_and_duration(night):
    children = tracking.children(versions.find("1").run_id)
    factorised = [run for run in children if run.data.params["component"] == "als"]
    assert len(factorised) == 2
    for run in factorised:
        assert {"rank", "regularisation", "alpha", "half_life_days", "iterations"} <= run.data.params.keys()
        assert {"ndcg_at_10_for_you", "ndcg_at_10_discover", "fit_seconds"} <= run.data.metrics.keys()


def test_counted_lines_add_up_to_the_lines_of_the_shop(night, dirt, days):
    listings = [dirt.listing(day) for day in islice(SHOP.days(), DAYS + 1)]
    fetched = sum(len(order["basket"]) for listing in listings for order in listing.orders)
    accepted = night["duplicate"] + night["later_than_the_night"] + night["used"]
    quarantined = night["bad_quantity"] + night["placeholder_customer"] + night["no_customer"]
    assert night["fetched"] == accepted + quarantined == fetched


def test_no_order_is_lost_or_doubled(night, days):
    ids = tables.read(tables.ORDERS, [c.ORDER_ID])[c.ORDER_ID].unique().to_pylist()
    expected = {str(id_) for day in days for id_ in day.ids}
    assert set(ids) <= expected
    # Orders with a placeholder or no phone number, fewer than one in a hundred, have no customer.
    assert len(ids) > 0.98 * len(expected)


def test_rules_of_complements_have_the_planted_confidence(night, bundle, days):
    """If product a is in a basket, b is added with the planted probability, or is in it by chance."""
    holds = {}
    for day in days:
        for order, product in zip(day.order, day.products, strict=True):
            holds.setdefault(int(product), set()).add((day.number, int(order)))
    baskets = sum(len(day.ids) for day in days)
    checked = 0
    for pair in SHOP.truth.complements:
        times = len(holds.get(pair.a, ()))
        if times * pair.probability < 30:  # too few baskets to require a rule
            continue
        a, b = (bundle.product(SHOP.catalogue[index].id) for index in (pair.a, pair.b))
        rules = slice(bundle.rule_start[a], bundle.rule_start[a + 1])
        position = np.flatnonzero(bundle.rule_consequent[rules] == b)
        assert len(position) == 1, f"no rule {pair}"
        confidence = float(bundle.rule_confidence[rules][position[0]])
        error = SIGMAS * sqrt(pair.probability * (1 - pair.probability) / times)
        chance = len(holds[pair.b]) / baskets
        assert pair.probability - error < confidence < pair.probability + error + chance, pair
        assert abs(bundle.rule_count[rules][position[0]] - confidence * times) < 0.03 * times + 5
        checked += 1
    assert checked >= 20


def test_recommendations_match_planted_tastes(night, bundle, dirt):
    """A share TASTE of a customer's new products comes from two or three favourite clusters.

    Perfect knowledge of the tastes would fill the first min(10, r) ranks with the r products of these
    clusters that the customer has not bought: a share of 1. Chance gives their share of the catalogue, about
    0.04. ALS sees the tastes only through purchases; required is a share of 0.4, ten times chance. Broken
    factors fall to chance.
    """
    inside = {product.id.encode(): index for index, product in enumerate(SHOP.catalogue)}
    index_of = np.array([inside[product] for product in bundle.products])
    sold = set(index_of[bundle.popularity > 0])
    shares, chance = [], []
    for customer, phone in enumerate(dirt.phones):
        row = bundle.customer(pseudonym(phone, customer_key()))
        if row is None or len(bundle.bought(row)) < 10:
            continue
        taste = (SHOP.truth.tastes[customer] & sold) - set(index_of[bundle.bought(row)])
        items = recommend(bundle, row, "discover", min(10, len(taste)))
        shares += [index_of[item.product] in taste for item in items]
        chance += [len(taste) / len(sold)] * len(items)
    print(f"{len(shares)} ranks: {np.mean(shares):.3f} match the taste, by chance {np.mean(chance):.3f}")
    assert np.mean(chance) < 0.04
    assert np.mean(shares) > 0.4


def test_example_shoppers_have_their_purchases_after_the_cut(night, bundle, dirt, days):
    examples = bundle.manifest[SHOPPERS]
    names = {pseudonym(phone, customer_key()): customer for customer, phone in enumerate(dirt.phones)}
    cut, until = (dt.date.fromisoformat(examples[name]) - SHOP.start for name in ("cut", "until"))
    window = days[cut.days + 1 : until.days + 1]
    assert {"once", "loyal", "bulk"} <= {shopper["kind"] for shopper in examples[SHOPPERS]}
    assert len(examples["popular"]) == 10
    for shopper in examples[SHOPPERS]:
        customer = names[shopper["customer"]]
        bought = {
            SHOP.catalogue[p].id for day in window for p in day.products[day.customers[day.order] == customer]
        }
        assert set() < {*shopper["bought"]} <= bought  # dirt removes some purchases
        assert len(shopper["recommended"]) == 10
        assert shopper["last_day"] <= examples["cut"]


def test_three_spellings_of_a_phone_are_one_customer_and_the_phone_stays_in_raw(night, bundle, dirt):
    phones = {phone for phone in dirt.phones if bundle.customer(pseudonym(phone, customer_key())) is not None}
    assert len(phones) == len(bundle.customers)
    home = settings().home
    digits = [canonical(phone).encode() for phone in sorted(phones)[:200]]
    for file in home.rglob("*"):
        if file.is_file() and home / "lake" / "raw" not in file.parents and file.suffix != ".parquet":
            content = file.read_bytes()
            assert not any(phone in content for phone in digits), file
    for table in (tables.ORDERS, tables.INTERACTIONS, tables.QUARANTINE.format(day=LAST)):
        customers = tables.read(table, [c.CUSTOMER])[c.CUSTOMER].drop_null().unique().to_pylist()
        assert customers
        assert all(len(customer) == 64 for customer in customers)


def test_the_export_has_the_shops_own_customer_ids(night, bundle, dirt, tmp_path):
    to = tmp_path / "out.parquet"
    assert export.export_customers(str(to), 5, ["discover"], "") == len(bundle.customers)
    rows = pq.read_table(to).to_pylist()
    first = rows[0]
    assert first[c.CUSTOMER] in {canonical(phone) for phone in dirt.phones}
    own = [row for row in rows if row[c.CUSTOMER] == first[c.CUSTOMER]]
    expected = recommend(bundle, bundle.customer(pseudonym(first[c.CUSTOMER], customer_key())), "discover", 5)
    assert [row[c.RANK] for row in own] == [1, 2, 3, 4, 5]
    assert [row[c.PRODUCT] for row in own] == [bundle.products[item.product].decode() for item in expected]


def test_preview_shows_merchandising_rules_before_they_apply(night, bundle, dirt, tmp_path):
    """A customer's list without and with an advent rule, on a day in advent and on the day before."""
    (first, last) = (bundle.products[row].decode() for row in (0, len(bundle.products) - 1))
    file = tmp_path / "rules.toml"
    file.write_text(
        f'[[rule]]\nname = "advent"\nact = "pin"\nproducts = ["{first}", "{last}", "no such"]\n'
        "from = 2026-12-01\nuntil = 2026-12-24\n"
    )
    phone = next(
        phone for phone in dirt.phones if bundle.customer(pseudonym(phone, customer_key())) is not None
    )
    previews = {day: _cells(preview(file, day, phone, n=5)) for day in (ADVENT, ADVENT - dt.timedelta(1))}
    rules, lists = previews[ADVENT]
    assert rules == [["advent"], ["pin"], ["2026-12-01"], ["2026-12-24"], ["yes"], ["2"]]
    assert [name for name in lists[3] if name] == ["advent"] * bundle.in_stock[[0, -1]].sum()
    rules, lists = previews[ADVENT - dt.timedelta(1)]
    assert rules[4] == ["no"]
    assert lists[1] == lists[2]
    with pytest.raises(NightshelfError, match=r"NIGHTSHELF_SHOP_RULES"):
        preview(None, None, None, n=5)


def _cells(group):
    """Returns the cells of each table, column by column."""
    return [[list(column.cells) for column in table.columns] for table in group.renderables]


def test_the_report_shows_the_figures_of_the_run(night):
    run = versions.find("1").run_id
    page = read((settings().nights / f"{LAST}.html").read_text())
    assert wrong_figures(page, tracking.client(), run) == []
    shown = {figure.metric for figure in page.figures}
    assert shown >= {"rows_fetched", "rows_bad_quantity", "rules", "interactions", "ndcg_at_10_for_you_loyal"}
    assert shown >= {f"seconds_{step}" for step in STEPS if step != "sweep"}
    assert "Version 1 is the first model and now serves" in page.text
    assert re.search(r"(\d+) of \1 critical and \d+ of \d+ warning expectations are met", page.text)


def test_the_model_loads_with_plain_mlflow(night):
    import mlflow

    loaded = mlflow.pyfunc.load_model(f"models:/{settings().model_name}@champion")
    assert loaded.metadata.signature is not None


def test_the_next_run_is_decided_and_a_rejected_one_leaves_the_champion(night, monkeypatch):
    """The last test of this file, since it changes the champion."""
    second = retrain(as_of=str(LAST + dt.timedelta(days=1)), sweep="quick")
    assert second["verdict"] in ("PROMOTED", "REFUSED")
    serving = versions.champion().version
    assert serving == ("2" if second["verdict"] == "PROMOTED" else "1")
    monkeypatch.setenv("NIGHTSHELF_QUARANTINE_SHARE", "0.001")
    settings.cache_clear()
    with pytest.raises(NightshelfError, match=r"validation rejected the nightly run: .* fail a row check"):
        retrain(as_of=str(LAST))
    assert versions.champion().version == serving
    stopped = read((settings().nights / f"{LAST}.html").read_text()).text
    assert f"The nightly run stopped in step validate; version {serving} keeps serving." in stopped
    if serving == "2":
        assert registry_acts.rollback(None, "a test") == "1"
        assert versions.champion().version == "1"
