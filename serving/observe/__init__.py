"""Metrics, traces and the access log; none of them contains personal data."""
