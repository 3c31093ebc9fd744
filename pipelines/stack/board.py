"""Progress as a table in a terminal, and as plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

console = Console(highlight=False, soft_wrap=True)

DONE = {"up": "green", "done": "green", "skipped": "yellow", "failed": "red"}


@contextmanager
def board(title: str) -> Iterator["Board"]:
    """A board that is shown until the end of the block."""
    console.print(title)
    shown = Board()
    if not console.is_terminal:
        yield shown
        return
    with Live(get_renderable=shown.table, console=console, refresh_per_second=8):
        yield shown


class Board:
    """Rows of name, state, detail and seconds; a row's clock runs until its state is one of DONE."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[str, str]] = {}
        self.clocks: dict[str, tuple[float, float | None]] = {}
        self.spinner = Spinner("dots")

    def set(self, name: str, state: str, detail: str = "") -> None:
        """Shows the row's new state."""
        if self.rows.get(name) == (state, detail):
            return
        begun, _ = self.clocks.get(name, (time.monotonic(), None))
        self.clocks[name] = begun, time.monotonic() if state in DONE else None
        self.rows[name] = state, detail
        if not console.is_terminal:
            console.print(f"  {name}: {state} {detail}".rstrip() + f" ({self._seconds(name):.0f} s)")

    def table(self) -> Table:
        """The rows as a terminal shows them."""
        table = Table.grid(padding=(0, 2))
        for name, (state, detail) in self.rows.items():
            mark = Text("●", DONE[state]) if state in DONE else self.spinner
            table.add_row(mark, name, state, detail, f"{self._seconds(name):.0f} s")
        return table

    def _seconds(self, name: str) -> float:
        begun, ended = self.clocks[name]
        return (ended or time.monotonic()) - begun
