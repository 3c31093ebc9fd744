"""The wiring that Airflow runs."""
