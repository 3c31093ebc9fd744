"""docker/pod.yaml: valid for Kubernetes, least privilege, and used by Airflow's executor."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from serving.settings import PROJECT

FILE = PROJECT / "docker" / "pod.yaml"
COMMAND = ["python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", "{}"]


@pytest.fixture(scope="module")
def pods(tmp_path_factory):
    env = os.environ | {"AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow"))}
    describe = [sys.executable, Path(__file__).with_name("describe_pod.py"), FILE, *COMMAND]
    output = subprocess.run(describe, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(output.splitlines()[-1])


def test_kubernetes_knows_every_field(pods):
    assert pods["template"] == yaml.safe_load(FILE.read_text())


def test_runs_as_an_ordinary_user_without_capabilities(pods):
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    spec = pods["template"]["spec"]
    (container,) = spec["containers"]
    assert container["image"] == f"nightshelf/pipelines:{version}"
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


def test_airflow_runs_a_task_in_the_pod(pods):
    spec = pods["task"]["spec"]
    (container,) = spec["containers"]
    template = pods["template"]["spec"]["containers"][0]
    assert container["args"] == COMMAND
    assert {name: container[name] for name in template} == template
    assert spec["volumes"] == pods["template"]["spec"]["volumes"]
