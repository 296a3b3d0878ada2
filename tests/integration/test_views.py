"""The views for reports: what the documentation says of them, and what the rows say."""

import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from pipeline.feeds.values import Feed, FeedState
from pipeline.store import feeds, registry, tales, verdicts, views
from pipeline.store.migrating import migrate
from pipeline.stories import Settings, State, decide
from schemas.messages import Event
from schemas.topics import ASSESSMENTS, RELEASES, STORIES
from tests.conftest import World
from tests.docs.pages import ROOT
from tests.samples import START, StubClassifier, article

pytestmark = pytest.mark.integration

Rows = list[dict[str, Any]]

FEEDS = [
    Feed(id=name, url=f"https://{name.upper()}.example/x", title=name, language="en", kind="lab", rank=2)
    for name in "ab"
]
STATE = FeedState(
    feed_id="a",
    status="failing",
    reason="timeout",
    failures=3,
    last_attempt_at=START,
    interval=timedelta(hours=1),
)


def view(world: World, name: str) -> Rows:
    with world.engine.connect() as tx:
        found = tx.execute(text(f"SELECT * FROM bi.{name} ORDER BY 1, 2")).mappings()  # noqa: S608
        return [dict(row) for row in found]


def some(found: Iterable[dict[str, Any]], *columns: str) -> Rows:
    return [{name: row[name] for name in columns} for row in found]


def documented() -> dict[str, tuple[str, list[tuple[str, str, str]]]]:
    """What the page says of each view, and of its columns: name, type, meaning."""
    found = {}
    page = (ROOT / "docs" / "consuming.md").read_text("utf-8")
    parts = re.split(r"^### `bi\.(\w+)`$", page, flags=re.MULTILINE)
    for name, part in zip(parts[1::2], parts[2::2], strict=True):
        said, table = part.replace("`", "").strip().split("\n\n", 1)
        lines = [line.strip("| ").split(" | ") for line in table.split("\n\n")[0].splitlines()[2:]]
        found[name] = (" ".join(said.split()), [(c.strip(), t.strip(), m.strip()) for c, t, m in lines])
    return found


def test_the_documentation_says_what_the_database_says(world: World) -> None:
    sql = """
        SELECT relname, obj_description(c.oid, 'pg_class'), attname, format_type(atttypid, atttypmod),
            col_description(c.oid, attnum)
        FROM pg_class c JOIN pg_attribute ON attrelid = c.oid
        WHERE relnamespace = 'bi'::regnamespace ORDER BY relname, attnum
    """
    found: dict[str, tuple[str, list[tuple[str, str, str]]]] = {}
    with world.engine.connect() as tx:
        for name, said, *column in tx.execute(text(sql)):
            found.setdefault(name, (said, []))[1].append((column[0], column[1], column[2]))
    assert found == documented()


def test_the_views_show_the_rows(world: World) -> None:
    given = [article(n) for n in range(3)]
    seen = [article(1, kind="sighting", feed="feed-b", later=5)]
    found = {}
    for a in given:
        verdict = StubClassifier().assess(a)
        second = Event(id="pricing", score=0.4, spans=verdict.events[0].spans)
        found[a.article_id, a.revision] = type(verdict)(
            **{f: getattr(verdict, f) for f in verdict.__struct_fields__}
            | {"events": [*verdict.events, second]}
        )
    with world.engine.begin() as tx:
        verdicts.save_articles(tx, [*given, *seen])
        put = verdicts.save_assessments(tx, world.topics[ASSESSMENTS], [a.article_id for a in given], found)
        told = decide(put, State(), Settings())
        tales.save_decision(tx, world.topics[STORIES], world.topics[RELEASES], told)
        registry.sync_registry(tx, FEEDS, "both")
        registry.sync_registry(tx, FEEDS[:1], "one")
        feeds.remember(tx, [], [STATE], [])
    shown = view(world, "articles")
    assert some(shown, "article_id", "url", "title", "language", "feed_id", "published_at") == [
        {
            "article_id": a.article_id,
            "url": a.url,
            "title": a.title,
            "language": "en",
            "feed_id": "feed-a",
            "published_at": a.published_at,
        }
        for a in given
    ]
    assert [(row["feeds"], row["first_seen_at"]) for row in shown] == [
        (2 if n == 1 else 1, a.observed_at) for n, a in enumerate(given)
    ]
    columns = ("article_id", "label", "score", "main_event", "status", "expected", "classifier", "version")
    assert [tuple(row[c] for c in columns) for row in view(world, "verdicts")] == [
        (a.article_id, "core", 0.9, "release", "happened", None, "stub-1", 1) for a in given
    ]
    assert [tuple(row.values()) for row in view(world, "verdict_actors")] == [
        (a.article_id, "openai", "mover") for a in given
    ]
    assert [tuple(row.values()) for row in view(world, "verdict_events")] == [
        row for a in given for row in ((a.article_id, 1, "release", 0.9), (a.article_id, 2, "pricing", 0.4))
    ]
    assert [tuple(row.values()) for row in view(world, "verdict_products")] == [
        (a.article_id, f"GPT-{n}", "openai") for n, a in enumerate(given)
    ]
    stories = view(world, "stories")
    assert len(stories) == len(told.stories) == 3
    for row in stories:
        (state,) = (s for s in told.stories if s.story_id == row["story_id"])
        assert some([row], "title", "articles", "actors", "languages", "first_published_at", "status") == [
            {
                "title": state.title,
                "articles": 1,
                "actors": ["openai"],
                "languages": ["en"],
                "first_published_at": state.first_published_at,
                "status": "happened",
            }
        ]
    assert {(row["story_id"], row["article_id"]) for row in view(world, "story_articles")} == {
        (s.story_id, s.articles[0].article_id) for s in told.stories
    }
    assert {
        (row["release_id"], row["actor"], row["product"], row["status"], row["slips"], row["statements"])
        for row in view(world, "releases")
    } == {(r.release_id, "openai", r.product, "happened", 0, 1) for r in told.releases}
    shown = some(view(world, "feeds"), "feed_id", "host", "standing", "reason", "failures", "last_polled_at")
    assert [tuple(row.values()) for row in shown] == [
        ("a", "a.example", "failing", "timeout", 3, START),
        ("b", "b.example", "removed", None, 0, None),
    ]


def test_views_are_made_anew_where_one_is_missing_and_left_alone_where_all_are_there(world: World) -> None:
    made = "SELECT array_agg(oid ORDER BY oid) FROM pg_class WHERE relnamespace = 'bi'::regnamespace"
    before = world.scalar(made)
    with world.engine.connect() as tx:
        tx.execute(text("SELECT * FROM bi.articles"))
        migrate(world.engine)  # though somebody reads
    assert world.scalar(made) == before
    with world.engine.begin() as tx:
        tx.execute(text("DROP VIEW bi.stories"))
    migrate(world.engine)
    assert world.scalar("SELECT count(*) FROM bi.stories") == 0
    migrate(world.engine, "0003")
    assert world.scalar("SELECT count(*) FROM pg_views WHERE schemaname = 'bi'") == 0


def test_the_file_makes_no_view_that_the_check_does_not_count() -> None:
    sql = Path(views.__file__).with_name("views.sql").read_text("utf-8")
    assert len(re.findall(r"^CREATE OR REPLACE VIEW bi\.\w+ AS$", sql, re.MULTILINE)) == len(documented())
