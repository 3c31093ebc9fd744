"""A nightly run at a shop that gives its products weights and excludes some."""

import datetime as dt
import json
import re
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from homes import fresh_home

from pipelines import columns as c
from pipelines.compare import models
from pipelines.demo.shop import Shop
from pipelines.evaluate import NDCG, WEIGHT, summary
from pipelines.gate import conditions
from pipelines.gate.settings import load
from pipelines.registry import versions
from pipelines.retrain import console, retrain
from pipelines.run import tracking
from serving.bundle.highest import top_n
from serving.recommend.lanes import LANES
from serving.recommend.recommender import scores

SHOP = Shop(start=dt.date(2026, 9, 1), customers=800, products=200, orders_per_day=250)
DAYS = 40
MAPPING = "[columns]\n" + "".join(
    f'{name} = "{name}"\n'
    for name in (c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY, c.UNIT_PRICE, c.NAME, c.WEIGHT)
)
HIDDEN = [SHOP.catalogue[0].id, SHOP.catalogue[1].id]


def margins():
    """Returns a weight for each product; some are invalid."""
    drawn = np.random.default_rng(8).lognormal(0, 0.5, len(SHOP.catalogue)).round(3)
    weights = {product.id: str(weight) for product, weight in zip(SHOP.catalogue, drawn, strict=True)}
    return weights | {SHOP.catalogue[2].id: "-3", SHOP.catalogue[3].id: "much", SHOP.catalogue[4].id: None}


def orders(weights):
    """Returns the clean order lines of the shop's first days."""
    rows = []
    for day in islice(SHOP.days(), DAYS):
        at = SHOP.start + dt.timedelta(days=day.number)
        for order, product in zip(day.order, day.products, strict=True):
            item = SHOP.catalogue[product]
            row = {c.ORDER_ID: str(day.ids[order]), c.ORDERED_AT: f"{at} 12:00:00"}
            row |= {c.CUSTOMER: f"c{day.customers[order]:04}", c.PRODUCT: item.id, c.QUANTITY: "1"}
            row |= {c.UNIT_PRICE: str(item.price), c.NAME: item.name, c.WEIGHT: weights[item.id]}
            rows.append(row)
    return pa.Table.from_pylist(rows)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """The result and the output of a nightly run, and its bundle."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "mapping.toml").write_text(MAPPING)
    (folder / "exclude.toml").write_text(f"products = {HIDDEN}\n")
    pq.write_table(orders(margins()), folder / "orders.parquet")
    options = {"source": "files", "path": str(folder / "orders.parquet"), "sweep": "quick"}
    home = tmp_path_factory.mktemp("home")
    with fresh_home(home, EXCLUDE=folder / "exclude.toml"):
        with pytest.MonkeyPatch.context() as patch, console.capture() as printed:
            patch.setattr(console, "width", 140)  # a width from the environment would take precedence
            result = retrain(**options, mapping=str(folder / "mapping.toml"))
        yield result, printed.get(), versions.bundle("1")


def test_valid_weights_reach_the_bundle_and_invalid_ones_count_as_one(night):
    _, _, bundle = night
    weights = margins()
    for product, weight in zip(bundle.products.astype(str), bundle.weight, strict=True):
        is_valid = weights[product] not in ("-3", "much", None)
        assert weight == pytest.approx(float(weights[product]) if is_valid else 1)


def test_the_strength_serves_within_its_limit_and_is_reported(night):
    result, printed, bundle = night
    run = tracking.client().get_run(versions.find("1").run_id)
    strength, measured = run.data.metrics["strength"], run.data.metrics
    assert result["verdict"] == "FIRST"
    assert bundle.manifest["strength"] == versions.champion().chosen.strength == strength > 0
    assert measured["weight_at_10_for_you"] > measured["unweighted_weight_at_10_for_you"]
    assert measured["ndcg_at_10_for_you"] != measured["unweighted_ndcg_at_10_for_you"]
    assert {f"{NDCG}_for_you", f"unweighted_{NDCG}_for_you", f"unweighted_{WEIGHT}_for_you"} <= result.keys()
    assert "weight@10" in printed
    assert re.search(r"unweighted\W+0\.\d{4}", printed), printed
    path = tracking.client().download_artifacts(run.info.run_id, "business.json")
    lanes = json.loads(Path(path).read_text())
    for lane in LANES:
        least = lanes["strength 0"][lane][NDCG] * (1 - load().product_weight.most_lost)
        assert lanes[f"strength {strength:g}"][lane][NDCG] >= least


def test_excluded_products_are_trained_on_but_never_recommended(night):
    _, _, bundle = night
    assert sorted(bundle.products[bundle.hidden].astype(str)) == sorted(HIDDEN)
    assert np.isin(bundle.history_product, np.flatnonzero(bundle.hidden)).any()
    for lane in LANES:
        for values in scores(bundle, np.arange(len(bundle.customers)), lane):
            assert not bundle.hidden[top_n(values, 10)].any()


def test_evaluate_measures_with_and_without_weights(night):
    measured = summary(models.compare("time"))
    for lane in LANES:
        weighted, plain = (measured[model][lane] for model in (conditions.CHAMPION, conditions.UNWEIGHTED))
        assert weighted[WEIGHT] > plain[WEIGHT]
