#!/usr/bin/env python3
"""`healthy URL [COMPONENT]...`: exits with 0 if the URL succeeds and reports the components healthy."""

import json
import sys
import urllib.request


def main() -> None:
    """Exits with 1 and an error message if the check fails."""
    url, *components = sys.argv[1:]
    # Containers reach each other directly, whatever proxy is configured.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=25) as response:
        body = response.read()
    for name in components:
        status = json.loads(body)[name]["status"]
        if status != "healthy":
            sys.exit(f"{name} is {status}")


if __name__ == "__main__":
    main()
