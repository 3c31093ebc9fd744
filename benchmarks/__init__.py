"""Measurements behind the figures in README and docs; `make bench` runs all of them but `scale`."""
