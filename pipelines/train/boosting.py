"""XGBoost without scikit-learn, whose import alone takes a second of processor in every process."""

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def _absent(package: str) -> Iterator[None]:
    """Makes a package that isn't imported yet look as if it weren't installed."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]


# XGBoost offers estimators for scikit-learn where that is installed; nothing here uses them.
with _absent("sklearn"):
    import xgboost
    import xgboost.core

__all__ = ["xgboost"]
