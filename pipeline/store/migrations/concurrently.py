"""An index on a table that is written to: built while everybody goes on."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op


def create_index(name: str, table: str, columns: Sequence[Any], **options: Any) -> None:
    """As `op.create_index`, without keeping anybody from writing. What has died in it is begun anew.

    It waits for all transactions that are under way, for as long as they take: nobody waits behind it. It
    commits what the migration did before.
    """
    with op.get_context().autocommit_block():
        bind = op.get_bind()
        patience = bind.scalar(sa.text("SELECT current_setting('lock_timeout')"))
        bind.execute(sa.text("SET lock_timeout = 0"))
        half_done = sa.text("SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
        if bind.scalar(half_done, {"name": name}):
            op.drop_index(name, postgresql_concurrently=True)
        op.create_index(name, table, columns, postgresql_concurrently=True, if_not_exists=True, **options)
        bind.execute(sa.select(sa.func.set_config("lock_timeout", patience, False)))
