"""Prints as JSON the pod of a template, and the pod that Airflow makes of it for a task.

A separate process, because importing Airflow changes the process.
"""

import datetime as dt
import json
import sys

from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from kubernetes.client import ApiClient

file, *command = sys.argv[1:]
template = PodGenerator.deserialize_model_file(file)
task = PodGenerator.construct_pod(
    dag_id="nightly",
    task_id="extract",
    pod_id="nightly-extract",
    try_number=1,
    kube_image="",
    date=dt.datetime(2026, 11, 22, tzinfo=dt.UTC),
    args=command,
    pod_override_object=None,
    base_worker_pod=template,
    namespace="shop",
    scheduler_job_id="1",
)
plain = ApiClient().sanitize_for_serialization
print(json.dumps({"template": plain(template), "task": plain(task)}))
