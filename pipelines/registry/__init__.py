"""Versions of the model in MLflow's registry, and the acts that decide which one serves."""
