"""The images: pinned packages, no secret, an ordinary user; their health check and their databases."""

import re
import subprocess
import sys
import tomllib

import pytest
from databases import BINARIES, postgresql
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from pipelines.settings import Settings
from serving.settings import PROJECT

DOCKER = PROJECT / "docker"
IMAGES = ("mlflow", "pipelines", "serving")
PIN = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)
NOT_SERVED = {"pyspark", "apache-airflow", "great-expectations", "pandas", "pyarrow", "implicit", "mlflow"}


@pytest.fixture(params=IMAGES)
def image(request):
    return request.param


def pins(text):
    return set(PIN.findall(text))


def packages(image):
    return pins((DOCKER / f"{image}.txt").read_text())


def required(image):
    """The requirements of pyproject.toml that an image must meet."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    core, extras = project["project"]["dependencies"], project["project"]["optional-dependencies"]
    lists = {
        "mlflow": [project["dependency-groups"]["mlflow"]],
        "pipelines": [
            core,
            extras["pipelines"],
            extras["airflow"],
            extras["s3"],
            extras["executors"],
            project["dependency-groups"]["pipelines"],
        ],
        "serving": [core],
    }
    return [Requirement(text) for texts in lists[image] for text in texts]


def test_packages_have_the_versions_of_the_lock(image):
    assert packages(image) <= pins((PROJECT / "requirements.lock").read_text())


def test_an_image_has_every_required_package(image):
    versions = dict(packages(image))
    for requirement in required(image):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement


def test_the_service_has_no_spark_and_no_airflow():
    assert not {name for name, _ in packages("serving")} & NOT_SERVED
    assert "pyspark" not in dict(packages("mlflow"))


def test_a_dockerfile_holds_no_secret_and_ends_as_an_ordinary_user(image):
    text = (DOCKER / f"{image}.Dockerfile").read_text()
    secrets = [name.upper() for name, field in Settings.model_fields.items() if field.annotation is SecretStr]
    assert [name for name in (*secrets, "PASSWORD", "SECRET", "TOKEN") if name in text] == []
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001"]
    assert "HEALTHCHECK " in text
    assert ":latest" not in text


def test_a_build_gets_only_allowed_files():
    patterns = [
        line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line[:1] not in ("#", "")
    ]
    assert patterns[0] == "*"
    for secret in (".env", ".git", ".venv", "lake", "mlruns"):
        assert f"!{secret}" not in patterns


def healthy(*arguments):
    """Exit code and error output of the health check."""
    process = subprocess.run(
        [sys.executable, DOCKER / "healthy.py", *arguments], capture_output=True, text=True, check=False
    )
    return process.returncode, process.stderr


def test_healthy_is_a_good_response_with_healthy_components(serve):
    health = {"scheduler": {"status": "healthy"}, "dag_processor": {"status": "unhealthy"}}
    routes = [
        Route("/health", lambda _: JSONResponse(health)),
        Route("/broken", lambda _: JSONResponse({}, 500)),
    ]
    url = serve(Starlette(routes=routes))
    assert healthy(f"{url}/health") == (0, "")
    assert healthy(f"{url}/health", "scheduler") == (0, "")
    assert healthy(f"{url}/health", "dag_processor") == (1, "dag_processor is unhealthy\n")
    assert healthy(f"{url}/health", "triggerer")[0] == 1
    assert healthy(f"{url}/broken")[0] == 1


def test_unhealthy_if_nothing_listens():
    assert healthy("http://127.0.0.1:9/health")[0] == 1


def test_each_database_admits_only_its_own_user(tmp_path, monkeypatch):
    users = {name: f"password of {name}" for name in ("airflow", "mlflow", "store")}
    for name, password in users.items():
        monkeypatch.setenv(f"{name.upper()}_DB_PASSWORD", password)
    with postgresql(tmp_path) as url:
        admin_url = url.replace("+psycopg", "")

        def psql(database_url, *arguments):
            command = [
                BINARIES[-1] / "psql",
                "--no-psqlrc",
                "--tuples-only",
                "--no-align",
                database_url,
                *arguments,
            ]
            process = subprocess.run(command, capture_output=True, text=True, check=False)
            return process.returncode, process.stdout.strip()

        def can_run(user, name, statement):
            return psql(f"postgresql://{user}@{server}/{name}", "--command", statement)[0] == 0

        assert psql(admin_url, "--file", DOCKER / "databases.sql")[0] == 0
        count = "SELECT count(*) FROM pg_authid WHERE rolname IN ('airflow', 'mlflow', 'store')"
        assert psql(admin_url, "--command", f"{count} AND rolpassword LIKE 'SCRAM-SHA-256%'") == (0, "3")
        server = admin_url.partition("@")[2].rpartition("/")[0]
        for user in users:
            assert [name for name in users if can_run(user, name, "SELECT 1")] == [user]
            assert can_run(user, user, "CREATE TABLE own (id int)")
