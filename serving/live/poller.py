"""A thread that calls a function at intervals."""

import threading
from collections.abc import Callable


class Poller:
    """Calls `poll` in the background, `interval_seconds` after each call returns, until it is stopped.

    `poll` handles its own errors: an exception that it raises ends the thread.
    """

    def __init__(self, name: str, interval_seconds: float, poll: Callable[[], None]) -> None:
        self._interval_seconds = interval_seconds
        self._poll = poll
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Starts the thread, which polls at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the polling; a call that takes more than a second is abandoned."""
        self._stopping.set()
        self._thread.join(timeout=1)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._poll()
            self._stopping.wait(self._interval_seconds)
