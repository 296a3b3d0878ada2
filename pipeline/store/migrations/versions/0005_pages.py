"""Pages: what robots.txt says, and what became of the pages of a poll"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "robots",
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("origin"),
    )
    op.create_index(op.f("ix_robots_until"), "robots", ["until"], unique=False)
    # With a default: the processes of the version before go on while this is done.
    op.add_column(
        "polls",
        sa.Column(
            "pages",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
        ),
    )


def downgrade() -> None:
    op.drop_column("polls", "pages")
    op.drop_index(op.f("ix_robots_until"), table_name="robots")
    op.drop_table("robots")
