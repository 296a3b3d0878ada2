"""`racewire why` over real servers: every outcome is told from what the workers themselves have written."""

import json
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from pipeline.feeds.identify import article_id
from pipeline.web import app
from schemas.codec import OutRecord
from schemas.topics import ARTICLES
from tests.conftest import World
from tests.feedserver import FeedServer, rss
from tests.integration.test_poll import feed, poll_all, poller, server, start_classifier
from tests.integration.test_workers import start_relay, start_storyteller
from tests.until import until
from tests.web_samples import DELAY, HOSTILE, fill

pytestmark = pytest.mark.integration
__all__ = ["server"]
RELEASE = "OpenAI releases GPT-7"
BODY = "OpenAI has released GPT-7, its next large language model, to all users."
ASIDE = "Ten recipes for a picnic"


def why(world: World, target: str, code: int = 0) -> dict[str, Any]:
    result = world.invoke("why", target, "--json")
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.output)
    assert found["found"] == (code == 0)
    return found


def outcome(world: World, target: str) -> str:
    return str(why(world, target)["answer"]["outcome"])


def said(found: dict[str, Any], name: str) -> str:
    (step,) = (step for step in found["answer"]["steps"] if step["name"] == name)
    return "\n".join([step["says"], *step["details"]])


def test_never_seen_then_published_then_judged_and_told(world: World, server: FeedServer) -> None:
    url = server.url("/1")
    never = why(world, url, code=1)
    assert "no feed of 127.0.0.1" in said(never, "feeds")
    entries = (("/1", RELEASE, BODY), ("/2", ASIDE, "Bread."), ("/3", "", ""))
    server.documents["/a"] = (rss(*entries, link=server.url("")), "text/xml")
    feeds = [feed(server, "a", "/a"), feed(server, "b", "/b", rank=5)]
    poll_all(poller(world, feeds), ["a"])

    assert outcome(world, f"{url}/?utm_source=rss#comments") == "in-flight"
    found = why(world, url)
    assert "a (" in said(found, "feeds")
    assert "carries it, has it in its last document, ok, last poll" in said(found, "feeds")
    assert "3 entries, 2 new, 1 refused" in said(found, "feeds")
    assert "b (" in said(found, "feeds")
    assert "and on its way" in said(found, "stored")
    refused = why(world, f"{server.url('/3')}?utm_medium=feed")
    assert refused["answer"]["outcome"] == "refused"
    assert "the entry has neither title nor text" in said(refused, "refused")

    start_classifier(world)
    until(lambda: world.scalar("SELECT count(*) FROM assessments") == 2)
    assert outcome(world, url) == "not-told"
    aside = why(world, server.url("/2"))
    assert aside["answer"]["outcome"] == "not-core"
    assert "no word of AI or chips" in said(aside, "verdict")
    start_relay(world)
    start_storyteller(world)
    until(lambda: world.scalar("SELECT count(*) FROM story_members") == 1)
    told = why(world, url)
    assert told["answer"]["outcome"] == "story"
    assert "this article: it founded the story" in said(told, "story")
    assert "openai:gpt-7" in said(told, "releases")
    assert "“OpenAI" in said(told, "verdict")
    assert outcome(world, article_id(url)[:10]) == "story"

    shown = world.invoke("why", url)
    assert shown.exit_code == 0
    assert ": story" in shown.output
    assert "it founded the story" in shown.output


def test_another_address_and_taken_down(world: World, server: FeedServer) -> None:
    url, other = server.url("/1"), server.url("/story-1")
    server.documents["/a"] = (rss(("/1", RELEASE, BODY), link=server.url("")), "text/xml")
    poll_all(poller(world, [feed(server, "a", "/a")]), ["a"])
    with world.engine.begin() as tx:
        body = tx.scalar(text("SELECT known FROM known_articles"))
        known = {**body, "article_id": article_id(other), "same_as": article_id(url)}
        tx.execute(
            text("INSERT INTO known_articles (article_id, known) VALUES (:id, :known)"),
            {"id": article_id(other), "known": json.dumps(known)},
        )
    start_classifier(world)
    until(lambda: world.scalar("SELECT count(*) FROM assessments") == 1)
    assert "is another address of" in said(why(world, other), "address")
    assert outcome(world, other) == outcome(world, url) == "not-told"
    assert world.invoke("forget", url, "--yes").exit_code == 0
    assert outcome(world, other) == outcome(world, url) == "taken-down"
    assert "no: it was taken down" in said(why(world, url), "stored")


def test_a_dead_letter_names_its_number(world: World) -> None:
    key = "f" * 24
    world.publish(
        [OutRecord(topic=world.topics[ARTICLES].name, key=key.encode(), event_id="e", value=b"{", headers=())]
    )
    start_classifier(world)
    until(lambda: world.scalar("SELECT count(*) FROM dead_letters") == 1)
    found = why(world, key)
    assert found["answer"]["outcome"] == "dead-letter"
    number = world.scalar("SELECT id FROM dead_letters")
    assert f"racewire dead-letters show {number}`" in said(found, "dead letters")


def test_words_of_feeds_stay_words_on_terminal_and_page(world: World) -> None:
    with world.engine.begin() as tx:
        story = fill(tx, world.topics)
        tx.execute(
            text("UPDATE revisions SET title = title || :esc WHERE article_id = :id"),
            {"esc": "\x1b[31m", "id": HOSTILE},
        )
    shown = world.invoke("why", HOSTILE)
    assert shown.exit_code == 0
    assert "\x1b" not in shown.output
    client = TestClient(app(world.engine))
    page = client.get("/why", params={"url": HOSTILE})
    assert page.status_code == 200
    assert "<script>document" not in page.text
    assert "&lt;script&gt;document" in page.text
    echoed = client.get("/why", params={"url": '"><script>alert(1)</script>'}).text
    assert "<script>" not in echoed
    assert '<span class="chip">never seen</span>' in echoed

    delay = client.get("/why", params={"url": f"https://paper.example/{DELAY}"}).text
    assert "shares alibaba, Qwen 3, roadmap" in client.get("/why", params={"url": DELAY}).text
    assert (
        '<span class="chip">never seen</span>' in delay
    )  # the samples' ids are not those of their addresses
    assert story.story_id in client.get("/why", params={"url": DELAY}).text
    assert f'href="/why?url={DELAY}"' in client.get(f"/articles/{DELAY}").text
    assert "Address or id" in client.get("/why").text


def test_only_indexes_are_read_of_the_large_tables(world: World) -> None:
    """Asked of an id and an address, with scans forbidden where an index will do: none is left."""
    from pipeline.why import asked, look

    scanned = text("SELECT relname, seq_scan FROM pg_stat_xact_user_tables WHERE seq_scan > 0")
    with world.engine.connect() as tx:
        tx.execute(text("SET enable_seqscan = off"))
        for words in ("https://paper.example/x", "a" * 24):
            look(tx, asked(words))
        touched = {name for name, _ in tx.execute(scanned)}
        tx.execute(text("SELECT FROM articles WHERE title = 'x'"))
        seen = {name for name, _ in tx.execute(scanned)} - touched
    assert touched <= {"feeds"}
    assert seen == {"articles"}  # a scan is noticed
