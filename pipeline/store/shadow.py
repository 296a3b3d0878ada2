"""Stories and releases told anew beside the live ones: the same tables once more, for one session.

A session's temporary tables hide those of the same name, so the storyteller's own code writes here what it
would write there. They end with the session: what dies while it builds leaves nothing behind.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import msgspec
from sqlalchemy import Connection, Engine, text

from pipeline.store.verdicts import Window
from schemas.messages import Assessment

Cursor = tuple[datetime, str]  # date and id of the last verdict of a page

# What is not told anew stays: whole stories, articles whose verdicts retention has let go, and release lines
# told of before or after, or by those, as well.
_KEPT = {
    "story_members": """
        SELECT * FROM story_members m
        WHERE NOT EXISTS (SELECT FROM again WHERE again.article_id = m.article_id)
    """,
    "stories": "SELECT * FROM stories WHERE false",
    "releases": """
        SELECT * FROM releases WHERE EXISTS (
            SELECT FROM jsonb_array_elements(body->'statements') told
            WHERE (told->>'published_at')::timestamptz NOT BETWEEN :since AND :until
               OR NOT EXISTS (SELECT FROM assessments a WHERE a.article_id = told->>'article_id'))
    """,
}
_AGAIN = """
    CREATE TEMP TABLE again AS SELECT article_id FROM story_members WHERE story_id IN
        (SELECT story_id FROM story_members WHERE published_at BETWEEN :since AND :until)
    AND EXISTS (SELECT FROM assessments a WHERE a.article_id = story_members.article_id)
"""
_VERDICTS = """
    SELECT published_at, article_id, body FROM assessments a
    WHERE (published_at BETWEEN :since AND :until
           OR EXISTS (SELECT FROM again WHERE again.article_id = a.article_id))
      AND (published_at, article_id) > (:at, :after)
    ORDER BY published_at, article_id LIMIT :limit
"""


@contextmanager
def shadow(engine: Engine, window: Window) -> Iterator[Connection]:
    """A session whose tables of stories are its own; they hold what lies outside `window`.

    Its outbox is its own too, and cleared with each transaction: nobody is told.
    """
    bounds = dict(zip(("since", "until"), window, strict=True))
    # One look for each transaction: of a verdict that changes meanwhile, what was read is the newest still.
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as tx:
        tx.execute(text(_AGAIN), bounds)
        tx.execute(text("ALTER TABLE again ADD PRIMARY KEY (article_id); ANALYZE again"))
        for table in _KEPT:
            tx.execute(text(f"CREATE TEMP TABLE shadow_{table} (LIKE {table} INCLUDING ALL)"))
        for table, kept in _KEPT.items():
            tx.execute(text(f"INSERT INTO shadow_{table} {kept}"), bounds)  # names of ours
        for table in _KEPT:
            tx.execute(text(f"ALTER TABLE shadow_{table} RENAME TO {table}"))
        tx.execute(text("CREATE TEMP TABLE outbox (LIKE outbox INCLUDING ALL) ON COMMIT DELETE ROWS"))
        tx.commit()
        try:
            yield tx
        finally:
            tx.invalidate()  # the session ends, and the tables with it


def analyse(tx: Connection) -> None:
    """Let the planner know how large the tables are: nobody else looks at a session's own."""
    tx.execute(text("ANALYZE story_members; ANALYZE releases"))


def verdicts(tx: Connection, window: Window, after: Cursor, limit: int) -> tuple[list[Assessment], Cursor]:
    """The next verdicts to be told, by date: those of `window` and of stories that reach into it.

    With the cursor for those after them.
    """
    since, until = window
    values = {"since": since, "until": until, "at": after[0], "after": after[1], "limit": limit}
    found = tx.execute(text(_VERDICTS), values).all()
    last = (found[-1].published_at, found[-1].article_id) if found else after
    return [msgspec.convert(row.body, Assessment) for row in found], last
