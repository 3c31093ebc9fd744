"""The bento, built and served as in production: with only the core packages and a registry over HTTP."""

import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import bundles
import httpx
import pytest
from ports import free_port
from processes import BIN, environment, running, service, status, wait_for

from serving.bundle.format import Bundle
from serving.settings import PROJECT

FORBIDDEN = {"pyspark", "apache-airflow", "great-expectations", "pandas", "pyarrow", "implicit", "mlflow"}


def run(*command: object, **env: str) -> str:
    """Returns a program's output; fails with its error output if it fails."""
    arguments = [str(argument) for argument in command]
    result = subprocess.run(
        arguments, check=False, cwd=PROJECT, env=env or None, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the bento in its store."""
    home = tmp_path_factory.mktemp("home")
    run(BIN / "bentoml", "build", **environment(home))
    return home


@pytest.fixture(scope="module")
def bento(store: Path) -> Path:
    (built,) = (path for path in (store / "bentoml" / "bentos" / "nightshelf").iterdir() if path.is_dir())
    return built


@pytest.fixture(scope="module")
def core(bento: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a virtual environment with only the packages that the bento requires."""
    venv = tmp_path_factory.mktemp("core")
    python, requirements = venv / "bin" / "python", bento / "env" / "python" / "requirements.txt"
    run(BIN / "uv", "venv", "--quiet", "--allow-existing", "--python", BIN / "python", venv)
    run(
        BIN / "uv",
        "pip",
        "install",
        "--quiet",
        "--python",
        python,
        "-c",
        "requirements.lock",
        "-r",
        requirements,
    )
    return python.parent


def test_the_bento_contains_only_the_package_serving(bento: Path) -> None:
    packed = {path.relative_to(bento / "src") for path in (bento / "src").rglob("*") if path.is_file()}
    files = [path for path in (PROJECT / "serving").rglob("*") if path.is_file()]
    sources = {path.relative_to(PROJECT) for path in files if "__pycache__" not in path.parts}
    assert {Path("serving/http/pages/style.css"), Path("serving/http/pages/storefront.js")} <= sources
    assert packed - {Path("bentofile.yaml")} == sources


def test_the_bento_requires_only_the_core_packages(bento: Path) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    required = (bento / "env" / "python" / "requirements.txt").read_text().split()
    assert {*required} == {*project["dependencies"], f"bentoml=={metadata.version('bentoml')}"}


def test_a_container_of_the_bento_does_not_run_as_root(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    code = "import bentoml, sys; bentoml.container.get_containerfile('nightshelf:latest', sys.argv[1])"
    run(BIN / "python", "-c", code, file, **environment(store))
    lines = file.read_text().splitlines()
    assert [line for line in lines if line.startswith("USER ")][-1] == "USER bentoml"
    (uid,) = (line.partition("=")[2] for line in lines if line.startswith("ARG BENTO_USER_UID="))
    assert int(uid) >= 1000


def test_the_core_packages_include_no_training_stack(core: Path) -> None:
    listed = run(BIN / "uv", "pip", "list", "--quiet", "--python", core / "python").splitlines()
    names = {line.split()[0] for line in listed}
    assert {"bentoml", "mlflow-skinny"} <= names
    assert not names & FORBIDDEN


def test_the_bento_serves_the_champion_of_a_registry_over_http(
    store: Path, core: Path, bundle: Bundle, tmp_path: Path
) -> None:
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    tables = ("--backend-store-uri", f"sqlite:///{tmp_path}/mlflow.db", "--artifacts-destination", tmp_path)
    server = (BIN / "mlflow", "server", *tables, "--port", port, "--workers", 1)
    with running(server, environment(tmp_path), tmp_path / "mlflow.log") as registry:
        wait_for(f"{uri}/health", 200, registry)
        version = bundles.publish(uri, bundle, tmp_path)
        with service(store, (core / "bentoml", "serve", "nightshelf:latest"), mlflow_uri=uri) as up:
            wait_for(f"{up.url}/readyz", 200, up.process)
            answer = httpx.get(f"{up.url}/v1/customers/{bundles.BORIS}/recommendations").json()
            assert answer["model"] == {"version": version}
            assert [item["product"] for item in answer["items"]][:2] == ["tea-1", "tea-2"]
            assert status(f"{up.url}/pages/storefront.js") == 200
            registry.terminate()
            bundles.wait_until(lambda: status(f"{uri}/health") == 0, 30)
            assert status(f"{up.url}/readyz") == 200
