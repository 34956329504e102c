"""Alembic's way into the database; the connection is handed over by `ifms.ledger.migrate`."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table_schema="ifms", transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
