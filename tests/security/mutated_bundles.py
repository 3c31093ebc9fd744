"""Draws broken bundles with right digests, opens each as the service does, and asks what opens for answers.

python mutated_bundles.py SEED COUNT FOLDER: prints each case before it starts, so a crash names its case.
"""

import dataclasses
import hashlib
import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import bundles
import numpy as np
import random_bundles
from clients import Client

from serving.bundle.files import MANIFEST, load, save
from serving.bundle.format import ARRAYS, Array, Bundle
from serving.errors import BundleError
from serving.http.routes import create_app
from serving.live import opening
from serving.live.served import Served, ServingState

SECONDS = 1  # of processor time that a case may take
EXTREMES = (0, -1, 1, 127, 255, 2**31 - 1, -(2**31), 2**63 - 1, float("nan"), float("inf"), 1e300, -1e-300)
JSON = (None, True, False, "", "x", "1e999", [], {}, [[]], "9" * 40, 10**40, *EXTREMES[:8], 1e308)
KINDS = ("<i4", "<i8", ">i8", "<f4", "<f8", "<f2", "|b1", "|u1", "|S1", "|S8", "<U4", "<c16", "<M8[D]", "|V4")
CUSTOMER, PRODUCT = "00001", "00007"
PATHS = (
    f"/v1/customers/pseudonym:{CUSTOMER}/recommendations?n=100",
    f"/v1/customers/pseudonym:{CUSTOMER}/recommendations?lane=buy-again&reasons=true",
    f"/v1/customers/pseudonym:{CUSTOMER}/recommendations?lane=discover&max_price=10",
    f"/v1/customers/pseudonym:{CUSTOMER}/history",
    "/v1/customers/nobody-known/recommendations?group=France",
    f"/v1/products/{PRODUCT}/similar?n=50",
    f"/v1/products/{PRODUCT}/bought-together",
    *("/v1/popular?days=7", "/v1/model", "/v1/status", "/v1/categories", "/v1/shoppers"),
)
CARTS = ([PRODUCT], [PRODUCT, "00009", "00011"], ["unknown"])


def nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yields each container of a JSON value with each of its keys."""
    for key, child in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(child, dict | list) and child:
            yield from nodes(child)


def break_json(rng: random.Random, text: str) -> bytes:
    """Returns JSON with a few nodes replaced, removed or repeated, or with a few bytes changed."""
    if rng.random() < 0.1:
        return break_bytes(rng, text.encode())
    value = json.loads(text)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        container, key = rng.choice(list(nodes(value)) or [(None, None)])
        if container is None:
            break
        if rng.random() < 0.15:
            del container[key]
        else:
            inside = json.loads(json.dumps(container))
            container[key] = rng.choice((*JSON, rng.randrange(-5, 70), inside))
    return json.dumps(value).encode()


def break_bytes(rng: random.Random, content: bytes) -> bytes:
    """Returns the content with some bytes changed, removed or added, mostly near its beginning."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 2, 8))):
        at = rng.randrange(min(len(changed), rng.choice((20, 200, len(changed)))) or 1)
        changed[at : at + rng.choice((0, 1, 1, 1, 9))] = rng.randbytes(rng.choice((0, 1, 1, 1, 9)))
    return bytes(changed)


def break_array(rng: random.Random, array: Array) -> Array:
    """Returns the array with other values, rows, dimensions or another type."""
    changed = array.copy()
    way = rng.choice(("value", "value", "value", "rows", "columns", "shape", "type", "order"))
    if way == "value" and changed.size:
        with np.errstate(all="ignore"):
            value = np.array(rng.choice((*EXTREMES, rng.randrange(400)))).astype(changed.dtype)
        changed.flat[rng.randrange(changed.size) if rng.random() < 0.7 else slice(None)] = value
    elif way == "rows":
        changed = (
            np.repeat(changed, 2, axis=0)
            if rng.random() < 0.3
            else changed[: rng.randrange(len(changed) + 1)]
        )
    elif way == "columns":
        changed = changed[..., :-1] if changed.ndim > 1 else changed[:, None]
    elif way == "shape":
        changed = rng.choice(
            (
                changed.reshape(-1),
                changed[None],
                changed.reshape(-1)[:1].reshape(()) if changed.size else changed[None],
                changed.T,
            )
        )
    elif way == "type":
        changed = np.zeros(changed.shape, rng.choice(KINDS))
    elif way == "order":
        changed = changed[::-1]
    return np.ascontiguousarray(changed) if changed.ndim else changed


def break_folder(rng: random.Random, folder: Path, ranker: str) -> str:
    """Breaks one file of a saved bundle, corrects its digest, and returns what was broken."""
    way = rng.choice(("array", "array", "bytes", "manifest", "ranker"))
    name = "ranker" if way == "ranker" else rng.choice(ARRAYS)
    file = folder / f"{name}.npy"
    if way == "array":
        np.save(file, break_array(rng, np.load(file)), allow_pickle=False)
    elif way == "bytes":
        file.write_bytes(break_bytes(rng, file.read_bytes()))
    elif way == "ranker":
        np.save(file, np.frombuffer(break_json(rng, ranker), np.uint8))
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = hashlib.sha256(file.read_bytes()).hexdigest()
    text = json.dumps(manifest)
    if way == "manifest":
        facts = {key: value for key, value in manifest.items() if key not in ("files", "format")}
        broken = break_json(rng, json.dumps(facts))
        text = broken.decode(errors="replace")
        if text.startswith("{") and text.endswith("}"):
            text = json.dumps({key: manifest[key] for key in ("files", "format")})[:-1] + ", " + text[1:]
    (folder / MANIFEST).write_text(text)
    return f"{way} {name}"


def ask(bundle: Bundle) -> None:
    """Sends requests of every kind; fails if one isn't answered."""
    client = Client(create_app(ServingState(Served("7", bundle)), bundles.KEY))
    answers = [client.get(path) for path in PATHS]
    answers += [client.post("/v1/cart/recommendations", json={"cart": cart}) for cart in CARTS]
    many = {"customers": [f"pseudonym:{CUSTOMER}", "unknown"], "n": 20}
    answers.append(client.post("/v1/recommendations", json=many))
    assert [answer.text for answer in answers if answer.status_code >= 500] == []


def try_case(folder: Path) -> str:
    """Opens a bundle and asks it for answers; returns how that ended."""
    started = time.process_time()
    try:
        bundle = load(folder)
        opening.warm_up(bundle)
        result = "answers"
        ask(bundle)
    except BundleError as error:
        assert "\n" not in str(error)
        result = "refused"
    assert time.process_time() - started < SECONDS, "it takes too long"
    return result


def main(seed: int, count: int, folder: Path) -> None:
    bundle = random_bundles.draw(np.random.default_rng(seed), products=40, customers=5)
    shoppers = {"cut": "2026-01-01", "until": "2026-01-28", "popular": [PRODUCT], "shoppers": [
        {"customer": CUSTOMER, "recommended": [PRODUCT], "bought": [PRODUCT]}]}  # fmt: skip
    bundle = dataclasses.replace(bundle, manifest=bundle.manifest | {"shoppers": shoppers})
    saved = save(bundle, folder / "bundle")
    files = {path: path.read_bytes() for path in saved.iterdir()}
    assert try_case(saved) == "answers"
    ends = dict.fromkeys(("answers", "refused"), 0)
    for number in range(count):
        rng = random.Random(f"{seed}-{number}")
        broken = break_folder(rng, saved, bytes(bundle.ranker).decode())
        print(f"case {number} of seed {seed}: {broken}", flush=True)
        ends[try_case(saved)] += 1
        for path, content in files.items():
            path.write_bytes(content)
    print(f"ended: {ends}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
