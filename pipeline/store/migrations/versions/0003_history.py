"""History: lanes of the outbox, articles that only sightings have told of

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


def downgrade() -> None:
    op.drop_column("articles", "provisional")
    op.drop_index("outbox_history", table_name="outbox")
    op.drop_index("outbox_order", table_name="outbox")
    op.drop_column("outbox", "lane")
