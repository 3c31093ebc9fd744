"""The nightly run, as Airflow runs it; every task is a step of `pipelines.nightly`.

1. **begin** decides the run's last day of data, its source and its sweep, and opens the MLflow run.
2. **extract** reads the shop's orders and products into the lake.
3. **validate** checks them. Bad data stops the run here, and the champion keeps serving. If the
   data is good after all, trigger the run again with a reason in *Let pass*.
4. **prepare** makes interactions and baskets from the orders.
5. **backtest_champion** measures the champion on the orders that came in since it was fitted.
6. **candidates** lists what the sweep tries; **sweep** trains and measures each candidate, a task for each.
7. **association_rules** mines which products are bought together, while the sweep runs.
8. **evaluate** measures the best candidate on days that no model was trained on. Unless it
   is better than the champion's settings with confidence, those settings are fitted to the new data instead.
9. **register** fits the settings to all orders and registers the bundle as a version, alias `challenger`.
10. **gate** decides whether that version may serve; verdict and reasons are in the MLflow run.
11. **publish** moves the alias `champion`; if the gate refused the model, the task is skipped and the
    champion keeps serving.
12. **smoke** sends a few requests to the champion, and ends the MLflow run.
13. **report** writes the night report, also for a run that was stopped. The button *Night report* opens it;
    the service lists all reports at `/nights`, and MLflow keeps each as `report.html`.

`NIGHTSHELF_SCHEDULE` sets when a run starts, by default at midnight. A scheduled run's last day of data is
yesterday. Both follow the time zone `NIGHTSHELF_TIMEZONE`.

XCom carries names and counts only; the tables are in the lake, the models in MLflow. The shop's address,
user and password may come from a connection `nightshelf_shop`, a database's from `nightshelf_sql`;
without such a connection they come from the settings.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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

from dags.connections import apply_connections
from serving.errors import NightshelfError, TransientError
from serving.settings import ScheduleSettings, collect_rarely, keep_private, read

if TYPE_CHECKING:
    from pipelines.choices import Step

Json = dict[str, Any]

SCHEDULE = read(ScheduleSettings)
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
        description="Last day of data; empty: the latest.",
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
        description="Why this run may pass although validation would stop it; kept with the run.",
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
def step_environment() -> Iterator[None]:
    """Runs a step with the secrets of Airflow's connections.

    A NightshelfError fails the task with its message; after a TransientError Airflow retries the task.
    """
    keep_private()
    collect_rarely()
    apply_connections()
    try:
        yield
    except TransientError as error:
        raise AirflowException(str(error)) from None
    except NightshelfError as error:
        raise AirflowFailException(str(error)) from None


def last_day(context: Context) -> str | None:
    """Returns a scheduled run's last day of data; None for a manual run, whose source determines it."""
    if context["dag_run"].run_type not in ("scheduled", "backfill"):
        return None
    start: dt.datetime | None = context["data_interval_end"]
    return str(SCHEDULE.yesterday(start)) if start else None


def run(step: "Step", night: Json) -> Json:
    """Runs a step and returns what it counted."""
    with step_environment():
        from pipelines import nightly
        from pipelines.run.night import Night

        return nightly.run(step, Night(**night))


def close_failed(context: Context) -> None:
    """Marks the run in MLflow as failed, with the task and its error."""
    from pipelines import nightly
    from pipelines.run.night import Night

    if night := context["ti"].xcom_pull(task_ids="begin"):
        error = context.get("exception")
        # Only our own messages certainly hold no personal data.
        reason = str(error) if isinstance(error, AirflowException) else type(error).__name__
        nightly.fail(Night(**night), f"{context['ti'].task_id}: {reason}")


class NightReport(BaseOperatorLink):
    """A button that opens the page whose address the task returned."""

    name = "Night report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Returns the page's address; an empty text if the task failed."""
        result = ti_key.xcom_pull(task_ids=operator.task_id)
        return str(result["page"]) if result else ""


def step(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Returns a decorator for tasks that makes the docstring the documentation, of mapped tasks too."""

    def decorate(function: Callable[..., Any]) -> Any:
        return task(multiple_outputs=False, doc_md=function.__doc__, **options)(function)

    return decorate


@dag(
    # A first start does not make up for earlier runs: `nightshelf up` and `tonight` trigger one.
    schedule=CronTriggerTimetable(SCHEDULE.cron, timezone=SCHEDULE.timezone, run_immediately=dt.timedelta(0)),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    # A list, because Airflow puts a mapped task's callback into one only once the task has its arguments.
    default_args={"execution_timeout": dt.timedelta(hours=1), "on_failure_callback": [close_failed]},
    doc_md=__doc__,
    tags=["nightshelf"],
)
def nightly() -> None:
    """Wires the steps of the nightly run."""

    @step()
    def begin() -> Json:
        """Decides on the run's day and settings from Params and settings, and opens its run in MLflow."""
        context = get_current_context()
        options = dict(context["params"])
        options["as_of"] = options["as_of"] or last_day(context)
        with step_environment():
            from pipelines import nightly

            return nightly.begin(**options, dag_run=context["run_id"]).model_dump(mode="json")

    @step(
        retries=3,
        retry_delay=dt.timedelta(minutes=1),
        retry_exponential_backoff=True,
        max_retry_delay=dt.timedelta(minutes=15),
        execution_timeout=dt.timedelta(hours=4),
    )
    def extract(night: Json) -> Json:
        """Reads orders and products from the source into the lake; returns their counts."""
        return run("extract", night)

    @step(outlets=[ORDERS])
    def validate(night: Json) -> Json:
        """Quarantines bad lines, then compares the day with earlier days; returns the lines per outcome."""
        return run("validate", night)

    @step(outlets=[INTERACTIONS, BASKETS])
    def prepare(night: Json) -> Json:
        """Makes interactions and baskets from the orders; returns their counts."""
        return run("prepare", night)

    @step()
    def backtest_champion(night: Json) -> Json:
        """Measures the champion on the orders since its fit; returns nothing if there is no champion."""
        return run("backtest_champion", night)

    @step()
    def candidates(night: Json) -> list[Json]:
        """Lists the candidates of the sweep with their settings."""
        with step_environment():
            from pipelines import nightly
            from pipelines.run.night import Night

            return nightly.candidates(Night(**night))

    @step(
        map_index_template="{{ task.op_kwargs['candidate']['name'] }}",
        execution_timeout=dt.timedelta(hours=2),
    )
    def sweep(night: Json, candidate: Json) -> Json:
        """Trains one candidate and measures it on the validation window; a child run in MLflow."""
        with step_environment():
            from pipelines import nightly
            from pipelines.run.night import Night

            return nightly.sweep(Night(**night), candidate)

    @step()
    def association_rules(night: Json) -> Json:
        """Mines association rules from the baskets; returns how many, and how many baskets were too large."""
        return run("association_rules", night)

    @step(execution_timeout=dt.timedelta(hours=2))
    def evaluate(night: Json) -> Json:
        """Measures the best candidate, the champion and the baselines on the test window."""
        return run("evaluate", night)

    @step(execution_timeout=dt.timedelta(hours=2))
    def register(night: Json) -> Json:
        """Fits the challenger to all orders and registers it as a new version; returns its number."""
        return run("register", night)

    @step()
    def gate(night: Json) -> Json:
        """Returns the verdict (FIRST, PROMOTED or REFUSED) and its reasons."""
        return run("gate", night)

    @step(outlets=[MODEL])
    def publish(night: Json) -> Json:
        """Moves the alias `champion` to the version; skipped if the gate refused it."""
        published = run("publish", night)
        if published["version"] is None:
            raise AirflowSkipException("the gate refused the model; the champion keeps serving")
        return published

    # Also after a refusal: then the requests go to the unchanged champion.
    @step(trigger_rule="none_failed", execution_timeout=dt.timedelta(minutes=10))
    def smoke(night: Json) -> Json:
        """Sends a few requests to the champion, and ends the run in MLflow."""
        return run("smoke", night)

    # A teardown runs however the run ended, and a failed run stays failed in Airflow.
    @teardown
    @step(execution_timeout=dt.timedelta(minutes=10))
    def report(night: Json | None) -> Json | None:
        """Writes the night report, however the run ended; returns its address."""
        if not night:
            return None
        with step_environment():
            from pipelines import nightly
            from pipelines.run.night import Night

            return nightly.report(Night(**night))

    night = begin()
    space, rules, evaluation = candidates(night), association_rules(night), evaluate(night)
    extract(night) >> validate(night) >> prepare(night) >> backtest_champion(night) >> [space, rules]
    [sweep.partial(night=night).expand(candidate=space), rules] >> evaluation
    page = report(night)
    page.operator.operator_extra_links = (NightReport(),)
    evaluation >> register(night) >> gate(night) >> publish(night) >> smoke(night) >> page


nightly()
