"""Turns validated orders into the tables that models are fitted on."""
