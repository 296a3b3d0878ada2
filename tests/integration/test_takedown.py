"""An article taken down is nowhere any more, and does not return by any way."""

from typing import Any

import pytest

from schemas.codec import OutRecord
from schemas.topics import ARTICLES, ASSESSMENTS, RELEASES, STORIES
from tests.conftest import World
from tests.feedserver import FeedServer, rss
from tests.integration.test_poll import feed, poll_all, poller, server, start_classifier
from tests.integration.test_workers import start_relay, start_storyteller
from tests.until import until

pytestmark = pytest.mark.integration
__all__ = ["server"]
SECRET = "Zebrafish"


def command(world: World, *arguments: str) -> str:
    result = world.invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def everywhere(world: World) -> str:
    """All that the store holds and the newest states that the compacted topics hold, as one text."""
    tables = (
        "articles",
        "revisions",
        "assessments",
        "stories",
        "story_members",
        "releases",
        "dead_letters",
        "corrections",
    )
    with world.engine.connect() as tx:
        rows = [str(tx.exec_driver_sql(f"SELECT t::text FROM {t} t").scalars().all()) for t in tables]  # noqa: S608
    newest = {(t, r.key): r.value for t in (ASSESSMENTS, STORIES, RELEASES) for r in world.read(t)}
    return " ".join(rows) + " ".join(v.decode() for v in newest.values() if v)


def test_by_address_and_by_feed(world: World, server: FeedServer) -> None:
    text = f"OpenAI will release GPT-7 in June, {SECRET} said. It is the lab's next large language model."
    title = f"OpenAI to release GPT-7 in June, says {SECRET}"
    other = "Anthropic releases Claude 9, a large language model"
    server.documents["/a"] = (rss(("/1", title, text), ("/2", other, f"{other}. {SECRET}.")), "text/xml")
    feeds = [feed(server, "a", "/a"), feed(server, "b", "/b", rank=5)]
    start_classifier(world)
    start_relay(world)
    start_storyteller(world)
    poll_all(poller(world, feeds), ["a"])
    until(lambda: world.scalar("SELECT count(*) FROM story_members") == 2)
    until(lambda: world.scalar("SELECT count(*) FROM releases WHERE body->>'status' <> 'none'") == 2)
    assert SECRET in everywhere(world)
    url = world.scalar("SELECT url FROM articles WHERE title LIKE 'OpenAI%%'")

    command(world, "feedback", "add", url, "--status", "rumoured", "--note", f"{SECRET} is unnamed")
    assert "1 articles would be" in command(world, "forget", url, "--dry-run")
    assert "1 verdicts, 1 sightings, 1 revisions, 1 corrections, 1 articles" in command(
        world, "forget", url, "--yes"
    )
    until(lambda: world.scalar("SELECT count(*) FROM story_members") == 1)
    command(world, "forget", "a", "--yes")
    until(lambda: world.scalar("SELECT count(*) FROM story_members") == 0)
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)
    assert SECRET not in everywhere(world)
    assert world.scalar("SELECT count(*) FROM articles") == 0
    assert world.scalar("SELECT count(*) FROM dead_letters") == 0

    # Neither its feed, changed or not, nor another one, nor a replay brings it back.
    carried = len(world.read(ARTICLES))
    server.documents["/a"] = (rss(("/1", title + "!", text), ("/2", other, text)), "text/xml")
    server.documents["/b"] = (rss(("/1", title, text * 3)), "text/xml")
    assert poll_all(poller(world, feeds), ["a", "b"])["rejected"] == 3
    assert len(world.read(ARTICLES)) == carried
    world.publish([again(r) for r in world.read(ARTICLES)])
    committed = "SELECT sum(next_offset) FROM consumer_offsets WHERE topic LIKE '%%articles%%'"
    until(lambda: world.scalar(committed) == 2 * carried)
    assert SECRET not in everywhere(world)


def again(record: Any) -> OutRecord:
    return OutRecord(
        topic=record.topic,
        key=record.key,
        event_id="again",
        value=record.value,
        headers=tuple(record.headers),
    )
