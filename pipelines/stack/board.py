"""Progress as a live table in a terminal, and as plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

console = Console(highlight=False, soft_wrap=True)

COLOURS = {"up": "green", "done": "green", "skipped": "yellow", "failed": "red"}  # of the final states


@contextmanager
def board(title: str) -> Iterator["Board"]:
    """Yields a board, which is shown until the block ends."""
    console.print(title)
    shown = Board()
    if not console.is_terminal:
        yield shown
        return
    with Live(get_renderable=shown.table, console=console, refresh_per_second=8):
        yield shown


class Board:
    """Rows of name, state, detail and seconds; a row's clock stops at a final state (a key of COLOURS)."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[str, str]] = {}
        self.clocks: dict[str, tuple[float, float | None]] = {}
        self.spinner = Spinner("dots")

    def set(self, name: str, state: str, detail: str = "") -> None:
        """Shows a row's new state; without a terminal, prints a line if the state or the detail changed."""
        if self.rows.get(name) == (state, detail):
            return
        started, _ = self.clocks.get(name, (time.monotonic(), None))
        self.clocks[name] = started, time.monotonic() if state in COLOURS else None
        self.rows[name] = state, detail
        if not console.is_terminal:
            line = f"  {name}: {state} {detail}".rstrip() + f" ({self.seconds(name):.0f} s)"
            console.print(line, markup=False)

    def seconds(self, name: str) -> float:
        """How long a row has been shown, until its final state."""
        started, ended = self.clocks[name]
        return (ended or time.monotonic()) - started

    def table(self) -> Table:
        """The rows as a terminal shows them."""
        table = Table.grid(padding=(0, 2))
        for name, (state, detail) in self.rows.items():
            mark = Text("●", COLOURS[state]) if state in COLOURS else self.spinner
            table.add_row(mark, name, state, Text(detail), f"{self.seconds(name):.0f} s")
        return table
