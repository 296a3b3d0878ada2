"""History: lanes of the outbox, what only sightings have told of, when an article was last carried

Columns with a constant default rewrite no table; the indexes are on a table that is nearly empty while the
relay runs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("lane", sa.SmallInteger(), server_default=sa.text("0"), nullable=False))
    op.create_index("outbox_order", "outbox", ["lane", "seq"])
    op.create_index("outbox_history", "outbox", ["topic", "key"], postgresql_where=sa.text("lane = 1"))
    op.add_column(
        "articles", sa.Column("provisional", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("polls", sa.Column("history", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.alter_column("known_articles", "first_seen_at", new_column_name="seen_at")


def downgrade() -> None:
    op.alter_column("known_articles", "seen_at", new_column_name="first_seen_at")
    op.drop_column("polls", "history")
    op.drop_column("articles", "provisional")
    op.drop_index("outbox_history", table_name="outbox")
    op.drop_index("outbox_order", table_name="outbox")
    op.drop_column("outbox", "lane")
