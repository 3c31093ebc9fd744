"""`inspect` on exports as shops have them: the mapping that it writes reads every line."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines import columns as c
from pipelines.extract.files import FileSource
from pipelines.extract.inspect.inspection import inspect_files
from pipelines.extract.staging import Staging
from pipelines.run.progress import silent

LINES, ORDERS = 6828, 3025
UNPAID = {"cancelled", "failed", "unpaid", "refunded"}
# By path: the lines, the orders, whether lines are left out for a reason that isn't a purchase.
EXPECTED = {
    "shopify-csv/orders_export_1.csv": (LINES, ORDERS, True),
    "first-line-only/orders.csv": (LINES, ORDERS, True),
    "woo-packed/orders.csv": (LINES, ORDERS, False),
    "german-excel/bestellungen.csv": (LINES, ORDERS, False),
    "decimal-comma/orders.csv": (LINES, ORDERS, False),
    "status/orders.csv": (LINES, ORDERS, True),
    "bundles/orders.csv": (7910, ORDERS, False),
    "customer-spellings/orders.csv": (LINES, ORDERS, False),
    "guests/orders.csv": (LINES, ORDERS, False),
    "woo-guest-zero/orders.csv": (LINES, ORDERS, False),
    "two-stores/in": (13492, 6047, False),
}


def read(path, toml, folder):
    (mapping := folder / "guessed.toml").write_text(toml)
    source = FileSource(str(path), str(mapping))
    staging = Staging(source.name, source.plan)
    source.orders(None, staging, silent)
    return source, pa.concat_tables(staging.read())


@pytest.mark.parametrize("name", EXPECTED)
def test_the_mapping_reads_every_line(name, home, field, tmp_path):
    lines, orders, has_unpaid = EXPECTED[name]
    path = field(name)
    inspection = inspect_files(str(path))
    _, rows = read(path, inspection.toml, tmp_path)
    assert rows.num_rows == lines
    assert rows[c.FAULT].null_count == lines
    assert pc.count_distinct(rows[c.ORDER_ID]).as_py() == orders
    assert pc.all(pc.match_substring_regex(rows[c.ORDERED_AT], r"^2026-(09|10|11)-\d\d")).as_py()
    assert pc.all(pc.match_substring_regex(rows[c.UNIT_PRICE], r"^\d+(\.\d+)?$")).as_py()
    reasons = set(rows[c.LEFT_OUT].unique().to_pylist()) - {None}
    assert reasons <= UNPAID
    assert bool(reasons) == has_unpaid


def test_guests_and_spellings_become_rules(home, field, tmp_path):
    guests, _ = read(
        field("guests/orders.csv"), inspect_files(str(field("guests/orders.csv"))).toml, tmp_path
    )
    assert guests.dialect.guests
    path = field("customer-spellings/orders.csv")
    spellings, _ = read(path, inspect_files(str(path)).toml, tmp_path)
    assert spellings.dialect.identity.kind == "email"


def test_events_that_are_no_purchases_are_left_out_under_their_kind(home, field, tmp_path):
    path = field("retailrocket/events.csv")
    _, rows = read(path, inspect_files(str(path)).toml, tmp_path)
    assert set(rows[c.LEFT_OUT].unique().to_pylist()) == {None, "view", "addtocart"}
    assert rows[c.LEFT_OUT].null_count == 600


def test_umlauts_are_read_intact(home, field, tmp_path):
    path = field("german-excel/bestellungen.csv")
    _, rows = read(path, inspect_files(str(path)).toml, tmp_path)
    assert pc.all(pc.match_substring(rows[c.NAME], "Gürtel Größe")).as_py()
