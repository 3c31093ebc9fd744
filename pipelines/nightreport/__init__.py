"""The night report: one HTML file per night, with the figures that MLflow and the lake hold of it."""
