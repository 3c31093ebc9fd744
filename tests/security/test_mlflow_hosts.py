"""A page at a foreign name that points at this machine can't read MLflow, however Nightshelf starts it."""

import re
import socket
from contextlib import contextmanager

import httpx
import pytest
from browsers import chromium
from homes import put_empty_mlflow_database
from ports import free_port
from processes import running, wait_for

from pipelines.settings import Settings
from pipelines.stack import cluster, programs
from pipelines.stack.environment import environment, mlflow_hosts
from serving.settings import PROJECT

FOREIGN = "10.evil.example"  # begins like a private address, which MLflow allows by default
MAPPED = f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1"
SECRETS = {"customer_key": "key", "airflow_password": "password", "airflow_jwt_secret": "secret"}
READ = """async path => {
    const answer = await fetch(path)
    return [answer.status, await answer.text()]
}"""
PATH = "/ajax-api/2.0/mlflow/experiments/search?max_results=10"


@pytest.fixture
def settings(home):
    return Settings(mlflow_port=free_port(), database_password="password", **SECRETS)


def in_up(settings):
    """Command and environment of MLflow in `nightshelf up`."""
    (program,) = programs.mlflow(settings)
    return program.command, environment(settings)


def in_cluster(settings):
    """Command and environment of MLflow in `nightshelf cluster`, with a database that needs no server."""
    (program,) = cluster._mlflow(settings)
    database = {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{settings.home}/mlruns/mlflow.db"}
    return program.command, environment(settings) | database


def in_image(settings):
    """Command and environment of MLflow in its image, at this machine's port."""
    text = (PROJECT / "docker" / "mlflow.Dockerfile").read_text()
    variables = dict(re.findall(r"^(?:ENV|   ) (MLFLOW_\w+)=(\S+)", text, re.MULTILINE))
    paths = {
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{settings.home}/mlruns/mlflow.db",
        "MLFLOW_ARTIFACTS_DESTINATION": str(settings.home / "mlruns" / "artifacts"),
        "MLFLOW_PORT": str(settings.mlflow_port),
    }
    return programs.script("mlflow", "server"), environment(settings) | variables | paths


@contextmanager
def mlflow(settings, start):
    put_empty_mlflow_database(settings.home)
    command, env = start(settings)
    with running(command, env, settings.home / "mlflow.log") as process:
        wait_for(f"http://127.0.0.1:{settings.mlflow_port}/health", 200, process)
        yield


@pytest.mark.parametrize("start", [in_up, in_cluster, in_image])
def test_a_page_at_a_foreign_name_reads_nothing(settings, start):
    with mlflow(settings, start), chromium(MAPPED) as browser:
        page = browser.new_page()
        page.goto(f"http://{FOREIGN}:{settings.mlflow_port}/health")  # a page with that origin
        status, text = page.evaluate(READ, PATH)
        assert (status, "experiments" in text) == (403, False)
        page.goto(f"http://127.0.0.1:{settings.mlflow_port}/health")
        status, text = page.evaluate(READ, PATH)
        assert (status, "experiments" in text) == (200, True)


def test_a_server_for_other_machines_answers_to_its_own_names_alone(settings):
    everywhere = settings.model_copy(update={"host": "0.0.0.0"})
    port = settings.mlflow_port
    with mlflow(everywhere, in_up):

        def status(host):
            return httpx.get(f"http://127.0.0.1:{port}{PATH}", headers={"Host": host}).status_code

        allowed = (f"localhost:{port}", f"{socket.gethostname()}:{port}", f"[::1]:{port}", "127.0.0.1")
        assert {host: status(host) for host in allowed} == dict.fromkeys(allowed, 200)
        foreign = (FOREIGN, f"{FOREIGN}:{port}", f"192.168.evil.example:{port}", "localhost.evil.example")
        assert {host: status(host) for host in foreign} == dict.fromkeys(foreign, 403)


@pytest.mark.fast
def test_mlflows_own_variable_takes_precedence(settings, monkeypatch):
    assert "10.*" not in mlflow_hosts(settings)
    monkeypatch.setenv("MLFLOW_SERVER_ALLOWED_HOSTS", "mlflow.shop.example")
    assert environment(settings)["MLFLOW_SERVER_ALLOWED_HOSTS"] == "mlflow.shop.example"
