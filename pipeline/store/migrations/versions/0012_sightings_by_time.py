"""What feeds carried lately, without looking at each article's"""

from alembic import op

from pipeline.store.migrations.concurrently import create_index

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    create_index(
        "sightings_seen",
        "sightings",
        ["seen_at"],
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 8, "autosummarize": "on"},
    )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("sightings_seen", if_exists=True, postgresql_concurrently=True)
