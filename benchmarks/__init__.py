"""Measures the figures that the README and the docs state; `make bench` runs everything but `scale`."""
