"""Model versions in MLflow's registry, and the acts (promote, refuse, roll back) that choose the champion."""
