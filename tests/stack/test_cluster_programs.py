import pytest
from clusters import free_ports

from pipelines.settings import Settings, settings
from pipelines.stack import cluster
from pipelines.stack.programs import check_ports
from serving.errors import NightshelfError

SECRETS = ("CUSTOMER_KEY", "AIRFLOW_PASSWORD", "AIRFLOW_JWT_SECRET", "DATABASE_PASSWORD")
AIRFLOW = {"airflow", "airflow-scheduler", "airflow-dag-processor"}
SPARK = {"spark-master", "spark-worker-1", "spark-worker-2"}
OTHERS = {"postgresql", "demo-shop", "mlflow", "replica-1", "replica-2", "proxy"}


@pytest.fixture
def of(home, monkeypatch):
    """A function from settings to those of a cluster on free ports, whose secrets are their names."""

    def make(**given):
        named = {f"NIGHTSHELF_{name}": f"the secret {name}" for name in SECRETS}
        for name, value in (named | free_ports() | {f"NIGHTSHELF_{n}": v for n, v in given.items()}).items():
            monkeypatch.setenv(name, value)
        return cluster.of_cluster(Settings())

    return make


def names(settings):
    return {program.name for program in cluster.programs(settings)}


def test_the_whole_cluster_on_free_ports(of):
    check_ports(of(), cluster.programs(of()))
    assert names(of()) == AIRFLOW | SPARK | OTHERS


def test_its_programs_use_its_own_servers(of):
    settings = of()
    found = cluster.variables(settings)
    database = f"127.0.0.1:{settings.database_port}"
    assert found["NIGHTSHELF_SOLVER"] == "spark"
    assert found["NIGHTSHELF_SPARK_MASTER"] == f"spark://127.0.0.1:{settings.spark_port}"
    assert found["NIGHTSHELF_STORE_URL"].endswith(f"@{database}/serving")
    assert found["MLFLOW_BACKEND_STORE_URI"].endswith(f"@{database}/mlflow")
    assert found["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].endswith(f"@{database}/airflow")
    assert found["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"


def test_what_is_set_otherwise_is_taken_as_set(of, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "KubernetesExecutor")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql+psycopg://elsewhere/airflow")
    monkeypatch.setenv("MLFLOW_ARTIFACTS_DESTINATION", "s3://bucket/mlflow")
    settings = of(SPARK_MASTER="spark://elsewhere:7077", SOLVER="auto", MLFLOW_URI="http://mlflow.example")
    found = cluster.variables(settings)
    assert names(settings) == AIRFLOW | OTHERS - {"mlflow"}
    assert found["NIGHTSHELF_SPARK_MASTER"] == "spark://elsewhere:7077"
    assert found["NIGHTSHELF_SOLVER"] == "auto"
    assert found["AIRFLOW__CORE__EXECUTOR"] == "KubernetesExecutor"
    assert found["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == "postgresql+psycopg://elsewhere/airflow"
    assert found["MLFLOW_ARTIFACTS_DESTINATION"] == "s3://bucket/mlflow"


@pytest.mark.parametrize("url", ["sc://127.0.0.1:15003", "sc://127.0.0.1", "sc://localhost:15003"])
def test_spark_connect_is_one_program_more_before_the_same_spark(of, url):
    settings = of(SPARK_MASTER=url)
    assert names(settings) == AIRFLOW | SPARK | OTHERS | {"spark-connect"}
    (connect,) = [one for one in cluster.programs(settings) if one.name == "spark-connect"]
    port = 15003 if url.endswith("3") else 15002
    assert f"spark.connect.grpc.binding.port={port}" in connect.command


def test_spark_connect_elsewhere_is_taken_as_set(of):
    assert names(of(SPARK_MASTER="sc://spark.example:15002")) == AIRFLOW | OTHERS


def test_spark_connect_here_finds_a_lake_in_a_bucket(of, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    settings.cache_clear()
    given = of(SPARK_MASTER="sc://127.0.0.1", LAKE="s3://bucket/lake")
    (connect,) = [one for one in cluster.programs(given) if one.name == "spark-connect"]
    assert "spark.hadoop.fs.s3a.endpoint=http://127.0.0.1:9" in connect.command


def test_celery_is_one_program_more(of, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    assert names(of()) == AIRFLOW | SPARK | OTHERS | {"airflow-worker"}


def test_no_command_holds_a_secret(of):
    commands = [part for program in cluster.programs(of()) for part in program.command]
    assert not [part for part in commands if "the secret" in part or "the%20secret" in part]


def test_without_a_password_of_the_database_there_is_no_cluster(of):
    with pytest.raises(NightshelfError, match="NIGHTSHELF_DATABASE_PASSWORD is not set"):
        of(DATABASE_PASSWORD="")
