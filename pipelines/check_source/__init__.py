"""Checks a source of orders without a nightly run."""

from pipelines.check_source.check import SourceCheck, check_source

__all__ = ["SourceCheck", "check_source"]
