"""The indexes that the queries use, and no others"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from pipeline.store.migrations.concurrently import create_index

revision = "0009"
down_revision = "0008"

# Name, table, columns, options.
Made = tuple[tuple[str, str, list[Any], dict[str, Any]], ...]
HASH, GIN = {"postgresql_using": "hash"}, {"postgresql_using": "gin"}
NEW: Made = (
    ("ix_known_articles_seen_at", "known_articles", ["seen_at"], {}),
    ("articles_observed", "articles", ["observed_at"], {}),
    ("articles_feed", "articles", ["feed_id"], {}),
    ("articles_url", "articles", ["url"], HASH),
    ("ix_assessments_written_at", "assessments", ["written_at"], {}),
    ("ix_stories_written_at", "stories", ["written_at"], {}),
    ("ix_releases_written_at", "releases", ["written_at"], {}),
    ("releases_product", "releases", [sa.text("(body ->> 'product'::text)")], HASH),
    ("outbox_key", "outbox", ["key"], HASH),
    ("dead_letters_open", "dead_letters", ["state", "id"], {}),
)
OLD: Made = (
    ("ix_feeds_host", "feeds", ["host"], {}),
    ("assessments_classifier", "assessments", ["classifier"], {}),
    ("stories_actors", "stories", ["actors"], GIN),
    ("story_members_actors", "story_members", ["actors"], GIN),
    ("dead_letters_state", "dead_letters", ["state", "fingerprint"], {}),
    ("outbox_history", "outbox", ["topic", "key"], {"postgresql_where": sa.text("lane = 1")}),
)


def upgrade() -> None:
    op.execute("ALTER INDEX releases_articles SET (fastupdate = off)")
    _replace(OLD, NEW)


def downgrade() -> None:
    op.execute("ALTER INDEX releases_articles RESET (fastupdate)")
    _replace(NEW, OLD)


def _replace(old: Made, new: Made) -> None:
    for name, table, columns, options in new:
        create_index(name, table, columns, **options)
    with op.get_context().autocommit_block():
        for name, *_ in old:
            op.drop_index(name, if_exists=True, postgresql_concurrently=True)
