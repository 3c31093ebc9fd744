"""Whether a new model may serve: measured against baselines and champion, and checked for soundness."""
