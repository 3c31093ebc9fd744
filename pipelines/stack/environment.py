"""What the programs of the stack find in their environment: settings, secrets, and no telemetry."""

import os

from pydantic import SecretStr

from pipelines.settings import Settings, address
from serving.errors import NightshelfError
from serving.settings import PROJECT

NEEDED = ("NIGHTSHELF_CUSTOMER_KEY", "NIGHTSHELF_AIRFLOW_PASSWORD", "NIGHTSHELF_AIRFLOW_JWT_SECRET")
QUIET = {
    "BENTOML_DO_NOT_TRACK": "True",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Prompts and judges; each would be a process more.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


# What the steps import: each task is forked from a process that has it, and is seconds faster.
# Not Spark, nor Great Expectations, which imports it: Spark takes such a process for a test and ends it.
PRELOADED = (
    "airflow.executors.local_executor",
    "airflow.sdk.execution_time.task_runner",
    "implicit.als",
    "mlflow",
    "pandas",
    "pyarrow.dataset",
    "sklearn.model_selection",
    "xgboost",
)


def environment(settings: Settings) -> dict[str, str]:
    """The variables of every program: secrets travel in them alone, never in a command or a file.

    Raises NightshelfError where a secret isn't set.
    """
    inherited = dict(os.environ)
    # Without its bytecode each of Airflow's short-lived processes compiles its imports anew.
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    return (
        inherited
        | QUIET
        | _own(settings)
        | _airflow(settings)
        | {"BENTOML_HOME": str(settings.state.resolve() / "bentoml")}
    )


def _own(settings: Settings) -> dict[str, str]:
    """All of Nightshelf's settings, so that a program's folder and its `.env` don't matter."""
    plain = {f"NIGHTSHELF_{name.upper()}": _text(value) for name, value in settings}
    if missing := [name for name in NEEDED if not plain[name]]:
        raise NightshelfError(
            f"{', '.join(missing)} is not set: set it, or remove HOME/.env to have one written"
        )
    tracking = settings.mlflow_uri or address(settings, settings.mlflow_port)
    return plain | {"NIGHTSHELF_HOME": str(settings.home.resolve()), "NIGHTSHELF_MLFLOW_URI": tracking}


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
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": 4,  # its workers are there all the time, at 140 MB each
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__HOSTNAME_CALLABLE": "socket.gethostname",  # a laptop's full name may take DNS seconds
        "CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": home / "passwords.json",
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "API__HOST": settings.host,
        "API__PORT": settings.airflow_port,
        "API__BASE_URL": url,
        "API_AUTH__JWT_SECRET": settings.airflow_jwt_secret.get_secret_value(),
        "DAG_PROCESSOR__PARSING_PROCESSES": 1,
        "SCHEDULER__MP_START_METHOD": "forkserver",
        "SCHEDULER__MP_FORKSERVER_PRELOAD": ",".join(PRELOADED),
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 30,  # how soon a run goes on after a crash
    }
    return {"AIRFLOW_HOME": str(home)} | {f"AIRFLOW__{name}": str(value) for name, value in options.items()}
