"""Alembic's entry: runs on the connection `pipeline.store.database.migrate` hands over."""

from alembic import context

from pipeline.store.ledger import OutboxRow

context.configure(
    connection=context.config.attributes["connection"],
    # All tables: the ledger stands on the models.
    target_metadata=OutboxRow.metadata,
    transaction_per_migration=True,
)
context.run_migrations()
