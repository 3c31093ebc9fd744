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
from pyspark.sql import functions as F
from rich.console import Group, RenderableType
from rich.text import Text

from expectations.findings import unmet
from pipelines import columns as c
from pipelines import extract
from pipelines.choices import SourceName
from pipelines.extract import Source, pulls
from pipelines.lake import tables
from pipelines.lake.java import check_java
from pipelines.lake.spark import SMALL_ROWS, session
from pipelines.run.night import Night
from pipelines.run.progress import silent
from pipelines.settings import customer_key, settings
from pipelines.steps import validate
from pipelines.validate import outputs, waterfall
from pipelines.validate.row_checks import USED
from serving.errors import NightshelfError
from serving.live.identity import IdentityRule, Pseudonymiser

# For a small source, code that is compiled well isn't run often enough to be worth compiling.
QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
LEFT_OUT = "left_out_"  # how the waterfall names the lines that a mapping's rule leaves out


@dataclass
class SourceCheck:
    """What a first nightly run of the source would read, use and leave out, and whether it would stop."""

    fetched: int = 0  # order lines, like all counts but the next three
    used: int = 0
    orders: int = 0
    customers: int = 0
    products: int = 0
    left_out: dict[str, int] = field(default_factory=dict)  # by reason, row check or other fate
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

    What is left out comes from the settings. Nothing is compared with earlier runs.
    """
    check_java()
    checked = SourceCheck()
    with _temporary_home(), contextlib.redirect_stdout(sys.stderr):  # stdout holds the result alone
        try:
            _check(checked, kind or settings().source, path or settings().files_path, mapping)
        except NightshelfError as error:
            checked.would_stop = str(error)
    return checked


def _check(checked: SourceCheck, kind: SourceName, path: str, mapping: str | None) -> None:
    own = {"sql": settings().sql_mapping, "mongo": settings().mongo_mapping}
    chosen = mapping or own.get(kind, settings().files_mapping)
    source = extract.source(kind, path, chosen)
    day = source.last_day(None)
    night = Night(as_of=day, source=kind, path=path, mapping=chosen, sweep="", solver="auto")
    rows = pulls.pull(source, night.as_of, full=True, progress=silent)["new_order_lines"]
    if rows <= SMALL_ROWS:
        os.environ["JDK_JAVA_OPTIONS"] = f"{os.environ.get('JDK_JAVA_OPTIONS', '')} {QUICK_JAVA}".strip()
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
        received.checked.unpersist()


def _sizes(received: validate.Received, rule: IdentityRule) -> tuple[int, int, int]:
    """Returns the numbers of orders, customers and products among the lines that passed the row checks."""
    if tables.exists(tables.ORDERS):
        orders = tables.read_spark(session(), tables.ORDERS)
    else:  # the run was rejected
        orders = outputs.orders(received.checked, Pseudonymiser(customer_key(), rule))
    counts = (F.count_distinct(name) for name in (c.ORDER_ID, c.CUSTOMER, c.PRODUCT))
    row = orders.agg(*counts).collect()[0]
    return row[0], row[1], row[2]


@contextlib.contextmanager
def _temporary_home() -> Iterator[None]:
    """Within the block, all settings but the places that Nightshelf writes to are the user's."""
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
    values |= {"mlflow_uri": f"sqlite:///{home}/mlflow.db", "spark_master": "local[*]"}
    values["customer_key"] = values["customer_key"] or secrets.token_urlsafe(48)
    return {f"NIGHTSHELF_{name.upper()}": value for name, value in values.items()}


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return "" if value is None else str(value)
