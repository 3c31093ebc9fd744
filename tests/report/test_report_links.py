"""The night report's link to its run in MLflow."""

import pytest
from homes import fresh_home
from runs import run

from pipelines.steps.report import mlflow_link

RUN = "/#/experiments/1/runs/night"


@pytest.mark.parametrize(
    ("settings", "url"),
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
def test_it_uses_the_address_that_a_browser_reaches_without_credentials(tmp_path, settings, url):
    with fresh_home(tmp_path, **settings):
        assert mlflow_link(run()) == url
