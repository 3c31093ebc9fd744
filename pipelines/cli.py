"""The `nightshelf` command.

A command imports what it needs when it runs, so that `--help` and commands that need no model answer at once.
"""

import datetime as dt
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, get_args

import typer

from pipelines.choices import AnyStep, Solver, SourceName, Split
from serving.access.keys import Scope
from serving.errors import NightshelfError, without_secrets
from serving.recommend.lanes import LANES
from serving.settings import collect_rarely, keep_private

TRY, RUN, MODELS, DATA, SERVICE, PEOPLE = "Try", "Run", "Models", "Data", "Service", "People"
MAX_ITEMS = 100  # the most products per list, as over HTTP

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, rich_markup_mode="rich"
)
quarantine = typer.Typer(no_args_is_help=True, help="List, show and release order lines in quarantine.")
keyring = typer.Typer(no_args_is_help=True, help="Add, list and remove the service's API keys.")

Reason = Annotated[str, typer.Option(help="Why; it is recorded with the version.")]
Check = Annotated[str, typer.Argument(help="A row check, as `nightshelf quarantine list` names it.")]
NightDay = Annotated[
    str | None, typer.Option(help="Day of a nightly run, as 2026-01-31; default: the newest.")
]
AsOf = Annotated[str | None, typer.Option(help="Last day of orders to use, as 2026-01-31.")]
Source = Annotated[SourceName | None, typer.Option(help="Where orders come from.")]
OrdersPath = Annotated[str | None, typer.Option(help="File or folder that the source `files` reads.")]
MappingName = Annotated[
    str | None, typer.Option(help="Mapping of `files`, `sql` or `mongo`: a shipped name or a TOML file.")
]
Sweep = Annotated[str | None, typer.Option(help="Search space of pipelines/sweep/sweep.toml.")]
AlsSolver = Annotated[Solver | None, typer.Option(help="ALS solver.")]
Full = Annotated[bool, typer.Option("--full", help="Read the source from its beginning.")]
LetPass = Annotated[
    str | None, typer.Option(help="Why this run may pass although validation would reject it; recorded.")
]
Once = Annotated[bool, typer.Option(help="Stop after the first nightly run and one recommendation.")]


def _lane(name: str) -> str:
    if name not in LANES:
        raise typer.BadParameter(f"must be one of {', '.join(LANES)}")
    return name


def _print(message: object) -> None:
    """Prints a message or a table; rich is imported only once there is something to print."""
    from rich import print as show

    show(message)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        print(version("nightshelf"))
        raise typer.Exit


@app.callback()
def nightshelf(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Recommendations for web shops that retrain every night and can be trusted."""


@app.command(rich_help_panel=TRY)
def init() -> None:
    """Writes a .env file with new secrets, unless there is one."""
    from pipelines.settings import write_env

    _print("wrote .env" if write_env() else ".env exists; it was not changed")


@app.command(rich_help_panel=TRY)
def config() -> None:
    """Prints every setting with its value; secrets are masked."""
    from pipelines.settings import settings

    for name, value in settings().model_dump().items():
        print(f"NIGHTSHELF_{name.upper()}={'' if value is None else without_secrets(str(value))}")


@app.command(rich_help_panel=TRY)
def up(once: Once = False) -> None:
    """Starts demo shop, MLflow, Airflow and the service, and a nightly run; Ctrl-C stops everything."""
    from pipelines.stack.up import up as start

    start(once)


@app.command(rich_help_panel=TRY)
def cluster(once: Once = False) -> None:
    """Like `up`, with a cluster's servers: PostgreSQL, Spark master and workers, two replicas, a proxy."""
    from pipelines.stack.up import up_as_cluster as start

    start(once)


@app.command("demo-shop", rich_help_panel=TRY)
def demo_shop(
    faults: Annotated[Path | None, typer.Option(help="TOML file of faults to inject.")] = None,
) -> None:
    """Serves the demo shop's API."""
    from pipelines.demo.api import serve

    serve(faults)


@app.command(rich_help_panel=RUN)
def retrain(
    as_of: AsOf = None,
    source: Source = None,
    path: OrdersPath = None,
    mapping: MappingName = None,
    sweep: Sweep = None,
    solver: AlsSolver = None,
    full: Full = False,
    let_pass: LetPass = None,
) -> None:
    """Runs all steps of a nightly run in this process, without Airflow."""
    from pipelines.retrain import retrain as run
    from pipelines.settings import write_env

    write_env()
    run(
        as_of=as_of,
        source=source,
        path=path,
        mapping=mapping,
        sweep=sweep,
        solver=solver,
        full=full,
        let_pass=let_pass,
    )


@app.command(rich_help_panel=RUN)
def step(
    name: Annotated[AnyStep, typer.Argument(metavar="STEP", help=", ".join(get_args(AnyStep)))],
    run: Annotated[
        str | None, typer.Option(help="Id of the nightly run in MLflow; default: the newest.")
    ] = None,
    as_of: AsOf = None,
    source: Source = None,
    path: OrdersPath = None,
    mapping: MappingName = None,
    sweep: Sweep = None,
    solver: AlsSolver = None,
    full: Full = False,
    let_pass: LetPass = None,
) -> None:
    """Runs one step alone: `begin` opens a nightly run, the other steps continue it or repeat a part.

    `begin` takes all options but `--run`, the other steps take `--run` and `--path`. The path is not
    recorded: give it to `extract` and `validate` too, unless NIGHTSHELF_FILES_PATH names it.
    """
    from pipelines.retrain import begin, run_step
    from pipelines.settings import write_env

    write_env()
    if name == "begin":
        night = begin(
            as_of=as_of,
            source=source,
            path=path,
            mapping=mapping,
            sweep=sweep,
            solver=solver,
            full=full,
            let_pass=let_pass,
        )
        _print(f"nightly run of {night.as_of} has the id {night.run_id}")
    else:
        _print(run_step(name, run, path))


@app.command(rich_help_panel=DATA)
def inspect(
    path: Annotated[
        str, typer.Argument(metavar="PATH|URL", help="File or folder; a shop's API with --profile.")
    ],
    profile: Annotated[
        str | None, typer.Option(help="Profile of the shop's API: a shipped name or a TOML file.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="TOML file to write the mapping to.")] = None,
) -> None:
    """Looks at a shop's files or API, and writes the mapping that reads them.

    Exits with 1 if something that a nightly run needs could not be decided.
    """
    from pipelines.extract.inspect.command import inspect as look

    inspection = look(path, profile, to)
    _print(inspection.report)
    raise typer.Exit(0 if inspection.is_usable else 1)


@app.command("check-source", rich_help_panel=DATA)
def check_source(
    source: Source = None,
    path: OrdersPath = None,
    mapping: MappingName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Shows what a nightly run would read, use and leave out, and whether it would stop; changes nothing.

    Exits with 1 if it would stop. Earlier nightly runs are not looked at.
    """
    import json

    from pipelines.check_source import check_source as check

    checked = check(source, path, mapping)
    if as_json:
        print(json.dumps(checked.as_json(), ensure_ascii=False))
    else:
        _print(checked.table())
    raise typer.Exit(0 if checked.would_stop is None else 1)


@app.command(rich_help_panel=RUN)
def tonight() -> None:
    """Lets Airflow start a nightly run, unless one is active or has succeeded since midnight."""
    from pipelines.settings import settings
    from pipelines.stack.nightly_run import trigger_if_due

    started = trigger_if_due(settings())
    _print("a nightly run has started" if started else "a nightly run is active or has succeeded today")


@app.command("prepare-containers", rich_help_panel=RUN)
def prepare_containers() -> None:
    """Prepares Airflow's database and password and the service's key, before containers start."""
    from pipelines.settings import settings
    from pipelines.stack.containers import prepare

    prepare(settings())


@app.command(rich_help_panel=MODELS)
def status() -> None:
    """Shows which version serves, since when and why, and the latest versions."""
    from pipelines.report.terminal import status as table

    _print(table())


@app.command(rich_help_panel=MODELS)
def history() -> None:
    """Shows what was promoted, refused and rolled back, and why."""
    from pipelines.report.terminal import history as table

    _print(table())


@app.command(rich_help_panel=MODELS)
def promote(version: str, reason: Reason) -> None:
    """Makes a version the champion."""
    from pipelines.registry import acts

    acts.promote(version, reason)
    _print(f"version {version} serves")


@app.command(rich_help_panel=MODELS)
def rollback(
    reason: Reason,
    to: Annotated[str | None, typer.Option(help="Version; default: the previous champion.")] = None,
) -> None:
    """Makes the previous champion, or another version, the champion again."""
    from pipelines.registry import acts

    _print(f"version {acts.rollback(to, reason)} serves")


@app.command(rich_help_panel=MODELS)
def compare(
    split: Annotated[
        Split, typer.Option(help="How purchases are held out; all but `time` let training see the future.")
    ] = "time",
) -> None:
    """Measures the champion's settings beside baselines and published models, on the orders in the lake."""
    from pipelines.compare.models import compare as measure
    from pipelines.report.terminal import lane_tables

    _print(lane_tables(measure(split)))


@app.command(rich_help_panel=PEOPLE)
def forget(
    customer: Annotated[str, typer.Argument(help="The shop's own id of the customer.")],
    delete_versions: Annotated[
        bool,
        typer.Option("--delete-versions", help="Delete the models in MLflow that learned of the customer."),
    ] = False,
) -> None:
    """Erases a customer, and searches for remaining data everywhere; exits with 1 if there is any."""
    from pipelines.privacy.forget_one import forget as erase
    from pipelines.registry import deletion

    erasure = erase(customer)
    _print(erasure.table())
    for line in deletion.forget(erasure.pseudonyms, delete_versions):
        _print(line)
    raise typer.Exit(1 if erasure.total_remaining else 0)


@app.command(rich_help_panel=SERVICE)
def export(
    to: Annotated[str, typer.Option(help="FILE.parquet or FILE.csv, a path or a URL; or a database's URL.")],
    n: Annotated[int, typer.Option(min=1, max=MAX_ITEMS, help="Products per row, at most.")] = 10,
    lane: Annotated[
        list[str] | None,
        typer.Option(parser=_lane, metavar="LANE", help=f"{', '.join(LANES)}; default: for-you; repeatable."),
    ] = None,
    products: Annotated[bool, typer.Option("--products", help="Alternatives to every product.")] = False,
    pseudonyms: Annotated[bool, typer.Option("--pseudonyms", help="Name customers by pseudonym.")] = False,
    table: Annotated[
        str | None, typer.Option(help="Table of the database; default: recommendations or alternatives.")
    ] = None,
) -> None:
    """Writes the service's recommendations for every customer, or the alternatives to every product."""
    from pipelines.batch import export as batch

    if products and (lane or pseudonyms):
        raise NightshelfError("--products exports no customers: leave out --lane and --pseudonyms")
    if products:
        count = batch.export_products(to, n, table or "alternatives")
        _print(f"{count:,} products in {without_secrets(to)}")
    else:
        lanes = [name for name in LANES if name in (lane or LANES[:1])]
        count = batch.export_customers(to, n, lanes, table or "recommendations", pseudonyms)
        _print(f"{count:,} customers in {without_secrets(to)}")


@app.command(rich_help_panel=DATA)
def backup(to: Annotated[str, typer.Option(help="File to write, FILE.tar, a path or a URL.")]) -> None:
    """Writes lake, registry, store, keys and night reports into one file, while everything runs."""
    from pipelines.backup.commands import back_up

    _print(back_up(to))


@app.command(rich_help_panel=DATA)
def restore(
    source: Annotated[str, typer.Argument(metavar="FILE", help="File written by `backup`, a path or a URL.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace what exists.")] = False,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Accept a backup of a release before 0.2, which isn't signed.")
    ] = False,
) -> None:
    """Restores a backup where nothing exists yet; stop all servers first."""
    from pipelines.backup.commands import restore as put_back

    _print(put_back(source, replace, unsigned))


@app.command(rich_help_panel=SERVICE)
def merchandising(
    file: Annotated[Path | None, typer.Argument(help="TOML file; default: NIGHTSHELF_SHOP_RULES.")] = None,
    on: Annotated[dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day; default: today.")] = None,
    customer: Annotated[
        str | None, typer.Option(help="Customer whose list is shown; default: the trend.")
    ] = None,
    n: Annotated[int, typer.Option(min=1, help="Products of the list.")] = 10,
) -> None:
    """Shows what merchandising rules would do to a list, without changing any answer."""
    from pipelines.compare.merchandising import preview

    _print(preview(file, on.date() if on else None, customer, n))


@app.command(rich_help_panel=DATA)
def sample(
    fraction: Annotated[float, typer.Option(help="Share of the customers, between 0 and 1.")],
    to: Annotated[Path, typer.Option(help="Parquet file to write.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other customers.")] = 0,
) -> None:
    """Writes the whole histories of some customers, and shows how far they represent all."""
    from pipelines.compare.sample import sample as draw

    _print(draw(fraction, to, seed))


@quarantine.command("list")
def quarantine_list(night: NightDay = None) -> None:
    """Shows which row checks failed, and for how many lines."""
    from pipelines.validate.quarantine import overview

    _print(overview(night))


@quarantine.command("show")
def quarantine_show(
    check: Check,
    night: NightDay = None,
    order: Annotated[str | None, typer.Option(help="Only lines of this order.")] = None,
    n: Annotated[int, typer.Option(min=1, help="Lines to show.")] = 20,
) -> None:
    """Shows the lines that failed a row check, as received, the newest first."""
    from pipelines.validate.quarantine import detail

    _print(detail(check, night, [order] if order else [], n))


@quarantine.command("release")
def quarantine_release(
    check: Check,
    reason: Annotated[str, typer.Option(help="Why; it is recorded with the lines.")],
    order: Annotated[list[str] | None, typer.Option(help="Only lines of this order; repeatable.")] = None,
    night: NightDay = None,
) -> None:
    """Releases lines: the next nightly run validates them without that row check."""
    from pipelines.validate.quarantine import release

    _print(release(check, reason, night, order or []))


@keyring.command("add")
def keys_add(
    name: Annotated[str, typer.Argument(help="Who will use it; the access log names it.")],
    scope: Annotated[Scope, typer.Option(help="What it may do; each scope includes the previous ones.")],
) -> None:
    """Creates a key and shows it once; a running service accepts it within a second."""
    from pipelines.settings import settings
    from serving.access import keys

    print(keys.add(settings().keys_path, name, scope))


@keyring.command("list")
def keys_list() -> None:
    """Lists the keys' names and scopes."""
    from pipelines.settings import settings
    from serving.access import keys

    for key in keys.load_or_empty(settings().keys_path):
        print(f"{key.name} {key.scope}")


@keyring.command("remove")
def keys_remove(name: str) -> None:
    """Removes a key; a running service refuses it within a second."""
    from pipelines.settings import settings
    from serving.access import keys

    keys.remove(settings().keys_path, name)
    _print(f"{name} is removed")


app.add_typer(quarantine, name="quarantine", rich_help_panel=DATA)
app.add_typer(keyring, name="keys", rich_help_panel=SERVICE)
# The names of the previous release, for one release.
app.command("prepare", hidden=True, deprecated=True)(prepare_containers)
app.command("evaluate", hidden=True, deprecated=True)(compare)
app.command("rules", hidden=True, deprecated=True)(merchandising)


def main() -> None:
    """Runs the command; an error that a user can correct is one line on stderr and exit code 1."""
    keep_private()
    collect_rarely()
    with _readable_errors():
        app()


@contextmanager
def _readable_errors() -> Iterator[None]:
    try:
        yield
    except NightshelfError as error:
        _fail(str(error))
    except Exception as error:
        if type(error).__name__ in ("MlflowException", "RestException"):
            _fail("MLflow does not answer: check that it is running and that NIGHTSHELF_MLFLOW_URI is right")
        if not type(error).__module__.startswith("botocore"):
            raise
        _fail(f"the lake's bucket does not answer ({type(error).__name__}): check AWS_ENDPOINT_URL")


def _fail(message: str) -> None:
    print(f"nightshelf: {message}", file=sys.stderr)
    sys.exit(1)
