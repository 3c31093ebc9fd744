"""A shop whose small compressed responses become large, or that announces pages without end."""

import os
import subprocess
import sys
import zlib
from pathlib import Path

import limits
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

SCRIPT = Path(__file__).with_name("hungry_pull.py")
SIZE = 63 << 20  # bytes of the text, just below NIGHTSHELF_SHOP_RESPONSE_MB
MOST_MB = 400  # beyond the imports; a text of this size is held twice
SECONDS = 60
GOOD = b'{"id": 1, "createdAt": "2026-09-01T10:00:00Z", "clientTel": "1", "basket": []}'
ORDERS = b'{"pageCount": 1, "orders": ['
LINES = ORDERS + GOOD[:-3] + b"["
# Begin, what is repeated up to SIZE, and end.
BOMBS = {
    "orders without fields": (ORDERS + GOOD, b",{}", b"]}"),
    "orders that are numbers": (ORDERS + GOOD, b",1", b"]}"),
    "orders that are lists": (ORDERS + GOOD, b",[]", b"]}"),
    "lines without fields": (LINES + b"{}", b",{}", b"]}]}"),
    "short lines": (LINES + b"null", b',{"goodsId":1,"quantity":1}', b"]}]}"),
    "unknown objects": (b'{"pageCount": 1, "orders": [], "more": [{}', b",{}", b"]}"),
    "unknown names": (b'{"pageCount": 1, "orders": [], "more": {"a":1', b',"a":1', b"}}"),
    "nested lists": (b'{"pageCount": 1, "orders": ', b"[", b""),
    "a text": (b'{"pageCount": 1, "more": [], "orders": "', b"a", b'"}'),
    "a long number": (b'{"pageCount": 1, "orders": [], "more": 1', b"9", b"}"),
    "a long count": (b'{"orders": [], "pageCount": 1', b"9", b"}"),
}
MUCH = (b'{"pageCount": 1, "orders": []', b" ", b"}")


def compressed(begin: bytes, item: bytes, end: bytes, size: int) -> bytes:
    """Returns the gzip stream of a text of about a size, without holding the text."""
    stream, block = zlib.compressobj(1, wbits=31), item * 50_000
    parts = [stream.compress(begin)]
    parts += [stream.compress(block) for _ in range(size // len(block))]
    return b"".join([*parts, stream.compress(end), stream.flush()])


def pull(tmp_path: Path, url: str) -> tuple[str, int]:
    """Returns the message with which a pull ends, "" if it succeeds, and the mebibytes it took."""
    home = {"NIGHTSHELF_HOME": str(tmp_path), "NIGHTSHELF_CUSTOMER_KEY": "a key for tests"}
    shop = {"NIGHTSHELF_SHOP_URL": url, "NIGHTSHELF_SHOP_TRIES": "1", "NIGHTSHELF_SHOP_RATE": "10000"}
    process = subprocess.run(
        [sys.executable, SCRIPT],
        env=os.environ | home | shop,
        capture_output=True,
        text=True,
        check=False,
        timeout=limits.scaled(SECONDS),
    )
    assert process.returncode == 0, process.stderr
    message, memory = process.stdout.splitlines()
    return message, int(memory)


def shop_of(body: bytes) -> Starlette:
    """Returns a shop that answers every request with a compressed body."""
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    return Starlette(routes=[Route("/{path}", lambda _: Response(body, headers=headers))])


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_response_that_grows_takes_little_memory(tmp_path, serve, bomb):
    body = compressed(*BOMBS[bomb], SIZE)
    _, memory = pull(tmp_path, serve(shop_of(body)))
    assert memory < MOST_MB, f"{len(body) >> 10} KB took {memory} MiB"


def test_a_response_beyond_the_limit_is_refused_before_it_is_held(tmp_path, serve):
    message, memory = pull(tmp_path, serve(shop_of(compressed(*MUCH, 2 << 30))))
    assert "larger than" in message
    assert memory < MOST_MB


@pytest.mark.parametrize("pages", [10**12, 10**6, -1, 10**400])
def test_pages_without_end_are_not_believed(tmp_path, serve, pages):
    read_pages = []

    def respond(request):
        read_pages.append(request.query_params["page"])
        body = b'{"pageCount": %d, "orders": [%s]}' % (pages, GOOD if read_pages[-1] == "1" else b"")
        return Response(body, media_type="application/json")

    message, memory = pull(tmp_path, serve(Starlette(routes=[Route("/orders", respond)])))
    assert "page" in message
    assert memory < MOST_MB
    assert len(read_pages) < 2_000
