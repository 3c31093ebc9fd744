"""The programs of `nightshelf cluster`, a cluster as processes of one machine, and their environment.

PostgreSQL, Spark's master and two workers, MLflow and Airflow on PostgreSQL, and two replicas of the service
behind a proxy. Settings take precedence: a Spark or a database that runs elsewhere is used and not started.
"""

import hashlib
import hmac
import os
import secrets
import shutil
import socket
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from pipelines.lake import s3a
from pipelines.lake.java import CONNECT
from pipelines.settings import Settings, address
from pipelines.stack import database
from pipelines.stack.environment import environment
from pipelines.stack.programs import Check, Program, airflow, responds, script, service, shop
from serving.errors import NightshelfError
from serving.settings import PROJECT

WORKERS = 2
MASTER = "org.apache.spark.deploy.master.Master"
WORKER = "org.apache.spark.deploy.worker.Worker"
CONNECT_SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
CONNECT_PORT = 15002  # if the address has no port
# Spark's client sends a token without TLS only to a host of this name.
LOCAL_CONNECT, LOOPBACK_CONNECT = f"{CONNECT}localhost", f"{CONNECT}127.0.0.1"
LOCALHOST = ("127.0.0.1", "localhost")
# Defaults of Spark's own variables, large enough for all that Airflow runs at the same time.
SPARK = {
    "SPARK_WORKER_CORES": "4",
    "SPARK_WORKER_MEMORY": "4g",
    "SPARK_WORKER_OPTS": "-Dspark.worker.cleanup.enabled=true",  # deletes logs after a week
    "SPARK_DAEMON_MEMORY": "512m",
}
SPARK_DEFAULTS = {
    "spark.authenticate": "true",
    "spark.ui.killEnabled": "false",  # the pages need no login
    "spark.hadoop.fs.permissions.umask-mode": "077",
}
PROXY = PROJECT / "docker" / "haproxy.cfg"
CELERY_TASKS = 4  # at the same time
SBIN = "/usr/sbin"  # Debian's folder of HAProxy, which is not on every user's PATH
MIGRATE_AND_SERVE = '"$0" db migrate && exec "$0" api-server'


def write_spark_secret(settings: Settings) -> None:
    """Writes Spark's configuration with a new secret, without which nobody can run or read anything on it.

    Not as an option: every user of the machine can read a command line.
    """
    folder = _spark_conf(settings)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "spark-defaults.conf"
    file.touch(mode=0o600)
    options = SPARK_DEFAULTS | {"spark.authenticate.secret": secrets.token_hex(32)}
    file.write_text("".join(f"{name} {value}\n" for name, value in options.items()))


def connect_token(settings: Settings) -> str:
    """Returns the token of the Spark Connect server that the cluster starts."""
    key = settings.database_password.get_secret_value().encode()
    return hmac.new(key, b"spark connect", hashlib.sha256).hexdigest()


def cluster_settings(settings: Settings) -> Settings:
    """The settings of the cluster's programs; raises NightshelfError if the database password isn't set."""
    if not settings.database_password.get_secret_value():
        raise NightshelfError("NIGHTSHELF_DATABASE_PASSWORD is not set: set it, or add it to HOME/.env")
    defaults = {
        "store_url": SecretStr(database.url(settings, database.SERVING)),
        "spark_master": _master_url(settings),
        "solver": "spark",
    }
    updates = {name: value for name, value in defaults.items() if name not in settings.model_fields_set}
    if settings.spark_master.startswith(LOOPBACK_CONNECT):
        updates["spark_master"] = settings.spark_master.replace(LOOPBACK_CONNECT, LOCAL_CONNECT, 1)
    return settings.model_copy(update=updates)


def programs(settings: Settings) -> list[Program]:
    """The programs of the cluster, without a shop, a Spark or an MLflow that runs elsewhere."""
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
    """The environment of every program, in which Airflow's, MLflow's and Spark's own variables are kept."""
    airflow = database.url(settings, database.AIRFLOW)
    state = settings.state.resolve()
    defaults = SPARK | {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": airflow,  # otherwise Airflow needs another driver
        "MLFLOW_BACKEND_STORE_URI": database.url(settings, database.MLFLOW),
        "MLFLOW_ARTIFACTS_DESTINATION": str((settings.home / "mlruns" / "artifacts").resolve()),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": settings.host,  # which Spark's web pages listen on too
        "SPARK_LOCAL_DIRS": str(state / "spark" / "local"),
        "SPARK_WORKER_DIR": str(state / "spark" / "work"),
    }
    if _spark(settings):
        defaults["SPARK_CONF_DIR"] = str(_spark_conf(settings))
        if settings.spark_master.startswith(LOCAL_CONNECT):
            defaults["SPARK_CONNECT_AUTHENTICATE_TOKEN"] = connect_token(settings)
    ports = {
        "PROXY_BIND": settings.serving_port,
        "PROXY_STATS_BIND": settings.proxy_stats_port,
        "REPLICA_1": settings.replica_1_port,
        "REPLICA_2": settings.replica_2_port,
    }
    return (
        environment(settings)
        | {name: os.environ.get(name, value) for name, value in defaults.items()}
        | {f"NIGHTSHELF_{name}": f"{settings.host}:{port}" for name, port in ports.items()}
    )


def _spark_conf(s: Settings) -> Path:
    return s.state.resolve() / "spark" / "conf"


def _master_url(s: Settings) -> str:
    return f"spark://{s.host}:{s.spark_port}"


def _spark(s: Settings) -> list[Program]:
    """Spark's master and workers, and a Spark Connect server if the setting names one on this machine."""
    is_connect = s.spark_master.startswith(CONNECT)
    has_server = is_connect and urlsplit(s.spark_master).hostname in (s.host, *LOCALHOST)
    if not has_server and s.spark_master != _master_url(s):
        return []
    listen = ("--host", s.host, "--port", str(s.spark_port), "--webui-port", str(s.spark_ui_port))
    command = script("spark-class", MASTER, *listen)
    master = Program("spark-master", command, responds(address(s, s.spark_ui_port)), "spark_port")
    workers = [_worker(s, number) for number in range(1, WORKERS + 1)]
    return [master, *workers, *([_connect(s)] if has_server else [])]


def _worker(s: Settings, number: int) -> Program:
    command = script("spark-class", WORKER, "--host", s.host, "--webui-port", "0", _master_url(s))

    def is_up(http: httpx.Client) -> bool:
        return bool(http.get(f"{address(s, s.spark_ui_port)}/json/").json()["aliveworkers"] >= number)

    return Program(f"spark-worker-{number}", command, is_up, starts_after="spark-master")


def _connect(s: Settings) -> Program:
    """The Spark Connect server: one Spark application, whose executors all steps share."""
    url = urlsplit(s.spark_master)
    port = url.port or CONNECT_PORT
    options = s3a.options() | {
        "spark.connect.grpc.binding.address": url.hostname,
        "spark.connect.grpc.binding.port": port,
        "spark.driver.host": s.host,
        "spark.driver.memory": s.spark_memory,
        "spark.executor.memory": s.spark_executor_memory,
        "spark.ui.enabled": "false",
    }
    arguments = [part for name, value in options.items() for part in ("--conf", f"{name}={value}")]
    command = script(
        "spark-submit", "--class", CONNECT_SERVER, "--master", _master_url(s), *arguments, "spark-internal"
    )
    return Program("spark-connect", command, _accepts(url.hostname, port), starts_after="spark-worker-1")


def _mlflow(s: Settings) -> list[Program]:
    """MLflow's server, which also serves the artifacts, so that its clients need no shared disk."""
    if s.mlflow_uri:
        return []
    listen = ("--host", s.host, "--port", str(s.mlflow_port))
    command = script("mlflow", "server", "--serve-artifacts", *listen, "--workers", "2")
    is_up = responds(f"{address(s, s.mlflow_port)}/health")
    return [Program("mlflow", command, is_up, "mlflow_port", starts_after="postgresql")]


def _airflow(s: Settings) -> list[Program]:
    api_server, scheduler, processor = airflow(s)
    command = ("sh", "-c", MIGRATE_AND_SERVE, *script("airflow"))
    return [
        replace(api_server, command=command, starts_after="postgresql"),
        scheduler,
        replace(processor, starts_after="airflow"),
        *_celery(),
    ]


def _celery() -> list[Program]:
    """The Celery worker, if Airflow's executor is Celery."""
    if os.environ.get("AIRFLOW__CORE__EXECUTOR") != "CeleryExecutor":
        return []
    command = script("airflow", "celery", "worker", "--skip-serve-logs", "--concurrency", str(CELERY_TASKS))
    return [Program("airflow-worker", command, lambda _: True, starts_after="airflow")]


def _replicas(s: Settings) -> list[Program]:
    replicas = [service(s, f"replica-{number}", f"replica_{number}_port") for number in (1, 2)]
    return [
        replace(replica, command=_in_own_home(s, replica), starts_after="postgresql") for replica in replicas
    ]


def _in_own_home(s: Settings, program: Program) -> tuple[str, ...]:
    """The command with its own BENTOML_HOME: sharing it, replicas delete one another's metrics."""
    return ("env", f"BENTOML_HOME={s.state.resolve() / program.name}", *program.command)


def _proxy(s: Settings) -> Program:
    binary = shutil.which("haproxy", path=f"{os.environ['PATH']}{os.pathsep}{SBIN}")
    if binary is None:
        raise NightshelfError("HAProxy is not installed: sudo apt-get install haproxy")
    is_up = responds(f"{address(s, s.serving_port)}/livez")
    return Program("proxy", (binary, "-db", "-f", str(PROXY)), is_up, "serving_port")


def _accepts(host: str | None, port: int) -> Check:
    """A check whether a program listens on the port."""

    def is_up(_: httpx.Client) -> bool:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            return False
        return True

    return is_up
