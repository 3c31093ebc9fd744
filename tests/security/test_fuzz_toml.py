"""TOML files of drawn nonsense: each is read, or refused with one line, and none hangs."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import limits
import nasty
import pytest
from homes import SOAK

from expectations.thresholds import FILE as THRESHOLDS
from expectations.thresholds import Thresholds
from pipelines.extract.files import FileSource
from pipelines.extract.mapping import MAPPINGS, load_mapping
from pipelines.extract.shops.profile import PROFILES, load_profile
from pipelines.extract.staging import Staging
from pipelines.prepare.exclude import FILE as EXCLUDE
from pipelines.prepare.exclude import Exclusions
from pipelines.run.progress import silent
from pipelines.sweep.space import FILE as SWEEP
from pipelines.sweep.space import SweepFile
from pipelines.validate.calendar import Calendar
from serving import toml
from serving.errors import NightshelfError
from serving.http.shop_orders import SHIPPED as WEBHOOKS
from serving.http.shop_orders import Profiles
from serving.live.merchandising import MerchandisingRules
from serving.settings import PROJECT

DRAWN = 10_000 if SOAK else 300
SECONDS = 1.0  # for one file
LITERALS = (
    *(
        "",
        "1e999",
        "nan",
        "-inf",
        "9" * 5_000,
        "0x" + "f" * 5_000,
        "1_",
        "-0",
        "true",
        '""',
        '"(((((a+)+)+)+$"',
    ),
    *(
        "[" * 5_000,
        "{",
        "[]",
        "{}",
        '["",""]',
        '"""',
        "'''",
        "2026-13-45",
        "2026-09-01",
        "25:61:00",
        '"\\ud800"',
    ),
    *(
        "{a.b.c = 1}",
        '"' + "a" * 100_000 + '"',
        '"{page}{cursor}"',
        '"../../../etc/passwd"',
        '"\\u0000"',
        "[[1]]",
    ),
)
HEADERS = ("[a]", "[[a]]", "[" + "a." * 3_000 + "a]", "[columns]", "[[leave_out]]", "[", "extends = 'ecom'")
RULES = """
[[rule]]
name = "own brand"
act = "pin"
brands = ["brand 3"]
from = 2026-09-01
until = 2026-09-30
[[rule]]
name = "boosted"
act = "boost"
categories = ["category 5"]
factor = 3.0
"""
MAPPING = """
row_key = ["order_id", "product"]
not_products = "^POST"
timezone = "Europe/Berlin"
[columns]
order_id = "order"
ordered_at = "at"
customer = "client"
product = ["sku", "name"]
quantity = "n"
unit_price = "price"
[identity]
country = "DE"
nobody = ["777"]
[[leave_out]]
reason = "cancelled"
column = "status"
values = ["cancelled"]
[currency]
column = "currency"
to = "EUR"
rates = { USD = 0.9 }
[file]
delimiter = ","
"""
ORDERS = """order,at,client,sku,name,n,price,status,currency
1,2026-09-01 10:00,anna@shop.example,P1,Tea,1,"9.50",paid,EUR
1,2026-09-01 10:00,anna@shop.example,P2,Cup,2,1000.5,paid,USD
2,01.09.2026 10:00,777,P1,Tea,-1,9.5,cancelled,EUR
"""


def read_as(model: type, completed: Callable = dict) -> Callable[[Path], object]:
    """Returns a function that reads a TOML file as a model."""
    return lambda file: toml.read(model, file, file.name, completed=completed)


KINDS: dict[str, tuple[list[str], Callable[[Path], object]]] = {
    "mappings": (
        [path.read_text() for path in MAPPINGS.glob("*.toml")],
        lambda file: load_mapping(str(file)),
    ),
    "profiles": (
        [path.read_text() for path in PROFILES.glob("*.toml")],
        lambda file: load_profile(str(file)),
    ),
    "webhooks": ([WEBHOOKS.read_text()], read_as(Profiles)),
    "merchandising rules": ([RULES], read_as(MerchandisingRules)),
    "excluded products": ([EXCLUDE.read_text()], read_as(Exclusions)),
    "thresholds": ([THRESHOLDS.read_text()], read_as(Thresholds)),
    "sweep": ([SWEEP.read_text()], read_as(SweepFile)),
    "calendar": ([(PROJECT / "pipelines/validate/calendar_example.toml").read_text()], read_as(Calendar)),
}


def mutated(text: str, rng: random.Random) -> str:
    """Returns a text with one to three lines or signs changed."""
    lines = text.splitlines()
    for _ in range(rng.randint(1, 3)):
        at, act = rng.randrange(len(lines)), rng.random()
        name, equals, _ = lines[at].partition("=")
        if equals and act < 0.5:
            lines[at] = f"{name}= {rng.choice(LITERALS)}"
        elif act < 0.6:
            lines[at] = rng.choice(HEADERS)
        elif act < 0.7:
            lines.insert(at, lines[rng.randrange(len(lines))])
        elif act < 0.8:
            lines[at] = ""
        else:
            cut = rng.randrange(len(lines[at]) + 1)
            lines[at] = (
                lines[at][:cut]
                + rng.choice(["\x00", "\udcff", '"', "[", "é", ".", "=", ""])
                + lines[at][cut + 1 :]
            )
    return "\n".join(lines)


def refusal(act: Callable[[], object]) -> str:
    """Returns the message with which an act is refused, "" if it succeeds; fails if it takes long."""
    started = time.process_time()
    try:
        act()
        message = ""
    except NightshelfError as error:
        message = str(error)
    assert "\n" not in message
    assert "anna@shop.example" not in message
    assert (taken := time.process_time() - started) < limits.scaled(SECONDS), f"took {taken:.1f} s"
    return message


@pytest.mark.fast
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_nonsense_is_refused_with_one_line(tmp_path, seed, kind):
    (texts, read), rng = KINDS[kind], random.Random(f"{seed}{kind}")
    file, refused = tmp_path / "drawn.toml", 0
    for _ in range(DRAWN // len(KINDS)):
        file.write_bytes(mutated(rng.choice(texts), rng).encode(errors="surrogateescape"))
        refused += bool(refusal(lambda: read(file)))
    assert refused > 0


@pytest.mark.fast
@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "a" + ".a" * 50_000 + " = 1", "a = " + "9" * 10_000]
)
def test_a_deep_file_or_a_long_number_is_refused_with_one_line(tmp_path, text):
    file = tmp_path / "deep.toml"
    file.write_text(text)
    assert refusal(lambda: toml.read(Calendar, file, "deep.toml"))


def test_orders_of_nonsense_read_by_a_mapping_of_nonsense_end_with_a_message(home, tmp_path, seed):
    rng, mapping, orders = random.Random(seed), tmp_path / "mapping.toml", tmp_path / "orders.csv"
    for number in range(DRAWN // 5):
        is_mapping = rng.random() < 0.5
        mapping.write_bytes(
            (mutated(MAPPING, rng) if is_mapping else MAPPING).encode(errors="surrogateescape")
        )
        orders.write_bytes(_rows(rng).encode(errors="surrogatepass"))
        refusal(lambda number=number: _read(orders, mapping, number))


def _rows(rng: random.Random) -> str:
    cells = [line.split(",") for line in ORDERS.splitlines()]
    for _ in range(rng.randint(0, 3)):
        row = rng.choice(cells)
        row[rng.randrange(len(row))] = str(rng.choice([*nasty.VALUES, '"', "\r", "\x00", "1e400", "-1e400"]))
    return "\n".join(",".join(row) for row in cells)


def _read(orders: Path, mapping: Path, number: int) -> None:
    source = FileSource(str(orders), str(mapping))
    source.orders(None, Staging(source.name, {"number": number}), silent)
