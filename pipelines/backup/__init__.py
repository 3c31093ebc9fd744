"""Backup and restore of everything that cannot be recomputed: lake, registry, store, API keys and reports."""
