"""docker/compose.yaml: valid, least privilege, in order, and documented by .env.example."""

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
SET_BY_IMAGE = {"HOME", "HOST", "SERVING_PORT"}  # settings that the serving image sets itself
CLUSTER_ONLY = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"}
USER_FOLDERS = {"./backups", "./shop"}  # folders that the user creates
OWN_IMAGE = re.compile(r"nightshelf/(\w+):(.+)")
PUBLIC_IMAGE = re.compile(r"docker\.io/library/\w+:\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?")


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(FILE.read_text())


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


def settings_in(variables):
    """The names of Nightshelf's settings among variables, without their prefix."""
    return {name.removeprefix("NIGHTSHELF_") for name in variables if name.startswith("NIGHTSHELF_")}


def lines_matching(pattern):
    """Name and value of each line of .env.example that matches a pattern."""
    return dict(re.findall(pattern, EXAMPLE, re.MULTILINE))


def test_is_valid_by_the_compose_specification():
    check = (Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema", "vendor.compose-spec")
    process = subprocess.run([*check, FILE], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout


def test_every_file_and_volume_that_it_names_exists(compose, services):
    mounts = [
        mount.partition(":")[0] for service in services.values() for mount in service.get("volumes", [])
    ]
    assert {mount for mount in mounts if not mount.startswith(".")} == set(compose["volumes"])
    files = {mount for mount in mounts if mount.startswith(".")} - USER_FOLDERS
    assert [file for file in files if not (DOCKER / file).exists()] == []
    builds = [service["build"] for service in services.values() if "build" in service]
    dockerfiles = [DOCKER / build["context"] / build["dockerfile"] for build in builds]
    assert [file for file in dockerfiles if not file.exists()] == []


@pytest.mark.parametrize("name", [".gitignore", ".dockerignore"])
def test_folders_with_data_of_the_shop_are_ignored(name):
    ignored = {line.rstrip("/") for line in (PROJECT / name).read_text().splitlines()}
    assert {f"docker/{folder.removeprefix('./')}" for folder in USER_FOLDERS} <= ignored


def test_versions_are_pinned(services):
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    for image in (service["image"] for service in services.values()):
        own = OWN_IMAGE.fullmatch(image)
        assert own[2] == version if own else PUBLIC_IMAGE.fullmatch(image), image


def test_containers_have_no_capabilities_and_no_new_privileges(services):
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "network_mode", "pid", "cap_add"} & set(service), name
    assert [
        name for name in ("mlflow", "proxy", "serving-1", "serving-2") if not services[name]["read_only"]
    ] == []


def test_other_machines_reach_only_the_proxy(services):
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports.pop("proxy") == ["${NIGHTSHELF_HOST:-127.0.0.1}:${NIGHTSHELF_SERVING_PORT:-3000}:3000"]
    assert {port.partition(":")[0] for published in ports.values() for port in published} == {"127.0.0.1"}


def test_every_dependency_has_a_health_check_or_completes(services):
    for name, service in services.items():
        for dependency, options in service.get("depends_on", {}).items():
            condition = options["condition"]
            assert condition in ("service_healthy", "service_completed_successfully"), (name, dependency)
            required = services[dependency]
            if condition == "service_completed_successfully":
                assert required["restart"] == "no"
            else:
                assert "healthcheck" in required or "HEALTHCHECK" in dockerfile(required), dependency


def dockerfile(service):
    return (DOCKER / service["build"]["context"] / service["build"]["dockerfile"]).read_text()


def test_dependencies_have_no_cycle(services):
    order, left = [], dict(services)
    while left:
        ready = [name for name, service in left.items() if set(service.get("depends_on", {})) <= set(order)]
        assert ready, f"a cycle: {sorted(left)}"
        order += ready
        left = {name: service for name, service in left.items() if name not in ready}
    assert order.index("postgres") < order.index("prepare") < order.index("airflow-scheduler")
    assert order[-1] == "tonight"


def test_the_service_gets_its_own_settings_and_no_other_secret(services):
    expected = {name.upper() for name in ServingSettings.model_fields} - SET_BY_IMAGE
    for name in ("serving-1", "serving-2"):
        assert settings_in(services[name]["environment"]) == expected
        text = str(services[name]["environment"])
        assert not [name for name in ("AIRFLOW", "MLFLOW_DB", "POSTGRES_P", "SHOP_PASSWORD") if name in text]


def test_a_nightly_run_gets_every_setting(services):
    server_settings = {
        "AIRFLOW_PASSWORD",
        "AIRFLOW_JWT_SECRET",
        "DATABASE_PASSWORD",
        "SHOP_PORT",
        "DEMO_START",
    }
    excluded = server_settings | {"HOME"} | unused_in_containers()
    expected = {name.upper() for name in Settings.model_fields} - excluded
    assert settings_in(services["airflow-scheduler"]["environment"]) == expected


def unused_in_containers():
    """The settings that only programs outside containers use."""
    return set(re.findall(r"NIGHTSHELF_(\w+)", EXAMPLE.partition("# Unused in containers:")[2]))


def test_the_example_lists_every_setting_with_its_default():
    fixed = set(re.findall(r"NIGHTSHELF_(\w+)", EXAMPLE.partition("# Set by compose.yaml itself:")[2]))
    listed = lines_matching(r"^#?NIGHTSHELF_(\w+)=(.*)$")
    assert fixed | set(listed) == {name.upper() for name in Settings.model_fields}
    assert not fixed & set(listed)
    for name, default in lines_matching(r"^#NIGHTSHELF_(\w+)=(.*)$").items():
        if name not in ("MLFLOW_PAGE", "SHOP_URL", "SPARK_MASTER"):  # addresses of containers
            assert default == default_of(Settings.model_fields[name.lower()]), name


def default_of(field):
    return "" if field.default is None or field.annotation is SecretStr else str(field.default)


def test_the_example_lists_every_variable_of_the_compose_file(compose):
    variables = set(VARIABLE.findall(FILE.read_text())) | set(compose["x-bucket"])
    listed = set(lines_matching(r"^#?([A-Z_0-9]+)=(.*)$")) - {"COMPOSE_PROFILES"}
    assert variables <= listed
    assert {name for name in listed if not name.startswith("NIGHTSHELF_")} <= variables


def test_secrets_have_no_default():
    text = FILE.read_text()
    empty = lines_matching(r"^(\w+)=()$")
    assert len(empty) == 10
    for name in empty:
        if name != "NIGHTSHELF_SHOP_PASSWORD":  # a shop may need no password
            assert set(re.findall(rf"\$\{{{name}(.*?)}}", text)) == {":?write .env from .env.example"}, name


def test_the_command_in_the_example_fills_in_the_secrets(tmp_path):
    (tmp_path / ".env.example").write_text(EXAMPLE)
    command = re.search(r"^# +(sed .*)$", EXAMPLE, re.MULTILINE)[1]
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    written = (tmp_path / ".env").read_text()
    secrets = re.findall(r"^\w+=([0-9a-f]{64})$", written, re.MULTILINE)
    assert len(set(secrets)) == 10
    assert re.sub(r"(?m)^(\w+=)[0-9a-f]{64}$", r"\1", written) == EXAMPLE
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_airflow_has_the_same_settings_as_without_containers(home, services):
    secrets = {"airflow_password": "password", "airflow_jwt_secret": "secret", "customer_key": "key"}
    outside = {n: v for n, v in environment(Settings(**secrets)).items() if n.startswith("AIRFLOW__")}
    for name in ("airflow", "airflow-scheduler", "airflow-dag-processor", "prepare"):
        in_compose = {n: v for n, v in services[name]["environment"].items() if n.startswith("AIRFLOW__")}
        assert set(in_compose) == set(outside) | CLUSTER_ONLY
        differs = {n.partition("__")[2] for n in outside if in_compose[n] != outside[n]}
        assert differs == {
            "API__BASE_URL",
            "API__HOST",
            "API_AUTH__JWT_SECRET",
            "CORE__DAGS_FOLDER",
            "CORE__EXECUTION_API_SERVER_URL",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE",
            "DATABASE__SQL_ALCHEMY_CONN",
        }


def test_spark_has_the_same_settings_as_without_containers(services):
    worker = services["spark-worker"]["environment"]
    assert worker["SPARK_WORKER_OPTS"].split() == cluster.SPARK["SPARK_WORKER_OPTS"].split()
    for name in ("SPARK_WORKER_CORES", "SPARK_WORKER_MEMORY"):
        assert worker[name] == f"${{{name}:-{cluster.SPARK[name]}}}"


def test_spark_needs_its_secret(compose, services):
    options = dict(line.split(" ", 1) for line in compose["configs"]["spark"]["content"].splitlines())
    assert options["spark.authenticate"] == cluster.SPARK_DEFAULTS["spark.authenticate"] == "true"
    assert "SPARK_SECRET" in options["spark.authenticate.secret"]
    for name in ("spark-master", "spark-worker", "airflow-scheduler"):
        (config,) = services[name]["configs"]
        assert config["source"] == "spark"
        assert services[name]["environment"]["SPARK_CONF_DIR"] == str(Path(config["target"]).parent)


def test_the_backup_gets_all_locations_and_volumes_that_it_saves(services):
    backup, scheduler = services["backup"], services["airflow-scheduler"]
    assert backup["environment"].items() >= services["mlflow"]["environment"].items()
    for name in ("CUSTOMER_KEY", "LAKE", "MLFLOW_URI", "STORE_URL", "KEYS_FILE"):
        assert backup["environment"][f"NIGHTSHELF_{name}"] == scheduler["environment"][f"NIGHTSHELF_{name}"]
    volumes = {volume for name in ("mlflow", "airflow-scheduler") for volume in services[name]["volumes"]}
    assert set(backup["volumes"]) - {"./backups:/backups"} == volumes - {
        "state:/data/.nightshelf",
        "data-docs:/data/expectations",
        "./shop:/shop:ro",
    }


def test_only_programs_that_use_a_bucket_get_its_credentials(compose, services):
    for name in ("airflow-scheduler", "mlflow", "backup"):
        assert set(compose["x-bucket"]) <= set(services[name]["environment"])
    assert not set(compose["x-bucket"]) & set(services["serving-1"]["environment"])


def test_airflows_components_share_the_jwt_secret(services):
    names = ("airflow", "airflow-scheduler", "airflow-dag-processor")
    secrets = {services[name]["environment"]["AIRFLOW__API_AUTH__JWT_SECRET"] for name in names}
    assert secrets == {"${NIGHTSHELF_AIRFLOW_JWT_SECRET:?write .env from .env.example}"}


def test_mlflow_serves_artifacts_and_allows_its_host_name(services):
    command = " ".join(services["mlflow"]["command"])
    assert "--serve-artifacts" in command
    assert "--allowed-hosts mlflow:5000" in command
