"""The nightly run and the commands: steps are plain functions over tables."""

import os

# Read by the OpenMP runtime when it is loaded: waiting threads sleep instead of spinning. With it two rankers
# trained at the same time on two cores take 10 s each instead of 35 s.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# No library sends usage data, in any command. `nightshelf up` sets the same for its programs.
NO_TELEMETRY = {
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "BENTOML_DO_NOT_TRACK": "True",
    "DO_NOT_TRACK": "true",  # read by MLflow, among others
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "SCARF_ANALYTICS": "false",
    "SCARF_NO_ANALYTICS": "true",
}
for _name, _value in NO_TELEMETRY.items():
    os.environ.setdefault(_name, _value)

# A command that only reads the registry should not draw a progress bar for a moment.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

# Without git, which the commit of a run is read with, MLflow would print twenty lines of advice.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
