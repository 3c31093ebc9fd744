"""No program reports usage to the makers of its libraries: each library says so itself.

Every question is asked in a process with a clean environment, because libraries switch their telemetry off in
tests and in CI. The same questions without our variables show that the variables make the difference.
"""

import json
import os
import re
import subprocess
import sys

import pytest

from pipelines.settings import Settings
from pipelines.stack import cluster
from pipelines.stack.environment import environment
from serving.settings import PROJECT

QUESTIONS = {
    "mlflow": """
from mlflow.telemetry import get_telemetry_client
from mlflow.telemetry.utils import is_telemetry_disabled
answer = is_telemetry_disabled() and get_telemetry_client() is None
""",
    # MLflow's pages have a switch of their own, kept in the browser, which starts as on. They report only to
    # this address of their server, and stop if it answers that reporting is disabled.
    "mlflow pages": """
from mlflow.server import app
client, url = app.test_client(), "/ajax-api/3.0/mlflow/ui-telemetry"
event = {"event_name": "click", "timestamp_ns": 1, "params": {}, "installation_id": "i", "session_id": "s"}
answer = client.get(url).json["disable_ui_telemetry"]
answer = answer and client.post(url, json={"records": [event]}).json["status"] == "disabled"
""",
    "bentoml": """
from bentoml._internal.utils.analytics.usage_stats import do_not_track
answer = do_not_track()
""",
}
# Libraries whose installed release has no telemetry; another release would be asked through its own option.
GONE = {
    "airflow": """
from importlib.util import find_spec
from airflow.configuration import conf
enabled = conf.getboolean("usage_data_collection", "enabled", fallback=True)
answer = not enabled and find_spec("airflow.utils.usage_data_collection") is None
""",
    "great_expectations": """
from importlib.util import find_spec
answer = find_spec("posthog") is None and find_spec("great_expectations.analytics") is None
if not answer:
    from great_expectations.analytics.config import ENV_CONFIG
    answer = not ENV_CONFIG.posthog_enabled
""",
}
SECRETS = dict.fromkeys(
    ("customer_key", "airflow_password", "airflow_jwt_secret", "database_password"), "secret"
)


def ask(question, variables, home):
    """The answer of a script that asks a library, in a process with these variables and little else."""
    kept = ("AIRFLOW__", "BENTOML", "DO_NOT_TRACK", "GX_", "MLFLOW_", "SCARF")
    env = {name: value for name, value in variables.items() if name.startswith(kept)}
    env |= {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": str(PROJECT),
    }
    env |= {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db"}
    script = f"import json, sys\n{question}\nprint(json.dumps(bool(answer)), file=sys.stderr)"
    process = subprocess.run(
        [sys.executable, "-c", script], env=env, cwd=home, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stderr.splitlines()[-1])


@pytest.fixture(params=["one machine", "cluster"])
def variables(home, request):
    settings = Settings(**dict.fromkeys(SECRETS, "secret"))
    return environment(settings) if request.param == "one machine" else cluster.variables(settings)


@pytest.mark.parametrize("library", QUESTIONS | GONE)
def test_is_off_in_every_program(variables, library, tmp_path):
    assert ask((QUESTIONS | GONE)[library], variables, tmp_path)


@pytest.mark.parametrize("library", QUESTIONS | GONE)
def test_is_off_in_every_command(library, tmp_path):
    assert ask(f"import pipelines\n{(QUESTIONS | GONE)[library]}", {}, tmp_path)


@pytest.mark.parametrize("library", [name for name in QUESTIONS if name != "mlflow pages"])
def test_would_be_on_without_the_variables(library, tmp_path):
    assert not ask(QUESTIONS[library], {}, tmp_path)


def of_image(image):
    """The variables that a Dockerfile sets in its image."""
    text = (PROJECT / "docker" / f"{image}.Dockerfile").read_text()
    block = re.search(r"^ENV (.*?[^\\])$", text, re.MULTILINE | re.DOTALL)[1]
    return dict(re.findall(r"(\w+)=(\S+)", block))


@pytest.mark.parametrize(
    ("image", "library"),
    [
        *(("pipelines", library) for library in QUESTIONS | GONE if library != "bentoml"),
        *(("mlflow", library) for library in ("mlflow", "mlflow pages")),
        *(("serving", library) for library in ("mlflow", "bentoml")),
    ],
)
def test_is_off_in_the_images(image, library, tmp_path):
    assert ask((QUESTIONS | GONE)[library], of_image(image), tmp_path)
