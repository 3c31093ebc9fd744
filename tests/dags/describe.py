"""Prints the DAG as Airflow loads it, as JSON; in its own process, because importing Airflow changes it."""

import datetime as dt
import json
import sys
from types import SimpleNamespace

from airflow.dag_processing.dagbag import DagBag

HEAVY = ("pipelines", "pyspark", "pandas", "mlflow", "great_expectations", "implicit")


def task_details(task):
    """The properties of a task that the tests check."""
    return {
        "after": sorted(task.upstream_task_ids),
        "mapped": task.is_mapped,
        "retries": task.retries,
        "timeout": task.execution_timeout.total_seconds(),
        "doc": task.doc_md,
        "outlets": sorted(asset.name for asset in task.outlets),
        "rule": task.trigger_rule,
        "teardown": task.is_teardown,
        "fails_the_run": task.on_failure_fail_dagrun,
        # Airflow calls these also if a task fails before it has its arguments.
        "failure": [callback.__name__ for callback in task.on_failure_callback],
        "links": [link.name for link in task.operator_extra_links],
    }


def last_day(module, run_type):
    """The last day that a run of this type reads, if it starts at midnight of the schedule's time zone."""
    end = dt.datetime(2026, 11, 21, tzinfo=module.SCHEDULE.zone).astimezone(dt.UTC)
    return module.last_day({"dag_run": SimpleNamespace(run_type=run_type), "data_interval_end": end})


bag = DagBag(dag_folder=sys.argv[1])
dag = bag.dags["nightly"]
module = sys.modules[dag.get_task("begin").python_callable.__module__]
print(
    json.dumps(
        {
            "errors": bag.import_errors,
            "warnings": [str(warning) for warning in bag.captured_warnings.values()],
            "heavy": [name for name in HEAVY if name in sys.modules],
            "doc": dag.doc_md,
            "schedule": [dag.timetable.expression, str(dag.timetable.run_immediately)],
            "timezone": str(dag.timetable.timezone),
            "catchup": dag.catchup,
            "max_active_runs": dag.max_active_runs,
            "params": {name: dag.params.get_param(name).schema for name in dag.params},
            "defaults": dag.params.dump(),
            "template": dag.get_task("sweep").partial_kwargs["map_index_template"],
            "tasks": {task.task_id: task_details(task) for task in dag.tasks},
            "last_day": {
                run_type: last_day(module, run_type) for run_type in ("scheduled", "backfill", "manual")
            },
        }
    )
)
