"""The `nightshelf` command."""

import datetime as dt
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich import print as show

from pipelines.settings import Solver, SourceName, Split, settings, write_env
from serving.access import keys
from serving.errors import NightshelfError
from serving.http.parameters import MAX_ITEMS
from serving.recommend.recommender import LANES

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
quarantine = typer.Typer(no_args_is_help=True, help="Order lines that were set aside, and the way back.")
app.add_typer(quarantine, name="quarantine")
keyring = typer.Typer(no_args_is_help=True, help="API keys of the service.")
app.add_typer(keyring, name="keys")

Reason = Annotated[str, typer.Option(help="Why; kept with the version.")]
Rule = Annotated[str, typer.Argument(help="A rule that `nightshelf quarantine list` names.")]
Night = Annotated[str | None, typer.Option(help="Day of a night, as 2026-01-31; else the newest.")]


def _lane(told: str) -> str:
    if told not in LANES:
        raise typer.BadParameter(f"it is one of {', '.join(LANES)}")
    return told


@app.callback()
def nightshelf() -> None:
    """Recommendations for web shops that retrain every night and can be trusted."""


@app.command()
def init() -> None:
    """Writes a .env with fresh secrets, unless there is one."""
    show("wrote .env" if write_env() else ".env is there already; left alone")


@app.command()
def config() -> None:
    """Prints every setting and its value; secrets are masked."""
    for name, value in settings().model_dump().items():
        print(f"NIGHTSHELF_{name.upper()}={'' if value is None else value}")


@app.command()
def up(
    once: Annotated[bool, typer.Option(help="Stop after the first night and one answered question.")] = False,
) -> None:
    """Starts shop, MLflow, Airflow and the service; runs a night; Ctrl-C ends all of it."""
    from pipelines.stack.up import up as start

    start(once)


@app.command()
def cluster(
    once: Annotated[bool, typer.Option(help="Stop after the first night and one answered question.")] = False,
) -> None:
    """The same as `up` with the servers of a cluster: PostgreSQL, Spark's, two replicas behind a proxy."""
    from pipelines.stack.up import up_as_cluster as start

    start(once)


@app.command()
def prepare() -> None:
    """Prepares Airflow's database, its password and the service's key, before containers start."""
    from pipelines.stack.containers import prepare as ready

    ready(settings())


@app.command()
def tonight() -> None:
    """Has Airflow begin a night, unless one is under way or succeeded since midnight."""
    from pipelines.stack.nightly_run import start_night

    show("a night has begun" if start_night(settings()) else "there is a night already")


@app.command("demo-shop")
def demo_shop(
    faults: Annotated[Path | None, typer.Option(help="TOML file of faults to commit on purpose.")] = None,
) -> None:
    """Serves the demo shop's API."""
    from pipelines.demo.api import serve

    serve(faults)


@app.command()
def retrain(
    as_of: Annotated[str | None, typer.Option(help="Last day seen, as 2026-01-31.")] = None,
    source: Annotated[SourceName | None, typer.Option(help="Where orders come from.")] = None,
    path: Annotated[str | None, typer.Option(help="File or folder of source `files`.")] = None,
    mapping: Annotated[
        str | None, typer.Option(help="Mapping of files or sql: a shipped name or a TOML file.")
    ] = None,
    sweep: Annotated[str | None, typer.Option(help="Search space of sweep.toml.")] = None,
    solver: Annotated[Solver | None, typer.Option(help="ALS solver.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Read the source from its beginning.")] = False,
    let_pass: Annotated[
        str | None, typer.Option(help="Why this night may pass though validation would stop it; is kept.")
    ] = None,
) -> None:
    """Runs a night in this process, without Airflow."""
    from pipelines.retrain import retrain as run

    write_env()
    asked = {"as_of": as_of, "source": source, "path": path, "mapping": mapping}
    run(full, **asked, sweep=sweep, solver=solver, let_pass=let_pass)


@app.command()
def status() -> None:
    """Says who serves, since when and why."""
    from pipelines.report.terminal import status as story

    show(story())


@app.command()
def history() -> None:
    """Says what was promoted, refused and rolled back, and why."""
    from pipelines.report.terminal import history as story

    show(story())


@app.command()
def promote(version: str, reason: Reason) -> None:
    """Makes a version the champion."""
    from pipelines.registry import acts as registry_acts

    registry_acts.promote(version, reason)
    show(f"version {version} serves")


@app.command()
def rollback(
    reason: Reason, to: Annotated[str | None, typer.Option(help="Version; else the one before.")] = None
) -> None:
    """Makes the version before the champion again, or another."""
    from pipelines.registry import acts as registry_acts

    show(f"version {registry_acts.rollback(to, reason)} serves")


@app.command()
def evaluate(
    split: Annotated[
        Split, typer.Option(help="What is held out; all but `time` let training see what came later.")
    ] = "time",
) -> None:
    """Measures the champion's settings beside the baselines on what the lake holds."""
    from pipelines.compare.models import compare
    from pipelines.report import terminal

    show(terminal.lane_tables(compare(split)))


@app.command()
def forget(customer: Annotated[str, typer.Argument(help="The shop's own id of the customer.")]) -> None:
    """Forgets a person, and searches every place for what is left: the exit code is 1 if anything is."""
    from pipelines.privacy.forget_one import forget as go

    found = go(customer)
    show(found.table())
    raise typer.Exit(1 if found.total_remaining else 0)


@app.command()
def export(
    to: Annotated[str, typer.Option(help="FILE.parquet, FILE.csv, here or at a URL, or a database's URL.")],
    n: Annotated[int, typer.Option(min=1, max=MAX_ITEMS, help="Products of each, at most.")] = 10,
    lane: Annotated[
        list[str] | None,
        typer.Option(parser=_lane, metavar="LANE", help=f"{', '.join(LANES)}; else for-you; repeatable."),
    ] = None,
    products: Annotated[bool, typer.Option("--products", help="Alternatives to every product.")] = False,
    pseudonyms: Annotated[bool, typer.Option("--pseudonyms", help="Customers by pseudonym.")] = False,
    table: Annotated[
        str | None, typer.Option(help="Table of the database, else recommendations or alternatives.")
    ] = None,
) -> None:
    """Writes what the service answers every customer, by the shop's own ids, or of every product."""
    from pipelines.batch import export as batch
    from pipelines.batch.targets import shown

    if products and (lane or pseudonyms):
        raise NightshelfError("--products is of no customers: leave out --lane and --pseudonyms")
    if products:
        show(f"{batch.products(to, n, table or 'alternatives'):,} products in {shown(to)}")
    else:
        lanes = [one for one in LANES if one in (lane or LANES[:1])]
        count = batch.customers(to, n, lanes, table or "recommendations", pseudonyms)
        show(f"{count:,} customers in {shown(to)}")


@app.command()
def backup(to: Annotated[str, typer.Option(help="File to write, FILE.tar, here or at a URL.")]) -> None:
    """Writes lake, registry, store, keys and night reports into one file, while all may go on."""
    from pipelines.backup.commands import back_up

    show(back_up(to))


@app.command()
def restore(
    source: Annotated[str, typer.Argument(metavar="FILE", help="What `backup` wrote, a path or a URL.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace what is there.")] = False,
) -> None:
    """Puts a backup back, where nothing is yet; all that runs is to be stopped before."""
    from pipelines.backup.commands import restore as put_back

    show(put_back(source, replace))


@app.command()
def rules(
    file: Annotated[
        Path | None, typer.Argument(help="TOML file; else that of NIGHTSHELF_SHOP_RULES.")
    ] = None,
    on: Annotated[dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day; else today.")] = None,
    customer: Annotated[str | None, typer.Option(help="Whose list; else what trends.")] = None,
    n: Annotated[int, typer.Option(min=1, help="Products of the list.")] = 10,
) -> None:
    """Shows what rules of the shop would do, without changing any answer."""
    from pipelines.compare.merchandising import preview

    show(preview(file, on.date() if on else None, customer, n))


@app.command()
def sample(
    fraction: Annotated[float, typer.Option(help="Share of the customers, between 0 and 1.")],
    to: Annotated[Path, typer.Option(help="Parquet file to write.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other customers.")] = 0,
) -> None:
    """Writes whole histories of some customers, to train on, and says how like the whole they are."""
    from pipelines.compare.sample import sample as draw

    show(draw(fraction, to, seed))


@quarantine.command("list")
def quarantine_list(night: Night = None) -> None:
    """Says which rules were broken, and by how many lines."""
    from pipelines.validate.quarantine import overview

    show(overview(night))


@quarantine.command("show")
def quarantine_show(
    rule: Rule,
    night: Night = None,
    order: Annotated[str | None, typer.Option(help="Lines of this order alone.")] = None,
    n: Annotated[int, typer.Option(min=1, help="Lines to show.")] = 20,
) -> None:
    """Shows the lines that broke a rule as received, the newest first."""
    from pipelines.validate.quarantine import detail

    show(detail(rule, night, [order] if order else [], n))


@quarantine.command("release")
def quarantine_release(
    rule: Rule,
    reason: Annotated[str, typer.Option(help="Why; kept with the lines.")],
    order: Annotated[list[str] | None, typer.Option(help="Lines of this order alone; repeatable.")] = None,
    night: Night = None,
) -> None:
    """Puts lines back: the next night judges them without that rule."""
    from pipelines.validate.quarantine import release

    show(release(rule, reason, night, order or []))


@keyring.command("add")
def keys_add(
    name: Annotated[str, typer.Argument(help="Who will ask with it; the access log names it.")],
    scope: Annotated[keys.Scope, typer.Option(help="What it may do; each may do what those before it may.")],
) -> None:
    """Makes a key, and shows it this once; a service that runs knows it within a second."""
    print(keys.add(settings().keys_path, name, scope))


@keyring.command("list")
def keys_list() -> None:
    """Names the keys and their scopes."""
    for key in keys.load_or_empty(settings().keys_path):
        print(f"{key.name} {key.scope}")


@keyring.command("remove")
def keys_remove(name: str) -> None:
    """Takes a key back; a service that runs refuses it within a second."""
    keys.remove(settings().keys_path, name)
    show(f"{name} is removed")


def main() -> None:
    """The command's entry: an error that a user can mend is one line and exit code 1."""
    try:
        app()
    except NightshelfError as error:
        _end(str(error))
    except Exception as error:
        if type(error).__name__ in ("MlflowException", "RestException"):
            _end("MLflow gives no answer: is it up, is NIGHTSHELF_MLFLOW_URI right?")
        if not type(error).__module__.startswith("botocore"):
            raise
        _end(f"the lake's bucket gives no answer ({type(error).__name__}): is AWS_ENDPOINT_URL right?")


def _end(told: str) -> None:
    print(f"nightshelf: {told}", file=sys.stderr)
    sys.exit(1)
