"""A nightly run: its parameters, its progress, and its records in MLflow."""
