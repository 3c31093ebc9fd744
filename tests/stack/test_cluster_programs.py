"""The programs of `nightshelf cluster`, their settings and variables."""

import pytest
from clusters import port_settings

from pipelines.settings import Settings, settings
from pipelines.stack import cluster
from pipelines.stack.programs import check_ports
from serving.errors import NightshelfError

SECRETS = ("CUSTOMER_KEY", "AIRFLOW_PASSWORD", "AIRFLOW_JWT_SECRET", "DATABASE_PASSWORD")
AIRFLOW = {"airflow", "airflow-scheduler", "airflow-dag-processor"}
SPARK = {"spark-master", "spark-worker-1", "spark-worker-2"}
OTHERS = {"postgresql", "demo-shop", "mlflow", "replica-1", "replica-2", "proxy"}


@pytest.fixture
def cluster_of(home, monkeypatch):
    """A function from settings to the settings of a cluster on free ports."""

    def make(**chosen):
        secrets = {name: f"the secret {name}" for name in SECRETS}
        variables = {f"NIGHTSHELF_{name}": value for name, value in (secrets | chosen).items()}
        for name, value in (port_settings() | variables).items():
            monkeypatch.setenv(name, value)
        return cluster.cluster_settings(Settings())

    return make


def names(settings):
    return {program.name for program in cluster.programs(settings)}


def test_starts_every_program_on_free_ports(cluster_of):
    check_ports(cluster_of(), cluster.programs(cluster_of()))
    assert names(cluster_of()) == AIRFLOW | SPARK | OTHERS


def test_programs_use_the_servers_of_the_cluster(cluster_of):
    settings = cluster_of()
    variables = cluster.variables(settings)
    database = f"127.0.0.1:{settings.database_port}"
    assert variables["NIGHTSHELF_SOLVER"] == "spark"
    assert variables["NIGHTSHELF_SPARK_MASTER"] == f"spark://127.0.0.1:{settings.spark_port}"
    assert variables["NIGHTSHELF_STORE_URL"].endswith(f"@{database}/serving")
    assert variables["MLFLOW_BACKEND_STORE_URI"].endswith(f"@{database}/mlflow")
    assert variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].endswith(f"@{database}/airflow")
    assert variables["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"


def test_settings_and_variables_take_precedence(cluster_of, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "KubernetesExecutor")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql+psycopg://elsewhere/airflow")
    monkeypatch.setenv("MLFLOW_ARTIFACTS_DESTINATION", "s3://bucket/mlflow")
    settings = cluster_of(
        SPARK_MASTER="spark://elsewhere:7077", SOLVER="auto", MLFLOW_URI="http://mlflow.example"
    )
    variables = cluster.variables(settings)
    assert names(settings) == AIRFLOW | OTHERS - {"mlflow"}
    assert variables["NIGHTSHELF_SPARK_MASTER"] == "spark://elsewhere:7077"
    assert variables["NIGHTSHELF_SOLVER"] == "auto"
    assert variables["AIRFLOW__CORE__EXECUTOR"] == "KubernetesExecutor"
    assert variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == "postgresql+psycopg://elsewhere/airflow"
    assert variables["MLFLOW_ARTIFACTS_DESTINATION"] == "s3://bucket/mlflow"


@pytest.mark.parametrize("url", ["sc://127.0.0.1:15003", "sc://127.0.0.1", "sc://localhost:15003"])
def test_spark_connect_on_this_machine_adds_its_server(cluster_of, url):
    settings = cluster_of(SPARK_MASTER=url)
    assert names(settings) == AIRFLOW | SPARK | OTHERS | {"spark-connect"}
    (connect,) = [program for program in cluster.programs(settings) if program.name == "spark-connect"]
    port = 15003 if url.endswith("3") else 15002
    assert f"spark.connect.grpc.binding.port={port}" in connect.command


def test_spark_connect_elsewhere_starts_no_spark(cluster_of):
    assert names(cluster_of(SPARK_MASTER="sc://spark.example:15002")) == AIRFLOW | OTHERS


def test_the_spark_connect_server_can_read_a_lake_in_a_bucket(cluster_of, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    settings.cache_clear()
    chosen = cluster_of(SPARK_MASTER="sc://127.0.0.1", LAKE="s3://bucket/lake")
    (connect,) = [program for program in cluster.programs(chosen) if program.name == "spark-connect"]
    assert "spark.hadoop.fs.s3a.endpoint=http://127.0.0.1:9" in connect.command


def test_the_celery_executor_adds_a_worker(cluster_of, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    assert names(cluster_of()) == AIRFLOW | SPARK | OTHERS | {"airflow-worker"}


def test_no_command_line_holds_a_secret(cluster_of):
    commands = [part for program in cluster.programs(cluster_of()) for part in program.command]
    assert not [part for part in commands if "the secret" in part or "the%20secret" in part]


def test_a_missing_database_password_is_an_error_naming_the_setting(cluster_of):
    with pytest.raises(NightshelfError, match="NIGHTSHELF_DATABASE_PASSWORD is not set"):
        cluster_of(DATABASE_PASSWORD="")
