"""Alembic's entry: migrates over the connection that `upgrade` hands in, inside its transaction."""

from alembic import context

from runs_analytics.control import (  # noqa: F401
    schema_anomalies,
    schema_audit,
    schema_counters,
    schema_forecasts,
    schema_limits,
    schema_people,
    schema_plans,
    schema_rerates,
    schema_scenarios,
)
from runs_analytics.control.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
