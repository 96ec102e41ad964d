"""Runs: what every agent run and API call costs, before and after it happens."""

__version__ = "0.1.0"
