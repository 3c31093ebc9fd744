"""docker/pod.yaml: a pod as Kubernetes knows it, contained, and what Airflow's executor makes of it."""

import datetime as dt
import tomllib

import pytest
import yaml
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from kubernetes.client import ApiClient

from serving.settings import PROJECT

FILE = PROJECT / "docker" / "pod.yaml"
COMMAND = ["python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", "{}"]


@pytest.fixture(scope="module")
def template():
    return PodGenerator.deserialize_model_file(str(FILE))


def plain(pod):
    return ApiClient().sanitize_for_serialization(pod)


def test_kubernetes_knows_all_that_it_says(template):
    assert plain(template) == yaml.safe_load(FILE.read_text())


def test_it_is_contained(template):
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    spec = plain(template)["spec"]
    (container,) = spec["containers"]
    assert container["image"] == f"nightshelf/pipelines:{version}"
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


def test_airflow_runs_a_task_in_it(template):
    pod = plain(
        PodGenerator.construct_pod(
            dag_id="nightly",
            task_id="extract",
            pod_id="nightly-extract",
            try_number=1,
            kube_image="",
            date=dt.datetime(2026, 11, 22, tzinfo=dt.UTC),
            args=COMMAND,
            pod_override_object=None,
            base_worker_pod=template,
            namespace="shop",
            scheduler_job_id="1",
        )
    )
    (container,) = pod["spec"]["containers"]
    own = plain(template)["spec"]["containers"][0]
    assert container["args"] == COMMAND
    assert {name: container[name] for name in own} == own
    assert pod["spec"]["volumes"] == plain(template)["spec"]["volumes"]
