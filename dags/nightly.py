"""A night at the shop, as Airflow runs it; every step is a function of `pipelines.nightly`.

1. **begin** settles which day the night closes, from which source, with which sweep; opens the MLflow run.
2. **extract** pulls the shop's orders and goods into the lake.
3. **validate** checks them; a bad night ends here, and the champion serves on. If it is good after all,
   trigger it again with a reason in *Let pass*.
4. **prepare** makes interactions and baskets of them.
5. **live** measures what the champion's answers were worth on the orders that came since it was fitted.
6. **candidates** names what the sweep tries; **sweep** trains and measures each, one box in the grid apiece.
7. **rules** mines what is bought together, while the sweep runs.
8. **evaluate** measures the best of them on days that nothing has seen; if it isn't surely better than the
   champion's settings, these are what is fitted anew.
9. **register** fits them on everything and registers the bundle as a version, alias `challenger`.
10. **gate** decides whether that version may serve; verdict and reasons are in the MLflow run.
11. **publish** moves the alias `champion`; a refused model leaves it skipped, and the champion serves on.
12. **smoke** asks the champion a few questions, and ends the MLflow run.
13. **report** writes the night report, of a night that was stopped too: the button *Night report* leads
    there, the service lists all of them at `/nights`, and MLflow keeps each as `report.html`.

XCom carries names and counts only; the tables are in the lake, the models in MLflow. The shop's address,
user and password may be in a connection `nightshelf_shop`, a database's in `nightshelf_sql`; else they are
settings.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from airflow.sdk import (
    Asset,
    BaseOperatorLink,
    Context,
    CronTriggerTimetable,
    Param,
    dag,
    get_current_context,
    task,
    teardown,
)
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)

from dags.connections import take_secrets
from serving.errors import NightshelfError, TransientError

Json = dict[str, Any]

ORDERS = Asset(name="orders", uri="x-nightshelf://lake/orders")
INTERACTIONS = Asset(name="interactions", uri="x-nightshelf://lake/interactions")
BASKETS = Asset(name="baskets", uri="x-nightshelf://lake/baskets")
MODEL = Asset(name="model", uri="x-nightshelf://models/champion")

PARAMS = {
    "as_of": Param(
        None,
        type=["null", "string"],
        format="date",
        title="As of",
        description="Last day seen; empty: the latest.",
    ),
    "source": Param(
        None,
        enum=[None, "shop-api", "files", "sql"],
        title="Source",
        description="Where orders come from; empty: as the settings say.",
    ),
    "path": Param(
        None, type=["null", "string"], title="Path", description="File or folder that `files` reads."
    ),
    "mapping": Param(
        None, type=["null", "string"], title="Mapping", description="Column mapping of `files` or `sql`."
    ),
    "full": Param(
        False,
        type="boolean",
        title="Full",
        description="Read the source from its beginning, not only what is new.",
    ),
    "let_pass": Param(
        None,
        type=["null", "string"],
        title="Let pass",
        description="Why this night may pass though validation would stop it; kept with the night.",
    ),
    "sweep": Param(
        None, type=["null", "string"], title="Sweep", description="Search space; empty: as the settings say."
    ),
    "solver": Param(
        None,
        enum=[None, "auto", "implicit", "spark"],
        title="Solver",
        description="ALS solver; empty: as the settings say.",
    ),
}


@contextmanager
def told_plainly() -> Iterator[None]:
    """A block whose NightshelfError fails the task by its one sentence; what may pass is tried again."""
    try:
        yield
    except TransientError as error:
        raise AirflowException(str(error)) from None
    except NightshelfError as error:
        raise AirflowFailException(str(error)) from None


def last_day(context: Context) -> str | None:
    """The day that a scheduled run closes; None for a run by hand, where the source knows its last day."""
    if context["dag_run"].run_type not in ("scheduled", "backfill"):
        return None
    # A daily run comes at midnight, when its logical date is already the day after the one it closes.
    return str((context["data_interval_end"] - dt.timedelta(microseconds=1)).date())


def run(step: str, night: Json, *arguments: Any) -> Any:
    """What the step of `pipelines.nightly` by that name answers."""
    take_secrets()
    from pipelines import nightly
    from pipelines.run.night import Night

    with told_plainly():
        return getattr(nightly, step)(Night(**night), *arguments)


def close_failed(context: Context) -> None:
    """Marks the night's MLflow run as failed, with the task and its sentence."""
    from pipelines import nightly
    from pipelines.run.night import Night

    if night := context["ti"].xcom_pull(task_ids="begin"):
        error = context.get("exception")
        # Only our own sentences are sure to hold nothing about a customer.
        reason = str(error) if isinstance(error, AirflowException) else type(error).__name__
        nightly.fail(Night(**night), f"{context['ti'].task_id}: {reason}")


class NightReport(BaseOperatorLink):
    """The button of a task that answered where its page is."""

    name = "Night report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The page's address; nothing where the task failed."""
        answered = ti_key.xcom_pull(task_ids=operator.task_id)
        return str(answered["page"]) if answered else ""


def step(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A task whose docstring is its documentation; Airflow itself forgets that of a mapped task."""

    def decorate(function: Callable[..., Any]) -> Any:
        return task(multiple_outputs=False, doc_md=function.__doc__, **options)(function)

    return decorate


@dag(
    # A first start doesn't make up for last midnight, whoever starts it triggers the run.
    schedule=CronTriggerTimetable("@daily", timezone="UTC", run_immediately=dt.timedelta(0)),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    # A list, for Airflow makes one of what a mapped task has only once its arguments are there.
    default_args={"execution_timeout": dt.timedelta(hours=1), "on_failure_callback": [close_failed]},
    doc_md=__doc__,
    tags=["nightshelf"],
)
def nightly() -> None:
    """The wiring of the night."""

    @step()
    def begin() -> Json:
        """Settles the night from the Params and the settings, and opens its MLflow run."""
        take_secrets()
        from pipelines import nightly

        context = get_current_context()
        chosen = dict(context["params"])
        chosen["as_of"] = chosen["as_of"] or last_day(context)
        with told_plainly():
            return nightly.begin(**chosen, dag_run=context["run_id"]).model_dump(mode="json")

    @step(
        retries=3,
        retry_delay=dt.timedelta(minutes=1),
        retry_exponential_backoff=True,
        max_retry_delay=dt.timedelta(minutes=15),
        execution_timeout=dt.timedelta(hours=4),
    )
    def extract(night: Json) -> Json:
        """Pulls orders and goods from the source into the lake; answers their counts."""
        return run("extract", night)

    @step(outlets=[ORDERS])
    def validate(night: Json) -> Json:
        """Sets bad lines aside, then holds the night against the shop's usual; answers the row waterfall."""
        return run("validate", night)

    @step(outlets=[INTERACTIONS, BASKETS])
    def prepare(night: Json) -> Json:
        """Makes interactions and baskets of the orders; answers their counts."""
        return run("prepare", night)

    @step()
    def live(night: Json) -> Json:
        """Measures the champion's answers on the orders since it was fitted; nothing before the first."""
        return run("live", night)

    @step()
    def candidates(night: Json) -> list[Json]:
        """Names the candidates of the sweep with their settings."""
        return run("candidates", night)

    @step(
        map_index_template="{{ task.op_kwargs['candidate']['name'] }}",
        execution_timeout=dt.timedelta(hours=2),
    )
    def sweep(night: Json, candidate: Json) -> Json:
        """Trains one candidate and measures it on the validation days; a child run in MLflow."""
        return run("sweep", night, candidate)

    @step()
    def rules(night: Json) -> Json:
        """Mines association rules from the baskets; answers their count, and what was too large to mine."""
        return run("rules", night)

    @step(execution_timeout=dt.timedelta(hours=2))
    def evaluate(night: Json) -> Json:
        """Measures the best candidate, the champion and the baselines on the test days."""
        return run("evaluate", night)

    @step(execution_timeout=dt.timedelta(hours=2))
    def register(night: Json) -> Json:
        """Fits the challenger on everything and registers it as a new version; answers which."""
        return run("register", night)

    @step()
    def gate(night: Json) -> Json:
        """Answers the verdict (FIRST, PROMOTED or REFUSED) and its reasons."""
        return run("gate", night)

    @step(outlets=[MODEL])
    def publish(night: Json) -> Json:
        """Moves the alias `champion` to the version; skipped when the gate refused it."""
        published = run("publish", night)
        if published["version"] is None:
            raise AirflowSkipException("the gate refused the model; the champion serves on")
        return published

    # Also where nothing was published: then it is the champion of before that is asked.
    @step(trigger_rule="none_failed", execution_timeout=dt.timedelta(minutes=10))
    def smoke(night: Json) -> Json:
        """Asks the champion a few questions within its budget of time, and ends the MLflow run."""
        return run("smoke", night)

    # A teardown: it runs however the night ended, and doesn't hide from Airflow that it failed.
    @teardown
    @step(execution_timeout=dt.timedelta(minutes=10))
    def report(night: Json | None) -> Json | None:
        """Writes the night report, however the night ended; answers where it is."""
        return run("report", night) if night else None

    night = begin()
    tried, mined, measured = candidates(night), rules(night), evaluate(night)
    extract(night) >> validate(night) >> prepare(night) >> live(night) >> [tried, mined]
    [sweep.partial(night=night).expand(candidate=tried), mined] >> measured
    written = report(night)
    written.operator.operator_extra_links = (NightReport(),)
    measured >> register(night) >> gate(night) >> publish(night) >> smoke(night) >> written


nightly()
