"""What the newest nightly run decided, as MLflow records it."""

from mlflow import MlflowClient

from pipelines.report.banner import banner
from pipelines.run.tracking import EXPERIMENT, RUN_PREFIX
from pipelines.settings import Settings, address


def decision(settings: Settings) -> str:
    """Returns one sentence on the newest nightly run; empty if there has been none."""
    client = MlflowClient(settings.mlflow_uri or address(settings, settings.mlflow_port))
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        return ""
    runs = client.search_runs(
        [experiment.experiment_id],
        f"attributes.run_name LIKE '{RUN_PREFIX}%'",
        order_by=["start_time DESC"],
        max_results=1,
    )
    return banner(runs[0]).sentence if runs else ""
