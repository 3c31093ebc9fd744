import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from scipy.stats import kstest

from pipelines.compare.representative import (
    DRAWS,
    Comparison,
    Distribution,
    compare,
    distributions,
    verdict,
)
from pipelines.compare.sample import draw_customers, sample
from pipelines.extract.mapping import REQUIRED, load_mapping
from pipelines.lake import tables
from serving.errors import NightshelfError

COMMAND = Path(sys.executable).with_name("nightshelf")
NOON = dt.datetime(2026, 1, 31, 12)
CATEGORIES = ("tea", "cups", None)
PRODUCTS = 12


def lines(rows):
    """Order lines from (order, customer, product, quantity)."""
    order, customer, product, quantity = zip(*rows, strict=True)
    return pa.table(
        {
            "order_id": pa.array(order),
            "ordered_at": pa.array([NOON] * len(rows), pa.timestamp("ns")),  # as Spark writes it
            "customer": pa.array(customer, pa.string()),
            "product": pa.array(product),
            "quantity": pa.array(quantity, pa.float64()),
            "unit_price": pa.repeat(1.0, len(rows)),
            "group": pa.repeat("France", len(rows)),
        }
    )


def products(ids):
    return pa.table(
        {
            "product": ids,
            "name": [f"a {product}" for product in ids],
            "category": pa.array([CATEGORIES[place % 3] for place, _ in enumerate(ids)], pa.string()),
            "brand": pa.nulls(len(ids), pa.string()),
            "price": pa.repeat(1.0, len(ids)),
            "in_stock": pa.repeat(True, len(ids)),
        }
    )


CATALOGUE = products([f"p{number}" for number in range(PRODUCTS)])


def history(rng, number):
    """A customer's lines: each has a taste and a size of basket, so that lines of one are alike."""
    taste = rng.dirichlet(np.full(PRODUCTS, 0.3))
    size = rng.integers(1, 5)
    for order in range(1 + rng.poisson(2)):
        for product in rng.choice(PRODUCTS, min(size, (taste > 0).sum()), replace=False, p=taste):
            yield f"o{number}-{order}", f"c{number}", f"p{product}", 1.0
    if number % 5 == 0:
        yield f"r{number}", f"c{number}", "p0", -1.0


def shop(seed, customers):
    """The lines of random customers, and one guest's."""
    rng = np.random.default_rng(seed)
    rows = [row for number in range(customers) for row in history(rng, number)]
    return lines([*rows, ("guest's", None, "p1", 1.0)])


def described(orders):
    """The lines of known customers with their category, and the customers."""
    known = orders.filter(pc.is_valid(orders["customer"]))
    category = CATALOGUE["category"].take(pc.index_in(known["product"], CATALOGUE["product"]))
    return known.append_column("category", category), pc.unique(known["customer"]).sort()


@pytest.fixture
def stocked(home, seed):
    """The orders in the lake of a fresh home."""
    orders = shop(seed, 100)
    tables.write(tables.ORDERS, orders)
    tables.write(tables.PRODUCTS, CATALOGUE)
    return orders


def four(ordered):
    """Four customers, each in a bin of its own."""
    return Distribution("four", sp.csr_matrix(np.eye(4)), ordered)


def test_distances_by_hand():
    whole, chosen = np.full((4, 1), 1 / 4), np.array([[1.0], [1.0], [0.0], [1.0]])
    # shares of the sample 1/3, 1/3, 0, 1/3 are 1/12, 1/12, -1/4, 1/12 off, in total 1/12, 2/12, -1/12, 0
    assert four(ordered=True).distances(chosen, whole) == pytest.approx(2 / 12)
    assert four(ordered=False).distances(chosen, whole) == pytest.approx(
        (1 / 12 + 1 / 12 + 1 / 4 + 1 / 12) / 2
    )


def test_p_is_the_share_of_equally_likely_draws_at_least_as_far_off(seed):
    # of the six pairs of four, the first two and the last two are 1/2 off, the others 1/4
    first_two, mixed = np.array([True, True, False, False]), np.array([True, False, True, False])
    [far], [near] = (compare([four(ordered=True)], pair, seed) for pair in (first_two, mixed))
    assert (far.distance, near.distance) == (1 / 2, 1 / 4)
    assert far.p == pytest.approx(2 / 6, abs=0.08)  # five standard errors of a thousand draws
    assert near.p == 1


@pytest.mark.parametrize("twice", [1, 2])
def test_equal_distances_are_equal(seed, twice):
    # 3 of 10 come again; of 5 drawn 0, 1, 2 or 3: 0.3 - 0/5 and 3/5 - 0.3 are more than 0.3 - 1/5 = 2/5 - 0.3
    again = np.array([1] * 3 + [0] * 7)
    repeat = Distribution("repeat", sp.csr_matrix(np.eye(2)[again]), ordered=True)
    chosen = np.isin(np.arange(10), [*range(twice), *range(3, 8 - twice)])
    [found] = compare([repeat], chosen, seed)
    assert (found.distance, found.p) == (pytest.approx(0.1), 1)


def test_what_is_compared_by_hand():
    rows = [("1", "a", "p0", 1), ("1", "a", "p1", 2), ("1", "a", "p2", 1), ("2", "a", "p0", 9)]
    returned = ("3", "a", "p0", -9)
    known, customers = described(lines([*rows, returned, ("4", "b", "p2", 1), ("5", None, "p0", 1)]))
    found = compare(distributions(known, customers), np.array([True, False]), seed=0)
    assert {one.name: (one.whole, one.sample) for one in found} == {
        "orders per customer": pytest.approx(((2 + 1) / 2, 2)),
        "basket sizes": pytest.approx(((3 + 1 + 1) / 3, (3 + 1) / 2)),
        "category shares": pytest.approx((2 / 5, 2 / 4)),  # tea p0 p0; cups p1; none p2 p2
        "popularity": pytest.approx((2 / 5, 2 / 4)),
        "repeat rate": pytest.approx((1 / 2, 1)),
    }
    # a's shares 2/4, 1/4, 1/4 against 2/5, 1/5, 2/5
    assert found[2].distance == pytest.approx((2 / 4 - 2 / 5 + 1 / 4 - 1 / 5 + 2 / 5 - 1 / 4) / 2)


def test_histories_are_whole(stocked, home):
    sample(0.3, home / "sample.parquet", seed=0)
    written = pq.read_table(home / "sample.parquet")
    customers = set(written["customer"].to_pylist())
    assert 0 < len(customers) < 100
    assert None not in customers
    whole = stocked.filter(pc.is_in(stocked["customer"], pa.array(customers)))
    assert written.select(["order_id", "product", "quantity"]) == whole.select(
        ["order_id", "product", "quantity"]
    )
    assert written["ordered_at"].unique().to_pylist() == [NOON.replace(tzinfo=dt.UTC)]
    assert written["name"].to_pylist() == [f"a {product}" for product in written["product"].to_pylist()]
    assert not list(home.glob(".*"))


def test_the_file_can_be_trained_on_by_the_shipped_mapping(stocked, home):
    sample(0.3, home / "sample.parquet", seed=0)
    names = pq.read_schema(home / "sample.parquet").names
    shipped = load_mapping("nightshelf")
    assert set(REQUIRED) < set(shipped.columns) <= set(names)
    assert all(ours == theirs for ours, theirs in shipped.columns.items())
    assert (shipped.timezone, shipped.row_key) == ("UTC", ("order_id", "product"))


def test_orders_of_a_night_before_groups_were_known_are_of_none(stocked, home):
    tables.write(tables.ORDERS, stocked.drop_columns("group"))
    sample(0.3, home / "sample.parquet", seed=0)
    assert set(pq.read_table(home / "sample.parquet")["group"].to_pylist()) == {None}


def test_a_larger_fraction_holds_the_smaller_one():
    everyone = [f"c{number}" for number in range(2000)]
    tenth, half = draw_customers(everyone, 0.1, seed=3), draw_customers(everyone, 0.5, seed=3)
    assert (tenth <= half).all()
    assert half.mean() == pytest.approx(0.5, abs=0.06)
    assert tenth.mean() == pytest.approx(0.1, abs=0.04)
    assert (draw_customers(everyone, 0.5, seed=4) != half).any()


def test_the_same_customers_are_drawn_tomorrow():
    assert draw_customers(list("abcdef"), 0.5, seed=0).tolist() == [False, True, False, True, True, True]
    assert draw_customers(["new", *"dcb"], 0.5, seed=0).tolist()[1:] == [True, False, True]


def test_a_biased_draw_is_found_out(seed):
    known, customers = described(shop(seed, 400))
    found = distributions(known, customers)
    orders = found[0].histograms.indices
    told = compare(found, orders > np.median(orders), seed)
    p = {one.name: one.p for one in told}
    assert p["orders per customer"] == p["repeat rate"] == 1 / DRAWS
    assert verdict(told).startswith("Further from the whole than chance puts it: orders per customer")


def test_p_values_of_honest_draws_are_uniform(seed):
    known, customers = described(shop(seed, 150))
    found, names = distributions(known, customers), customers.to_pylist()
    p = np.array(
        [
            [one.p for one in compare(found, draw_customers(names, 0.3, number), number)]
            for number in range(seed, seed + 200)
        ]
    )
    for row in p.T[[1, 2, 3]]:  # those of many values; a distance of few values can but be too cautious
        assert kstest(row, "uniform").pvalue > 1e-4
    assert ((p <= 0.05).mean(axis=0) < 0.05 + 5 * np.sqrt(0.05 * 0.95 / len(p))).all()


def test_the_verdict_allows_for_five_tests():
    def told(*ps):
        return verdict([Comparison(str(p), True, 1.0, 1.0, 0.1, p) for p in ps])

    # 5 * 0.005 and 4 * 0.01 are below 0.05, 3 * 0.03 is not
    assert "chance puts it: 0.005, 0.01 (" in told(0.01, 0.04, 0.03, 0.005, 0.5)
    assert told(0.02, 0.3, 0.4, 0.5, 0.6).startswith("No distribution is further")


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_a_fraction_that_is_none(home, fraction):
    with pytest.raises(NightshelfError, match="give a share between 0 and 1"):
        sample(fraction, home / "sample.parquet", seed=0)


def test_a_fraction_that_draws_nobody(stocked, home):
    with pytest.raises(NightshelfError, match="--fraction 0.* selects none"):
        sample(1e-9, home / "sample.parquet", seed=0)
    assert not (home / "sample.parquet").exists()


def test_guests_alone(home):
    tables.write(tables.ORDERS, lines([("1", None, "p0", 1)]))
    tables.write(tables.PRODUCTS, CATALOGUE)
    with pytest.raises(NightshelfError, match="names no customer"):
        sample(0.5, home / "sample.parquet", seed=0)


@pytest.mark.parametrize(
    ("to", "cause"),
    [("nowhere/sample.parquet", "No such file"), ("lake", "directory"), ("x" * 256, "too long")],
)
def test_a_target_that_cannot_be_written(stocked, home, to, cause):
    with pytest.raises(NightshelfError, match=rf"can't be written \(.*({cause}).*\): give --to a file"):
        sample(0.5, home / to, seed=0)
    assert not list(home.glob(".*"))


def nightshelf(home, *arguments):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTSHELF_")}
    environment = plain | {"NIGHTSHELF_HOME": str(home)}
    return subprocess.run(
        [COMMAND, "sample", *arguments],
        check=False,
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
    )


def test_the_command(stocked, home):
    done = nightshelf(home, "--fraction", "0.4", "--to", "sample.parquet")
    assert (done.returncode, done.stderr) == (0, "")
    written = pq.read_table(home / "sample.parquet")
    customers = len(written["customer"].unique())
    first, *table = done.stdout.splitlines()
    assert f"{customers} of 100 customers, {len(written)} of {len(stocked) - 1} order lines;" in first
    assert "1 lines of guests left out" in done.stdout
    for name in ("orders per customer", "basket sizes", "category shares", "popularity", "repeat rate"):
        assert any(name in row and ("KS 0." in row or "TV 0." in row) for row in table)
    assert "(p < 0.05, Holm)" in table[-1]


def test_the_command_without_a_lake(home):
    done = nightshelf(home, "--fraction", "0.4", "--to", "sample.parquet")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("nightshelf: the lake holds no table 'orders'")
