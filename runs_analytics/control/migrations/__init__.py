"""Alembic migrations of the control store; `upgrade` runs them from code."""
