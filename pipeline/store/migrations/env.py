"""Alembic's entry: runs on the connection `pipeline.store.database.migrate` hands over."""

from alembic import context

from pipeline.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transaction_per_migration=True,
)
context.run_migrations()
