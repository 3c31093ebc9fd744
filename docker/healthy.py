#!/usr/bin/env python3
"""`healthy URL [COMPONENT]`: exit code 0 where the address answers well, and calls the component healthy."""

import json
import sys
import urllib.request


def main() -> None:
    """Raises, which is an exit code of 1, where there is no such answer."""
    url, *component = sys.argv[1:]
    # No proxy of the machine's stands between a container and its like.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=4) as answer:
        told = answer.read()
    for name in component:
        status = json.loads(told)[name]["status"]
        if status != "healthy":
            sys.exit(f"{name} is {status}")


if __name__ == "__main__":
    main()
