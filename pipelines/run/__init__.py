"""What one nightly run is, and what it records in MLflow."""
