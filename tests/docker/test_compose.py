"""docker/compose.yaml: valid by the specification, contained, in order, and told of by .env.example."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from pipelines.settings import Settings
from pipelines.stack import cluster
from pipelines.stack.environment import environment
from serving.settings import PROJECT, ServingSettings

DOCKER = PROJECT / "docker"
FILE = DOCKER / "compose.yaml"
EXAMPLE = (DOCKER / ".env.example").read_text()
VARIABLE = re.compile(r"\$\{(\w+)")
OWN_PLACE = {"HOME", "HOST", "SERVING_PORT"}  # which the image of the service says itself
OF_A_CLUSTER = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC", "AIRFLOW__WORKERS__EXECUTION_API_RETRIES"}
OF_THE_SHOP = {"./backups", "./shop"}  # made by whoever needs them
OURS = re.compile(r"nightshelf/(\w+):(.+)")
OTHERS = re.compile(r"docker\.io/library/\w+:\d+\.\d+[\w.-]*")


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(FILE.read_text())


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


def named(variables):
    """The settings among variables, without their prefix."""
    return {name.removeprefix("NIGHTSHELF_") for name in variables if name.startswith("NIGHTSHELF_")}


def told(line):
    """The settings that a line of .env.example, which matches, tells of: their names and defaults."""
    return dict(re.findall(line, EXAMPLE, re.MULTILINE))


def test_it_is_valid_by_the_compose_specification():
    check = (Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema", "vendor.compose-spec")
    done = subprocess.run([*check, FILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_what_it_builds_and_mounts_is_there(compose, services):
    places = [place.partition(":")[0] for one in services.values() for place in one.get("volumes", [])]
    assert {place for place in places if not place.startswith(".")} == set(compose["volumes"])
    files = {place for place in places if place.startswith(".")} - OF_THE_SHOP
    assert [file for file in files if not (DOCKER / file).exists()] == []
    builds = [one["build"] for one in services.values() if "build" in one]
    assert [one for one in builds if not (DOCKER / one["context"] / one["dockerfile"]).exists()] == []


@pytest.mark.parametrize("name", [".gitignore", ".dockerignore"])
def test_what_holds_data_of_the_shop_goes_nowhere(name):
    ignored = {line.rstrip("/") for line in (PROJECT / name).read_text().splitlines()}
    assert {f"docker/{place.removeprefix('./')}" for place in OF_THE_SHOP} <= ignored


def test_versions_are_pinned(services):
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    for one in services.values():
        found = OURS.fullmatch(one["image"])
        assert found[2] == version if found else OTHERS.fullmatch(one["image"]), one["image"]


def test_no_container_may_more_than_it_needs(services):
    for name, one in services.items():
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "network_mode", "pid", "cap_add"} & set(one), name
    assert [
        name for name in ("mlflow", "proxy", "serving-1", "serving-2") if not services[name]["read_only"]
    ] == []


def test_other_machines_reach_the_proxy_alone(services):
    ports = {name: one["ports"] for name, one in services.items() if "ports" in one}
    assert ports.pop("proxy") == ["${NIGHTSHELF_HOST:-127.0.0.1}:${NIGHTSHELF_SERVING_PORT:-3000}:3000"]
    assert {port.partition(":")[0] for published in ports.values() for port in published} == {"127.0.0.1"}


def test_what_is_waited_for_tells_when_it_is_there(services):
    for name, one in services.items():
        for before, how in one.get("depends_on", {}).items():
            condition = how["condition"]
            assert condition in ("service_healthy", "service_completed_successfully"), (name, before)
            waited = services[before]
            if condition == "service_completed_successfully":
                assert waited["restart"] == "no"
            else:
                assert "healthcheck" in waited or "HEALTHCHECK" in dockerfile(waited), before


def dockerfile(service):
    return (DOCKER / service["build"]["context"] / service["build"]["dockerfile"]).read_text()


def test_nothing_waits_for_itself(services):
    order, left = [], dict(services)
    while left:
        ready = [name for name, one in left.items() if set(one.get("depends_on", {})) <= set(order)]
        assert ready, f"these wait for one another: {sorted(left)}"
        order += ready
        left = {name: one for name, one in left.items() if name not in ready}
    assert order.index("postgres") < order.index("prepare") < order.index("airflow-scheduler")
    assert order[-1] == "tonight"


def test_the_service_is_told_its_own_settings_and_no_other_secret(services):
    wanted = {name.upper() for name in ServingSettings.model_fields} - OWN_PLACE
    for name in ("serving-1", "serving-2"):
        assert named(services[name]["environment"]) == wanted
        text = str(services[name]["environment"])
        assert not [one for one in ("AIRFLOW", "MLFLOW_DB", "POSTGRES_P", "SHOP_PASSWORD") if one in text]


def test_a_night_is_told_every_setting(services):
    of_servers = {"AIRFLOW_PASSWORD", "AIRFLOW_JWT_SECRET", "DATABASE_PASSWORD", "SHOP_PORT", "DEMO_START"}
    elsewhere = of_servers | {"HOME"} | of_processes()
    wanted = {name.upper() for name in Settings.model_fields} - elsewhere
    assert named(services["airflow-scheduler"]["environment"]) == wanted


def of_processes():
    """The settings of servers that run without containers."""
    return set(re.findall(r"NIGHTSHELF_(\w+)", EXAMPLE.partition("# Without a meaning in containers:")[2]))


def test_the_example_names_every_setting_with_its_default():
    fixed = set(re.findall(r"NIGHTSHELF_(\w+)", EXAMPLE.partition("# Set by compose.yaml itself:")[2]))
    listed = told(r"^#?NIGHTSHELF_(\w+)=(.*)$")
    assert fixed | set(listed) == {name.upper() for name in Settings.model_fields}
    assert not fixed & set(listed)
    for name, default in told(r"^#NIGHTSHELF_(\w+)=(.*)$").items():
        if name not in ("MLFLOW_PAGE", "SHOP_URL", "SPARK_MASTER"):  # addresses of containers
            assert default == default_of(Settings.model_fields[name.lower()]), name


def default_of(field):
    return "" if field.default is None or field.annotation is SecretStr else str(field.default)


def test_the_example_names_all_that_the_compose_file_asks_for(compose):
    asked = set(VARIABLE.findall(FILE.read_text())) | set(compose["x-bucket"])
    listed = set(told(r"^#?([A-Z_0-9]+)=(.*)$")) - {"COMPOSE_PROFILES"}
    assert asked <= listed
    assert {name for name in listed if not name.startswith("NIGHTSHELF_")} <= asked


def test_secrets_have_no_default():
    text = FILE.read_text()
    empty = told(r"^(\w+)=()$")
    assert len(empty) == 9
    for name in empty:
        if name != "NIGHTSHELF_SHOP_PASSWORD":  # of a shop that may need none
            assert set(re.findall(rf"\$\{{{name}(.*?)}}", text)) == {":?write .env from .env.example"}, name


def test_secrets_are_filled_in_as_the_example_says(tmp_path):
    (tmp_path / ".env.example").write_text(EXAMPLE)
    command = re.search(r"^# +(sed .*)$", EXAMPLE, re.MULTILINE)[1]
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    written = (tmp_path / ".env").read_text()
    secrets = re.findall(r"^\w+=([0-9a-f]{64})$", written, re.MULTILINE)
    assert len(set(secrets)) == 9
    assert re.sub(r"(?m)^(\w+=)[0-9a-f]{64}$", r"\1", written) == EXAMPLE
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_airflow_is_set_as_on_one_machine(home, services):
    secrets = {"airflow_password": "password", "airflow_jwt_secret": "secret", "customer_key": "key"}
    here = {n: v for n, v in environment(Settings(**secrets)).items() if n.startswith("AIRFLOW__")}
    for name in ("airflow", "airflow-scheduler", "airflow-dag-processor", "prepare"):
        there = {n: v for n, v in services[name]["environment"].items() if n.startswith("AIRFLOW__")}
        assert set(there) == set(here) | OF_A_CLUSTER
        differs = {n.partition("__")[2] for n in here if there[n] != here[n]}
        assert differs == {
            "API__BASE_URL",
            "API__HOST",
            "API_AUTH__JWT_SECRET",
            "CORE__DAGS_FOLDER",
            "CORE__EXECUTION_API_SERVER_URL",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE",
            "DATABASE__SQL_ALCHEMY_CONN",
        }


def test_spark_is_set_as_on_one_machine(services):
    worker = services["spark-worker"]["environment"]
    assert worker["SPARK_WORKER_OPTS"].split() == cluster.SPARK["SPARK_WORKER_OPTS"].split()
    for name in ("SPARK_WORKER_CORES", "SPARK_WORKER_MEMORY"):
        assert worker[name] == f"${{{name}:-{cluster.SPARK[name]}}}"


def test_a_backup_is_told_where_all_is_that_it_holds(services):
    backup, night = services["backup"], services["airflow-scheduler"]
    assert backup["environment"].items() >= services["mlflow"]["environment"].items()
    for name in ("CUSTOMER_KEY", "LAKE", "MLFLOW_URI", "STORE_URL", "KEYS_FILE"):
        assert backup["environment"][f"NIGHTSHELF_{name}"] == night["environment"][f"NIGHTSHELF_{name}"]
    kept = {place for name in ("mlflow", "airflow-scheduler") for place in services[name]["volumes"]}
    assert set(backup["volumes"]) - {"./backups:/backups"} == kept - {
        "state:/data/.nightshelf",
        "data-docs:/data/expectations",
        "./shop:/shop:ro",
    }


def test_a_bucket_is_told_to_whom_reads_and_writes_it(compose, services):
    for name in ("airflow-scheduler", "mlflow", "backup"):
        assert set(compose["x-bucket"]) <= set(services[name]["environment"])
    assert not set(compose["x-bucket"]) & set(services["serving-1"]["environment"])


def test_airflows_components_share_one_secret(services):
    names = ("airflow", "airflow-scheduler", "airflow-dag-processor")
    found = {services[name]["environment"]["AIRFLOW__API_AUTH__JWT_SECRET"] for name in names}
    assert found == {"${NIGHTSHELF_AIRFLOW_JWT_SECRET:?write .env from .env.example}"}


def test_mlflow_passes_artifacts_on_and_answers_to_its_name(services):
    command = " ".join(services["mlflow"]["command"])
    assert "--serve-artifacts" in command
    assert "--allowed-hosts mlflow:5000" in command
