"""A cluster as processes of one machine: what `nightshelf cluster` runs, and what its programs find set.

PostgreSQL, Spark's master and two workers, MLflow and Airflow on PostgreSQL, and two replicas of the service
behind a proxy. What is set otherwise, such as a Spark or a database elsewhere, is taken as set.
"""

import os
import shutil
import socket
import sys
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from pipelines.lake import s3a
from pipelines.lake.java import CONNECT
from pipelines.settings import Settings, address
from pipelines.stack import database
from pipelines.stack.environment import environment
from pipelines.stack.programs import Check, Program, airflow, answers, script, service, shop
from serving.errors import NightshelfError
from serving.settings import PROJECT

WORKERS = 2
MASTER = "org.apache.spark.deploy.master.Master"
WORKER = "org.apache.spark.deploy.worker.Worker"
CONNECT_SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
CONNECT_PORT = 15002  # where an address names none
HERE = ("127.0.0.1", "localhost")
# Where nothing else is set, by Spark's own variables: room for all that Airflow runs at once.
SPARK = {
    "SPARK_WORKER_CORES": "4",
    "SPARK_WORKER_MEMORY": "4g",
    "SPARK_WORKER_OPTS": "-Dspark.worker.cleanup.enabled=true",  # of the logs of a week ago
    "SPARK_DAEMON_MEMORY": "512m",
}
PROXY = PROJECT / "docker" / "haproxy.cfg"
CELERY_TASKS = 4  # at once
TRIES = "10"  # of a task that asks Airflow: minutes, in which a database has restarted
SBIN = "/usr/sbin"  # where Debian has HAProxy, and not everybody's PATH
MIGRATED = '"$0" db migrate && exec "$0" api-server'


def of_cluster(settings: Settings) -> Settings:
    """The settings of the cluster's programs; raises NightshelfError where its password isn't set."""
    if not settings.database_password.get_secret_value():
        raise NightshelfError("NIGHTSHELF_DATABASE_PASSWORD is not set: set it, or write it into HOME/.env")
    own = {
        "store_url": SecretStr(database.url(settings, database.SERVING)),
        "spark_master": _master_url(settings),
        "solver": "spark",
    }
    return settings.model_copy(
        update={name: value for name, value in own.items() if name not in settings.model_fields_set}
    )


def programs(settings: Settings) -> list[Program]:
    """The programs of the cluster; a shop, a Spark or an MLflow that runs elsewhere isn't started."""
    return [
        database.program(settings),
        *_spark(settings),
        *shop(settings),
        *_mlflow(settings),
        *_airflow(settings),
        *_replicas(settings),
        _proxy(settings),
    ]


def variables(settings: Settings) -> dict[str, str]:
    """The environment of every program; Airflow's, MLflow's and Spark's own variables are taken as set."""
    airflow = database.url(settings, database.AIRFLOW)
    state = settings.state.resolve()
    own = SPARK | {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": airflow,  # else Airflow asks for one more driver
        "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": TRIES,
        "MLFLOW_BACKEND_STORE_URI": database.url(settings, database.MLFLOW),
        "MLFLOW_ARTIFACTS_DESTINATION": str((settings.home / "mlruns" / "artifacts").resolve()),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": settings.host,  # which their pages listen on, too
        "SPARK_LOCAL_DIRS": str(state / "spark" / "local"),
        "SPARK_WORKER_DIR": str(state / "spark" / "work"),
    }
    places = {
        "PROXY_BIND": settings.serving_port,
        "PROXY_STATS_BIND": settings.proxy_stats_port,
        "REPLICA_1": settings.replica_1_port,
        "REPLICA_2": settings.replica_2_port,
    }
    return (
        environment(settings)
        | {name: os.environ.get(name, value) for name, value in own.items()}
        | {f"NIGHTSHELF_{name}": f"{settings.host}:{port}" for name, port in places.items()}
    )


def _master_url(s: Settings) -> str:
    return f"spark://{s.host}:{s.spark_port}"


def _spark(s: Settings) -> list[Program]:
    """Spark's master and workers, and where Spark Connect is asked for at this machine its server, too."""
    connect = s.spark_master.startswith(CONNECT) and urlsplit(s.spark_master).hostname in (s.host, *HERE)
    if not connect and s.spark_master != _master_url(s):
        return []
    place = ("--host", s.host, "--port", str(s.spark_port), "--webui-port", str(s.spark_ui_port))
    command = script("spark-class", MASTER, *place)
    master = Program("spark-master", command, answers(address(s, s.spark_ui_port)), "spark_port")
    workers = [_worker(s, number) for number in range(1, WORKERS + 1)]
    return [master, *workers, *([_connect(s)] if connect else [])]


def _worker(s: Settings, number: int) -> Program:
    command = script("spark-class", WORKER, "--host", s.host, "--webui-port", "0", _master_url(s))

    def up(http: httpx.Client) -> bool:
        return bool(http.get(f"{address(s, s.spark_ui_port)}/json/").json()["aliveworkers"] >= number)

    return Program(f"spark-worker-{number}", command, up, after="spark-master")


def _connect(s: Settings) -> Program:
    """The Spark Connect server: one application, in whose executors all steps compute."""
    place = urlsplit(s.spark_master)
    port = place.port or CONNECT_PORT
    options = s3a.options() | {
        "spark.connect.grpc.binding.address": place.hostname,
        "spark.connect.grpc.binding.port": port,
        "spark.driver.host": s.host,
        "spark.driver.memory": s.spark_memory,
        "spark.executor.memory": s.spark_executor_memory,
        "spark.ui.enabled": "false",
    }
    told = [part for name, value in options.items() for part in ("--conf", f"{name}={value}")]
    command = script(
        "spark-submit", "--class", CONNECT_SERVER, "--master", _master_url(s), *told, "spark-internal"
    )
    return Program("spark-connect", command, _accepts(place.hostname, port), after="spark-worker-1")


def _mlflow(s: Settings) -> list[Program]:
    """MLflow's server, through which artifacts go, so that its clients share no disk."""
    if s.mlflow_uri:
        return []
    place = ("--host", s.host, "--port", str(s.mlflow_port))
    command = script("mlflow", "server", "--serve-artifacts", *place, "--workers", "2")
    up = answers(f"{address(s, s.mlflow_port)}/health")
    return [Program("mlflow", command, up, "mlflow_port", after="postgresql")]


def _airflow(s: Settings) -> list[Program]:
    api_server, scheduler, processor = airflow(s)
    command = ("sh", "-c", MIGRATED, *script("airflow"))
    return [
        replace(api_server, command=command, after="postgresql"),
        scheduler,
        replace(processor, after="airflow"),
        *_celery(),
    ]


def _celery() -> list[Program]:
    """Who runs the tasks where Airflow hands them to Celery."""
    if os.environ.get("AIRFLOW__CORE__EXECUTOR") != "CeleryExecutor":
        return []
    command = script("airflow", "celery", "worker", "--skip-serve-logs", "--concurrency", str(CELERY_TASKS))
    return [Program("airflow-worker", command, lambda _: True, after="airflow")]


def _replicas(s: Settings) -> list[Program]:
    found = [service(s, f"replica-{number}", f"replica_{number}_port") for number in (1, 2)]
    return [replace(one, command=_in_own_home(s, one), after="postgresql") for one in found]


def _in_own_home(s: Settings, program: Program) -> tuple[str, ...]:
    """The command with a home of its own for BentoML, which clears what another has counted in it."""
    return ("env", f"BENTOML_HOME={s.state.resolve() / program.name}", *program.command)


def _proxy(s: Settings) -> Program:
    binary = shutil.which("haproxy", path=f"{os.environ['PATH']}{os.pathsep}{SBIN}")
    if binary is None:
        raise NightshelfError("there is no HAProxy: sudo apt-get install haproxy")
    up = answers(f"{address(s, s.serving_port)}/livez")
    return Program("proxy", (binary, "-db", "-f", str(PROXY)), up, "serving_port")


def _accepts(host: str | None, port: int) -> Check:
    """Whether something listens at a port."""

    def up(_: httpx.Client) -> bool:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            return False
        return True

    return up
