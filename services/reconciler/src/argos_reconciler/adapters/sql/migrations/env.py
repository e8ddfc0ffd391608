"""Runs the migrations on the connection that the ledger's opener passes in."""

from __future__ import annotations

from alembic import context

from argos_reconciler.adapters.sql.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
