"""How much of publishers' words others get is a setting, and what is decided does not depend on it."""

from typing import get_args

import pytest
from starlette.testclient import TestClient

from pipeline.store.aggregates import AGGREGATES
from pipeline.web import app
from pipeline.workers import retell
from schemas.codec import decode
from schemas.messages import Assessment, Release, Story
from schemas.republish import Words
from schemas.topics import ASSESSMENTS, RELEASES, STORIES
from tests.conftest import World
from tests.feedserver import FeedServer, rss
from tests.integration.test_poll import feed, poll_all, poller, server, start_classifier
from tests.integration.test_replay import everything
from tests.integration.test_workers import start_relay, start_storyteller
from tests.until import until
from tests.web_samples import ARTICLES, fill

pytestmark = pytest.mark.integration
__all__ = ["server"]
LEVELS: tuple[Words, ...] = get_args(Words)
# Two papers on one matter, whose titles alone say that; the date is in the text.
PAPERS = [
    (
        "/1",
        "OpenAI will release GPT-7 soon, Zebrafish reports",
        "OpenAI said GPT-7 will be released in June 2027.",
    ),
    (
        "/2",
        "GPT-7 release soon: OpenAI, Zebrafish reports",
        "The company will release GPT-7, a model, in June 2027.",
    ),
    ("/3", "Anthropic releases Claude 9", "Anthropic has released Claude 9, said Zebrafish."),
]


def newest(world: World, name: str) -> list[Assessment | Story | Release]:
    """The last message of each key."""
    last = {r.key: r for r in world.read(name)}
    return [decode(world.topics[name], r.headers, r.value) for r in last.values()]  # type: ignore[misc]


def spans_on(world: World, field: str) -> int:
    return sum(
        r.value.count(f'"field":"{field}"'.encode()) for r in world.read(ASSESSMENTS) if r.value is not None
    )


@pytest.mark.parametrize("words", LEVELS)
def test_the_topics_have_what_is_allowed_and_stories_are_the_same(
    world: World, server: FeedServer, words: Words
) -> None:
    server.documents["/a"] = (rss(*PAPERS), "text/xml")
    start_classifier(world)
    start_relay(world, words)
    start_storyteller(world)
    poll_all(poller(world, [feed(server, "a", "/a")]), ["a"])
    until(lambda: world.scalar("SELECT count(*) FROM story_members") == 3)
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)
    world.stop_all()

    titles = {title for _, title, _ in PAPERS}
    shown = {one.title for name in (ASSESSMENTS, STORIES) for one in newest(world, name)}  # type: ignore[union-attr]
    assert shown <= ({""} if words == "none" else titles)
    said = [s for one in newest(world, RELEASES) for s in one.statements]  # type: ignore[union-attr]
    assert said
    assert all(s.title in shown for s in said)
    assert all(s.quote in s.title for s in said) or words in ("full", "quotes")
    assert (spans_on(world, "title") > 0) == (words != "none")
    assert (spans_on(world, "text") > 0) == (words in ("full", "quotes"))
    sent = b"".join(r.value for name in AGGREGATES for r in world.read(name))
    assert (b"Zebrafish" in sent) == (words != "none")
    # The store is whole, and was told from: what is told anew from its verdicts is the same.
    assert set(titles) == {m.title for m in stored_members(world)}
    before = everything(world)
    assert [len(table) for table in before] == [3, 2, 2]
    done = retell.retell(world.engine, world.topics, "storyteller")
    assert (done.verdicts, done.stories, done.releases) == (3, {}, {})
    assert everything(world) == before


def stored_members(world: World) -> list[Assessment]:
    from pipeline.store.aggregates import ASSESSMENT, load

    with world.engine.connect() as tx:
        ids = [row[0] for row in tx.exec_driver_sql("SELECT article_id FROM assessments")]
        return list(load(tx, ASSESSMENT, ids).values())


@pytest.mark.parametrize("words", LEVELS)
def test_no_page_shows_more(world: World, words: Words) -> None:
    with world.engine.begin() as tx:
        story = fill(tx, world.topics)
    client = TestClient(app(world.engine, words))
    addresses = [
        "/",
        "/?label=all",
        f"/stories/{story.story_id}",
        *(f"/articles/{a.article_id}" for a in ARTICLES),
    ]
    pages = []
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code == 200, address
        pages.append(answer.text)
    everywhere = "".join(pages)
    assert ("It is now due at" in everywhere) == (words == "full")
    assert ("the end of April" in everywhere) == (words in ("full", "quotes"))
    assert ("veröffentlicht" in everywhere) == (words != "none")
    assert ("How a bakery uses chatbots" in everywhere) == (words != "none")
    assert ("untitled" in everywhere) == (words == "none")
    assert ("The text is not shown here" in everywhere) == (words != "full")
    assert "https://paper.example/" in everywhere
    assert "Qwen 3" in everywhere
