"""A feed's host as a column, what is leased by an index, and which registry the table is at."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column(
        "feeds",
        sa.Column(
            "host",
            sa.Text(),
            # As `pipeline.feeds.address.host_of`: what has no host is a host of its own.
            sa.Computed(
                r"lower(coalesce(btrim(substring(coalesce(state->>'moved_to', feed->>'url')"
                r" from '^https?://(\[[^\]/]*\]|[^/:?#]*)'), '[]'), feed->>'url'))",
                persisted=True,
            ),
        ),
    )
    op.create_index("ix_feeds_host", "feeds", ["host"])
    op.drop_index("ix_feeds_next_poll_at", table_name="feeds")
    op.create_index("feeds_due", "feeds", ["next_poll_at", "feed_id"])
    op.create_index(
        "feeds_leased", "feeds", ["leased_until"], postgresql_where=sa.text("leased_until IS NOT NULL")
    )
    op.create_table(
        "registry",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("registry")
    op.drop_index("feeds_leased", table_name="feeds")
    op.drop_index("feeds_due", table_name="feeds")
    op.create_index("ix_feeds_next_poll_at", "feeds", ["next_poll_at"])
    op.drop_index("ix_feeds_host", table_name="feeds")
    op.drop_column("feeds", "host")
