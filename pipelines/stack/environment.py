"""The environment of the stack's programs: settings, secrets, generous time limits, and no telemetry."""

import os
import socket
from collections.abc import Mapping

import psutil
from pydantic import SecretStr

from pipelines import NO_TELEMETRY
from pipelines.settings import EVERYWHERE, Settings, address
from serving.errors import NightshelfError
from serving.settings import PROJECT

REQUIRED = ("NIGHTSHELF_CUSTOMER_KEY", "NIGHTSHELF_AIRFLOW_PASSWORD", "NIGHTSHELF_AIRFLOW_JWT_SECRET")
# MLflow's jobs serve its features for prompts and LLM judges, and each job runner is another process.
MLFLOW = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}

# What the steps import: each task is forked from a process that has these modules, and starts seconds sooner.
# Without Spark, and without Great Expectations, which imports it: pyspark would end the forked process.
PRELOADED = (
    "airflow.executors.local_executor",
    "airflow.sdk.execution_time.task_runner",
    "implicit.als",
    "mlflow",
    "numba",
    "pandas",
    "pyarrow.dataset",
    "sklearn.model_selection",
    "xgboost",
)

# Airflow's own limits would fail a run on a machine that is merely slow. In seconds, except for counts.
AIRFLOW_LIMITS = {
    "CORE__DAGBAG_IMPORT_TIMEOUT": 600,
    "DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": 900,
    "DAG_PROCESSOR__STALE_DAG_THRESHOLD": 1800,  # not below the limit above
    "DAG_PROCESSOR__HEALTH_CHECK_THRESHOLD": 120,
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": 120,  # also how long a killed scheduler counts as alive
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 600,  # also how long a killed worker's tasks count as alive
    "SCHEDULER__TASK_QUEUED_TIMEOUT": 4 * 3600,
    "WORKERS__EXECUTION_API_RETRIES": 10,  # a count; they last minutes, in which a database can restart
    "WORKERS__EXECUTION_API_TIMEOUT": 60,
    "WORKERS__MAX_FAILED_HEARTBEATS": 30,  # a count
}

# Defaults; Airflow's own variables take precedence.
AIRFLOW = AIRFLOW_LIMITS | {
    "CORE__EXECUTOR": "LocalExecutor",
    "LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
    "LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
    "CORE__PARALLELISM": 4,  # its workers run all the time, and take 140 MB each
    "DAG_PROCESSOR__PARSING_PROCESSES": 1,
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 30,  # how soon a run resumes after a crash
}
SQLITE_TIMEOUT = 300  # seconds that Airflow waits for a lock on its database; SQLite's default is 5


def environment(settings: Settings) -> dict[str, str]:
    """The environment variables of every program; secrets appear in no command line and no file.

    Raises NightshelfError if a secret isn't set.
    """
    inherited = dict(os.environ)
    # Without bytecode files each of Airflow's short-lived processes compiles its imports again.
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    return (
        _prefixed(AIRFLOW)
        | {
            "OMP_WAIT_POLICY": "PASSIVE"
        }  # threads of tasks side by side would wait for each other in busy loops
        | {"MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(mlflow_hosts(settings))}
        | inherited
        | NO_TELEMETRY
        | MLFLOW
        | _nightshelf(settings)
        | _airflow(settings)
        | {"BENTOML_HOME": str(settings.state.resolve() / "bentoml")}
    )


def mlflow_hosts(settings: Settings) -> list[str]:
    """The names by which a browser may call MLflow, as MLflow's patterns.

    MLflow's own default also allows each name that begins like a private address, such as 10.evil.example,
    which its owner can point at this machine.
    """
    names = {"localhost", "127.0.0.1", "::1", settings.host}
    if settings.host in EVERYWHERE:
        interfaces = psutil.net_if_addrs().values()
        names |= {socket.gethostname(), *(own.address for addresses in interfaces for own in addresses)}
    hosts = {f"[{name}]" if ":" in name else name for name in names}
    patterns = {f"{host.replace('[', '[[]')}:*" for host in hosts}  # a bracket begins a set of characters
    return sorted(hosts | patterns)


def _nightshelf(settings: Settings) -> dict[str, str]:
    """All of Nightshelf's settings, so that a program's working folder and its `.env` don't matter."""
    variables = {f"NIGHTSHELF_{name.upper()}": _text(value) for name, value in settings}
    if missing := [name for name in REQUIRED if not variables[name]]:
        raise NightshelfError(f"{', '.join(missing)} is not set: set it, or add it to HOME/.env")
    tracking_uri = settings.mlflow_uri or address(settings, settings.mlflow_port)
    home = str(settings.home.resolve())
    return variables | {"NIGHTSHELF_HOME": home, "NIGHTSHELF_MLFLOW_URI": tracking_uri}


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return "" if value is None else str(value)


def _airflow(settings: Settings) -> dict[str, str]:
    home = (settings.state / "airflow").resolve()
    url = address(settings, settings.airflow_port)
    options = {
        "CORE__DAGS_FOLDER": PROJECT / "dags",
        "CORE__LOAD_EXAMPLES": False,
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__HOSTNAME_CALLABLE": "socket.gethostname",  # DNS may take seconds for a laptop's full name
        "CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": home / "passwords.json",
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}?timeout={SQLITE_TIMEOUT}",
        "API__HOST": settings.host,
        "API__PORT": settings.airflow_port,
        "API__BASE_URL": url,
        "API_AUTH__JWT_SECRET": settings.airflow_jwt_secret.get_secret_value(),
        "SCHEDULER__MP_START_METHOD": "forkserver",
        "SCHEDULER__MP_FORKSERVER_PRELOAD": ",".join(PRELOADED),
    }
    return {"AIRFLOW_HOME": str(home)} | _prefixed(options)


def _prefixed(options: Mapping[str, object]) -> dict[str, str]:
    return {f"AIRFLOW__{name}": str(value) for name, value in options.items()}
