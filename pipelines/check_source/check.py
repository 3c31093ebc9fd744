"""Checks a source without a nightly run: extraction and validation alone, in a home that is then deleted."""

import contextlib
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import SecretStr
from rich.console import Group, RenderableType
from rich.text import Text

from expectations.findings import unmet
from pipelines import columns as c
from pipelines import extract
from pipelines.choices import SourceName
from pipelines.extract import Source, pulls
from pipelines.lake import tables
from pipelines.run.night import Night
from pipelines.run.progress import silent
from pipelines.settings import customer_key, settings
from pipelines.steps import validate
from pipelines.validate import outputs, waterfall
from pipelines.validate.row_checks import USED
from serving.errors import NightshelfError
from serving.live.identity import IdentityRule, Pseudonymiser

LEFT_OUT = "left_out_"  # how the waterfall names the lines that a mapping's rule leaves out


@dataclass
class SourceCheck:
    """What a first nightly run of the source would read, use and leave out, and whether it would stop."""

    fetched: int = 0  # order lines
    used: int = 0  # order lines
    orders: int = 0
    customers: int = 0
    products: int = 0
    left_out: dict[str, int] = field(default_factory=dict)  # order lines by rule, row check or other fate
    warnings: list[str] = field(default_factory=list)
    would_stop: str | None = None  # the message with which the nightly run would stop

    def as_json(self) -> dict[str, Any]:
        """Returns all counts, warnings and the message, as JSON holds them."""
        return asdict(self)

    def table(self) -> RenderableType:
        """Returns the waterfall, the warnings and the outcome for the terminal."""
        if not self.fetched:
            return Text(self._outcome())
        from pipelines.report import terminal  # takes a second to import, and --json needs none of it

        counts: dict[str, Any] = {waterfall.FETCHED: self.fetched, **self.left_out, USED: self.used}
        sizes = f"{self.orders:,} orders, {self.customers:,} customers, {self.products:,} products"
        lines = terminal.waterfall(counts | {"warnings": self.warnings})
        return Group(lines, Text(sizes), Text(self._outcome()))

    def _outcome(self) -> str:
        if self.would_stop is None:
            return "a nightly run would pass"
        return f"a nightly run would stop: {self.would_stop}"


def check_source(kind: SourceName | None, path: str | None, mapping: str | None) -> SourceCheck:
    """Runs extraction and validation as the first nightly run of a source would, and changes nothing.

    An argument that is None comes from the settings. Nothing is compared with earlier runs.
    """
    checked = SourceCheck()
    with _temporary_home(), contextlib.redirect_stdout(sys.stderr):  # stdout holds the result alone
        try:
            _check(checked, kind or settings().source, path or settings().files_path, mapping)
        except NightshelfError as error:
            checked.would_stop = str(error)
    return checked


def _check(checked: SourceCheck, kind: SourceName, path: str, mapping: str | None) -> None:
    chosen = mapping or settings().mapping_of(kind)
    source = extract.source(kind, path, chosen)
    day = source.last_day(None)
    night = Night(as_of=day, source=kind, path=path, mapping=chosen, sweep="", solver="auto")
    pulls.pull(source, night.as_of, full=True, progress=silent)
    _validate(checked, night, source)


def _validate(checked: SourceCheck, night: Night, source: Source) -> None:
    received = validate.receive(night, source)
    counts = waterfall.waterfall(received.tallied, received.fetched)
    checked.fetched, checked.used = counts[waterfall.FETCHED], counts[USED]
    checked.left_out = {
        name.removeprefix(LEFT_OUT): lines
        for name, lines in counts.items()
        if lines and name not in (waterfall.FETCHED, USED)
    }
    try:
        findings = validate.write(night, source, received, counts, lambda _, *judged: unmet(*judged))
        checked.warnings = [str(finding) for finding in findings]
    finally:
        checked.orders, checked.customers, checked.products = _sizes(received, source.dialect.identity)
        received.checked.release()


def _sizes(received: validate.Received, rule: IdentityRule) -> tuple[int, int, int]:
    """Returns the numbers of orders, customers and products among the lines that passed the row checks."""
    if tables.exists(tables.ORDERS):
        orders = tables.scan(tables.ORDERS)
    else:  # the run was rejected
        orders = outputs.orders(received.checked, Pseudonymiser(customer_key(), rule))
    counts = orders.agg({name: orders[name].nunique() for name in (c.ORDER_ID, c.CUSTOMER, c.PRODUCT)})
    row = counts.to_pyarrow().to_pylist()[0]
    return row[c.ORDER_ID], row[c.CUSTOMER], row[c.PRODUCT]


@contextlib.contextmanager
def _temporary_home() -> Iterator[None]:
    """Within the block, Nightshelf writes to a temporary folder; all other settings are kept."""
    with tempfile.TemporaryDirectory(prefix="nightshelf-check-") as home:
        before = dict(os.environ)
        os.environ.update(_environment(home))
        settings.cache_clear()
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
            settings.cache_clear()


def _environment(home: str) -> dict[str, str]:
    values = {name: _text(value) for name, value in settings().model_dump().items()}
    values |= {"home": home, "lake": f"{home}/lake", "store_url": f"sqlite:///{home}/store.db"}
    values |= {"mlflow_uri": f"sqlite:///{home}/mlflow.db", "spark_master": ""}
    values["customer_key"] = values["customer_key"] or secrets.token_urlsafe(48)
    return {f"NIGHTSHELF_{name.upper()}": value for name, value in values.items()}


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return "" if value is None else str(value)
