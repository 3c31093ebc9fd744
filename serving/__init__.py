"""Answers over HTTP from the bundle of the champion."""
