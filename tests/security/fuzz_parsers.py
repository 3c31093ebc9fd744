"""Draws inputs for one of our own parsers, guided by the lines of code that they reach.

`fuzz_parsers.py PARSER OPTIONS`: the options are libFuzzer's. Ends with a status other than 0 and prints the
input if the parser raises anything but what its callers expect, or takes longer than an option allows.
"""

import json
import sys
import tempfile
from pathlib import Path

import atheris

OURS = ["serving", "pipelines.extract"]
with atheris.instrument_imports(include=OURS, enable_loader_override=False):
    import numpy as np
    import pyarrow as pa
    import random_bundles
    from starlette.datastructures import Headers

    from pipelines.extract import records
    from pipelines.extract.files import file_lines
    from pipelines.extract.inspect.text import read as inspected
    from pipelines.extract.join import JoinedFiles
    from pipelines.extract.mapping import load_mapping
    from pipelines.extract.mapping_tables import Packed
    from pipelines.extract.notation import numbers, times
    from pipelines.extract.packed import items
    from pipelines.extract.readers.documents import Document
    from serving.access import origins, session
    from serving.bundle import trees
    from serving.errors import NightshelfError, Problem
    from serving.http import parsing, requests
    from serving.live.identity import IdentityRule, Pseudonymiser, canonical

COUNTRIES = ("", "DE", "RU", "US")
FOLDER = Path(tempfile.mkdtemp(prefix="nightshelf-tests-fuzz-"))
SHIPPED = load_mapping("shopify_csv")


def text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def a_customer(content: bytes) -> None:
    rule = IdentityRule(country=COUNTRIES[len(content) % len(COUNTRIES)])
    canonical(text(content), rule)
    Pseudonymiser("a key for tests", rule).of_row(text(content))


def a_body(content: bytes) -> None:
    for model in (requests.BatchQuery, requests.Events, requests.ProductChange):
        parsing.from_body(model, content, Pseudonymiser("a key for tests"))


def headers(content: bytes) -> None:
    name, _, value = content.partition(b"\n")
    sent = [(b"host", name), (b"origin", value), (b"cookie", b"nightshelf_key=" + value)]
    scope = {"type": "http", "method": "POST", "scheme": "http", "headers": sent}
    session.secret(scope)
    session.origin_host(Headers(scope=scope))
    origins.Origins("shop.example").require_own(scope)


def a_column(content: bytes) -> None:
    column = pa.chunked_array([text(content).split("\n")])
    numbers.to_plain(column, ".")
    numbers.to_plain(column, ",")
    times.to_iso(column, times.recognise_times(column, "orders.csv"))
    numbers.recognise_decimal([column], "orders.csv")


def a_packed_cell(content: bytes) -> None:
    items(text(content), Packed(column="items"), ["sku", "quantity"])
    items(text(content), Packed(column="items", items=",", fields=" x ", value=""), ["1", "2"])


def json_records(content: bytes) -> None:
    try:
        loaded = json.loads(content)
    except (ValueError, RecursionError):
        return
    orders = loaded if isinstance(loaded, list) else [loaded]
    records.to_rows(enumerate(orders), ["id", "billing.email", "lines.sku", "lines.0.price"], "lines")


def a_text_of_orders(content: bytes) -> None:
    (FOLDER / "orders.csv").write_bytes(content)
    document = Document("orders.csv", FOLDER / "orders.csv")
    for _ in file_lines(document, JoinedFiles(SHIPPED, FOLDER)):
        pass


def an_inspected_text(content: bytes) -> None:
    (FOLDER / "orders.csv").write_bytes(content)
    inspected(Document("orders.csv", FOLDER / "orders.csv"))


def trees_of_a_bundle(content: bytes) -> None:
    trees.from_bytes(np.frombuffer(content, np.uint8))


# Inputs from which the drawing begins, by parser.
SHOPIFY = b"\n".join(
    [
        b"Name,Email,Financial Status,Created at,Cancelled at,"
        b"Lineitem quantity,Lineitem price,Lineitem sku,Lineitem name,Vendor",
        b'#1001,anna@shop.example,paid,2026-09-21 08:06:00 +0200,,2,4.50,T1,"Tea, green",Leaf',
        b"#1001,,,,,1,9.00,C1,Cup,",
    ]
)
SEEDS = {
    "a_customer": [
        b"+7 (916) 539-62-05",
        b"0170 1234567",
        b" Anna@Shop.Example ",
        b"13085.0",
        b"7.9165396205E10",
    ],
    "a_body": [
        b'{"customers": ["C-17", "pseudonym:00"], "lane": "for-you", "n": 5, "category": "tea"}',
        b'{"events": [{"customer": "C-17", "product": "tea-1", "kind": "purchase", "id": "e1"}]}',
        b'{"name": "Tea", "price": 4.5, "in_stock": true, "category": "tea"}',
    ],
    "headers": [b"127.0.0.1:8080\nhttp://localhost:8080", b"[::1]:80\nnull", b"shop.example\n%22a%3Bb; c=d"],
    "a_column": [
        b"1.029,10 \xe2\x82\xac\n(5,00)\n2-",
        b"21.09.2026 08:06\n22.09.2026 09:00",
        b"1789977856000",
    ],
    "a_packed_cell": [
        b"name:Tea; green|sku:P1;name:Cup|sku:P2",
        b'[{"sku": "P1", "quantity": 2}]',
        b"P1 x 2, P2 x 1",
    ],
    "json_records": [
        b'[{"id": 1, "billing": {"email": "a@b.example"}, "lines": [{"sku": "P1", "price": [4.5]}]}]',
    ],
    "a_text_of_orders": [
        SHOPIFY,
        SHOPIFY.replace(b",", b";"),
        b"\xff\xfe" + SHOPIFY.decode().encode("utf-16-le"),
    ],
    "an_inspected_text": [SHOPIFY, b"Bestellnr;Kunde;Artikel;Menge;Preis;Datum\n1;7;T1;2;4,50;21.09.2026\n"],
    "trees_of_a_bundle": [
        bytes(random_bundles.draw(np.random.default_rng(1), products=40, customers=5).ranker)
    ],
}


def main(name: str, *options: str) -> None:
    """Runs libFuzzer, which ends the process, on the parser of this name."""
    parser, corpus = globals()[name], Path(tempfile.mkdtemp(dir=FOLDER))
    for number, content in enumerate(SEEDS[name]):
        (corpus / str(number)).write_bytes(content)

    def run(content: bytes) -> None:
        try:
            parser(content)
        except (NightshelfError, Problem) as error:
            assert "\n" not in str(error)

    atheris.Setup([sys.argv[0], str(corpus), *options], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
