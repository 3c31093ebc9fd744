"""Validation: row checks on every order line, and expectations that the whole nightly run has to meet."""
