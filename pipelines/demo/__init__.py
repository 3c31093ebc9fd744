"""A simulated shop whose ground truth is known, and its REST API."""
