"""Validation of what comes in: events, files, ids, import and apply."""
