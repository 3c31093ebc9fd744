"""The night report's link to its run in MLflow."""

import pytest
from homes import fresh_home
from runs import run

from pipelines.steps.report import in_mlflow

RUN = "/#/experiments/1/runs/night"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, f"http://127.0.0.1:5000{RUN}"),
        ({"MLFLOW_URI": "sqlite:///mlflow.db"}, ""),
        ({"MLFLOW_URI": "http://me:secret@mlflow:5000"}, f"http://mlflow:5000{RUN}"),
        (
            {"MLFLOW_URI": "http://mlflow:5000", "MLFLOW_PAGE": "https://shop.example"},
            f"https://shop.example{RUN}",
        ),
    ],
)
def test_it_leads_where_a_browser_gets(tmp_path, given, found):
    with fresh_home(tmp_path, **given):
        assert in_mlflow(run()) == found
