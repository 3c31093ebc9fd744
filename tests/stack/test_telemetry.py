"""No program reports usage to the makers of its libraries, according to the libraries themselves.

The libraries are checked in a process with a clean environment, because some switch their telemetry off in
tests and in CI. The same checks without the variables show that the variables make the difference.
"""

import json
import os
import re
import subprocess
import sys

import pytest

from pipelines import NO_TELEMETRY
from pipelines.settings import Settings
from pipelines.stack import cluster
from pipelines.stack.environment import environment
from serving.settings import PROJECT

CHECKS = {
    "mlflow": """
from mlflow.telemetry import get_telemetry_client
from mlflow.telemetry.utils import is_telemetry_disabled
off = is_telemetry_disabled() and get_telemetry_client() is None
""",
    # MLflow's pages have a switch of their own, kept in the browser, which starts as on. They report only to
    # this address of their server, and stop if it answers that reporting is disabled.
    "mlflow pages": """
from mlflow.server import app
client, url = app.test_client(), "/ajax-api/3.0/mlflow/ui-telemetry"
event = {"event_name": "click", "timestamp_ns": 1, "params": {}, "installation_id": "i", "session_id": "s"}
off = client.get(url).json["disable_ui_telemetry"]
off = off and client.post(url, json={"records": [event]}).json["status"] == "disabled"
""",
    "bentoml": """
from bentoml._internal.utils.analytics.usage_stats import do_not_track
off = do_not_track()
""",
    # The installed releases of these two have no telemetry; other releases had, with these options.
    "great expectations": """
from importlib.util import find_spec
from pathlib import Path
off = not Path(find_spec("great_expectations").origin).with_name("analytics").exists()
if not off:
    from great_expectations.analytics.config import ENV_CONFIG
    off = not ENV_CONFIG.posthog_enabled
""",
    "airflow": """
from airflow.configuration import conf
off = not conf.getboolean("usage_data_collection", "enabled", fallback=True)
""",
}
IMAGES = {
    "mlflow": ["mlflow", "mlflow pages"],
    "pipelines": ["mlflow", "great expectations", "airflow"],
    "serving": ["mlflow", "bentoml"],
}
SECRETS = ("customer_key", "airflow_password", "airflow_jwt_secret", "database_password")


def switched_off(libraries, variables, home, first=""):
    """The libraries whose telemetry is off, as they report in a process with these variables and little else.

    first: code that runs before the libraries are imported.
    """
    basics = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "HOME": str(home)}
    airflow = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    script = "\n".join(
        [
            f"import json\nresult = []\n{first}",
            *(f"{CHECKS[library]}\nif off:\n    result.append({library!r})" for library in libraries),
            "print(json.dumps(result))",
        ]
    )
    process = subprocess.run(
        [sys.executable, "-c", script],
        env=variables | basics | airflow,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def telemetry_variables(variables):
    """The variables that can concern telemetry."""
    prefixes = ("AIRFLOW__USAGE", "BENTOML_DO", "DO_NOT_TRACK", "GX_", "MLFLOW_DISABLE", "SCARF")
    return {name: value for name, value in variables.items() if name.startswith(prefixes)}


@pytest.fixture
def settings(home):
    return Settings(**dict.fromkeys(SECRETS, "secret"))


def test_is_off_in_every_program_of_the_stack(settings, tmp_path):
    variables = telemetry_variables(environment(settings))
    assert switched_off(CHECKS, variables, tmp_path) == list(CHECKS)


def test_the_programs_of_a_cluster_have_the_same_variables(settings):
    assert telemetry_variables(cluster.variables(settings)) == telemetry_variables(environment(settings))


def test_the_environment_of_the_user_does_not_switch_it_on(settings, monkeypatch):
    for name in NO_TELEMETRY:
        monkeypatch.setenv(name, "1")
    assert telemetry_variables(environment(settings)) == NO_TELEMETRY


def test_is_off_in_every_command(tmp_path):
    assert switched_off(CHECKS, {}, tmp_path, first="import pipelines") == list(CHECKS)


def test_is_on_without_the_variables(tmp_path):
    assert switched_off(["mlflow", "bentoml"], {}, tmp_path) == []


@pytest.mark.parametrize("image", IMAGES)
def test_is_off_in_the_images(image, tmp_path):
    text = (PROJECT / "docker" / f"{image}.Dockerfile").read_text()
    block = re.search(r"^ENV (.*?[^\\])$", text, re.MULTILINE | re.DOTALL)[1]
    variables = telemetry_variables(dict(re.findall(r"(\w+)=(\S+)", block)))
    assert switched_off(IMAGES[image], variables, tmp_path) == IMAGES[image]
