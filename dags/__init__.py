"""The DAG of the nightly run, for Airflow."""
