"""Reads orders and products of the shop in the settings; prints the error, if any, and the memory it took."""

import resource
from pathlib import Path

from pipelines.extract.shop_api import ShopApiSource
from pipelines.extract.staging import Staging
from pipelines.run.progress import silent
from pipelines.settings import settings
from serving.errors import NightshelfError

LIMIT = 6 << 30  # bytes of address space, so that a failing test doesn't take the whole machine


def peak() -> int:
    """Returns the most mebibytes that this process held at once."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) >> 10


def main() -> None:
    """Prints two lines: the message of the error or nothing, and the mebibytes taken beyond the imports."""
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    before = peak()
    message = ""
    source = ShopApiSource(settings())
    try:
        source.orders(None, Staging(source.name, source.plan), silent)
        source.products()
    except NightshelfError as error:
        message = str(error)
    print(message)
    print(peak() - before)


if __name__ == "__main__":
    main()
