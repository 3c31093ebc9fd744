"""The steps of a night: plain functions over tables."""

import os

# Read by the OpenMP runtime when it is loaded: threads that wait for one another sleep instead of spinning.
# Two rankers trained side by side on two cores took 35 s each, now 10 s.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Also where a command but reads the registry: nothing is told to MLflow's makers, no bar drawn for a moment.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
