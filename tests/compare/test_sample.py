"""Samples of customers, and the test that a sample is representative."""

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
    """Returns order lines from (order, customer, product, quantity) rows."""
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
            "category": pa.array([CATEGORIES[row % 3] for row, _ in enumerate(ids)], pa.string()),
            "brand": pa.nulls(len(ids), pa.string()),
            "price": pa.repeat(1.0, len(ids)),
            "in_stock": pa.repeat(True, len(ids)),
        }
    )


CATALOGUE = products([f"p{number}" for number in range(PRODUCTS)])


def history(rng, number):
    """Yields a customer's lines, which are not independent: a customer has a taste and a basket size."""
    taste = rng.dirichlet(np.full(PRODUCTS, 0.3))
    size = rng.integers(1, 5)
    for order in range(1 + rng.poisson(2)):
        for product in rng.choice(PRODUCTS, min(size, (taste > 0).sum()), replace=False, p=taste):
            yield f"o{number}-{order}", f"c{number}", f"p{product}", 1.0
    if number % 5 == 0:
        yield f"r{number}", f"c{number}", "p0", -1.0


def shop(seed, customers):
    """Returns the lines of random customers and of one guest."""
    rng = np.random.default_rng(seed)
    rows = [row for number in range(customers) for row in history(rng, number)]
    return lines([*rows, ("guest's", None, "p1", 1.0)])


def described(orders):
    """Returns the lines of known customers with their category, and the customers."""
    known = orders.filter(pc.is_valid(orders["customer"]))
    category = CATALOGUE["category"].take(pc.index_in(known["product"], CATALOGUE["product"]))
    return known.append_column("category", category), pc.unique(known["customer"]).sort()


@pytest.fixture
def orders_in_lake(home, seed):
    """Order lines, also written to the lake."""
    orders = shop(seed, 100)
    tables.write(tables.ORDERS, orders)
    tables.write(tables.PRODUCTS, CATALOGUE)
    return orders


def four_customers(ordered):
    """Returns a distribution of four customers, each in a bin of its own."""
    return Distribution("four", sp.csr_matrix(np.eye(4)), ordered)


def test_distances_by_hand():
    whole, chosen = np.full((4, 1), 1 / 4), np.array([[1.0], [1.0], [0.0], [1.0]])
    # shares of the sample 1/3, 1/3, 0, 1/3 are 1/12, 1/12, -1/4, 1/12 off, in total 1/12, 2/12, -1/12, 0
    assert four_customers(ordered=True).distances(chosen, whole) == pytest.approx(2 / 12)
    assert four_customers(ordered=False).distances(chosen, whole) == pytest.approx(
        (1 / 12 + 1 / 12 + 1 / 4 + 1 / 12) / 2
    )


def test_p_is_the_share_of_samples_at_least_as_far_away(seed):
    # of the six pairs of four, the first two and the last two are 1/2 off, the others 1/4
    first_two, mixed = np.array([True, True, False, False]), np.array([True, False, True, False])
    [far], [near] = (compare([four_customers(ordered=True)], pair, seed) for pair in (first_two, mixed))
    assert (far.distance, near.distance) == (1 / 2, 1 / 4)
    assert far.p == pytest.approx(2 / 6, abs=0.08)  # five standard errors of a thousand samples
    assert near.p == 1


@pytest.mark.parametrize("repeat_buyers", [1, 2])
def test_rounding_breaks_no_ties_of_distances(seed, repeat_buyers):
    # 3 of 10 buy again; 5 sampled customers include 0, 1, 2 or 3 of them:
    # 0.3 - 0/5 and 3/5 - 0.3 are more than 0.3 - 1/5 = 2/5 - 0.3
    again = np.array([1] * 3 + [0] * 7)
    repeat = Distribution("repeat", sp.csr_matrix(np.eye(2)[again]), ordered=True)
    chosen = np.isin(np.arange(10), [*range(repeat_buyers), *range(3, 8 - repeat_buyers)])
    [compared] = compare([repeat], chosen, seed)
    assert (compared.distance, compared.p) == (pytest.approx(0.1), 1)


def test_figures_and_distances_equal_those_by_hand():
    rows = [("1", "a", "p0", 1), ("1", "a", "p1", 2), ("1", "a", "p2", 1), ("2", "a", "p0", 9)]
    returned = ("3", "a", "p0", -9)
    known, customers = described(lines([*rows, returned, ("4", "b", "p2", 1), ("5", None, "p0", 1)]))
    compared = compare(distributions(known, customers), np.array([True, False]), seed=0)
    assert {comparison.name: (comparison.whole, comparison.sample) for comparison in compared} == {
        "orders per customer": pytest.approx(((2 + 1) / 2, 2)),
        "basket sizes": pytest.approx(((3 + 1 + 1) / 3, (3 + 1) / 2)),
        "category shares": pytest.approx((2 / 5, 2 / 4)),  # tea p0 p0; cups p1; none p2 p2
        "popularity": pytest.approx((2 / 5, 2 / 4)),
        "repeat rate": pytest.approx((1 / 2, 1)),
    }
    # a's shares 2/4, 1/4, 1/4 against 2/5, 1/5, 2/5
    assert compared[2].distance == pytest.approx((2 / 4 - 2 / 5 + 1 / 4 - 1 / 5 + 2 / 5 - 1 / 4) / 2)


def test_the_file_has_whole_histories(orders_in_lake, home):
    sample(0.3, home / "sample.parquet", seed=0)
    written = pq.read_table(home / "sample.parquet")
    customers = set(written["customer"].to_pylist())
    assert 0 < len(customers) < 100
    assert None not in customers
    whole = orders_in_lake.filter(pc.is_in(orders_in_lake["customer"], pa.array(customers)))
    assert written.select(["order_id", "product", "quantity"]) == whole.select(
        ["order_id", "product", "quantity"]
    )
    assert written["ordered_at"].unique().to_pylist() == [NOON.replace(tzinfo=dt.UTC)]
    assert written["name"].to_pylist() == [f"a {product}" for product in written["product"].to_pylist()]
    assert not list(home.glob(".*"))


def test_the_shipped_mapping_reads_the_file(orders_in_lake, home):
    sample(0.3, home / "sample.parquet", seed=0)
    names = pq.read_schema(home / "sample.parquet").names
    shipped = load_mapping("nightshelf")
    assert set(REQUIRED) < set(shipped.columns) <= set(names)
    assert all(ours == theirs for ours, theirs in shipped.columns.items())
    assert (shipped.timezone, shipped.row_key) == ("UTC", ("order_id", "product"))


def test_orders_of_an_earlier_release_get_a_null_region(orders_in_lake, home):
    tables.write(tables.ORDERS, orders_in_lake.drop_columns("group"))
    sample(0.3, home / "sample.parquet", seed=0)
    assert set(pq.read_table(home / "sample.parquet")["group"].to_pylist()) == {None}


def test_a_larger_fraction_contains_the_smaller_sample():
    everyone = [f"c{number}" for number in range(2000)]
    tenth, half = draw_customers(everyone, 0.1, seed=3), draw_customers(everyone, 0.5, seed=3)
    assert (tenth <= half).all()
    assert half.mean() == pytest.approx(0.5, abs=0.06)
    assert tenth.mean() == pytest.approx(0.1, abs=0.04)
    assert (draw_customers(everyone, 0.5, seed=4) != half).any()


def test_a_sample_depends_only_on_customer_and_seed():
    assert draw_customers(list("abcdef"), 0.5, seed=0).tolist() == [False, True, False, True, True, True]
    assert draw_customers(["new", *"dcb"], 0.5, seed=0).tolist()[1:] == [True, False, True]


def test_detects_a_biased_sample(seed):
    known, customers = described(shop(seed, 400))
    whole = distributions(known, customers)
    orders = whole[0].histograms.indices
    comparisons = compare(whole, orders > np.median(orders), seed)
    p = {comparison.name: comparison.p for comparison in comparisons}
    assert p["orders per customer"] == p["repeat rate"] == 1 / DRAWS
    assert verdict(comparisons).startswith("Significantly different: orders per customer")


def test_p_values_of_random_samples_are_uniform(seed):
    known, customers = described(shop(seed, 150))
    whole, names = distributions(known, customers), customers.to_pylist()
    p = np.array(
        [
            [comparison.p for comparison in compare(whole, draw_customers(names, 0.3, number), number)]
            for number in range(seed, seed + 200)
        ]
    )
    for row in p.T[[1, 2, 3]]:  # many values; with few distinct distances the test is conservative
        assert kstest(row, "uniform").pvalue > 1e-4
    assert ((p <= 0.05).mean(axis=0) < 0.05 + 5 * np.sqrt(0.05 * 0.95 / len(p))).all()


def test_the_verdict_corrects_for_five_tests():
    def verdict_of(*ps):
        return verdict([Comparison(str(p), True, 1.0, 1.0, 0.1, p) for p in ps])

    # 5 * 0.005 and 4 * 0.01 are below 0.05, 3 * 0.03 is not
    assert "different: 0.005, 0.01 (" in verdict_of(0.01, 0.04, 0.03, 0.005, 0.5)
    assert verdict_of(0.02, 0.3, 0.4, 0.5, 0.6).startswith("No distribution of the sample differs")


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_a_fraction_outside_zero_and_one_raises(home, fraction):
    with pytest.raises(NightshelfError, match="--fraction"):
        sample(fraction, home / "sample.parquet", seed=0)


def test_an_empty_sample_raises(orders_in_lake, home):
    with pytest.raises(NightshelfError, match=r"--fraction 1e-09 selects none"):
        sample(1e-9, home / "sample.parquet", seed=0)
    assert not (home / "sample.parquet").exists()


def test_orders_of_guests_only_raise(home):
    tables.write(tables.ORDERS, lines([("1", None, "p0", 1)]))
    tables.write(tables.PRODUCTS, CATALOGUE)
    with pytest.raises(NightshelfError, match="only guests"):
        sample(0.5, home / "sample.parquet", seed=0)


@pytest.mark.parametrize(
    ("to", "cause"),
    [("nowhere/sample.parquet", "No such file"), ("lake", "directory"), ("x" * 256, "too long")],
)
def test_an_unwritable_target_raises_naming_the_option(orders_in_lake, home, to, cause):
    with pytest.raises(NightshelfError, match=rf"can't be written \(.*({cause}).*\): pass --to a file"):
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


def test_the_command_writes_the_file_and_prints_the_report(orders_in_lake, home):
    done = nightshelf(home, "--fraction", "0.4", "--to", "sample.parquet")
    assert (done.returncode, done.stderr) == (0, "")
    written = pq.read_table(home / "sample.parquet")
    customers = len(written["customer"].unique())
    first, *table = done.stdout.splitlines()
    assert f"{customers} of 100 customers, {len(written)} of {len(orders_in_lake) - 1} order lines;" in first
    assert "1 lines of guests left out" in done.stdout
    for name in ("orders per customer", "basket sizes", "category shares", "popularity", "repeat rate"):
        assert any(name in row and ("KS 0." in row or "TV 0." in row) for row in table)
    assert "(p < 0.05, Holm)" in table[-1]


def test_the_command_without_a_lake_fails_naming_the_table(home):
    done = nightshelf(home, "--fraction", "0.4", "--to", "sample.parquet")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("nightshelf: ")
    assert "table 'orders'" in line
