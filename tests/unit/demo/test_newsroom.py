"""The newsroom over its real sockets: what each round shows, conditional requests, and who has been read."""

from collections.abc import Iterator
from pathlib import Path

import feedparser
import httpx
import pytest
import yaml

from pipeline.demo.newsroom import Newsroom
from pipeline.demo.saga import SagaError, load

SAGAS = Path(__file__).parents[2] / "data" / "sagas"


@pytest.fixture
def newsroom() -> Iterator[Newsroom]:
    with Newsroom(load(SAGAS)) as opened:
        yield opened


def titles(newsroom: Newsroom, feed: str) -> list[str]:
    return [entry.title for entry in feedparser.parse(httpx.get(newsroom.url(feed)).content).entries]


@pytest.mark.parametrize("folder", [None, SAGAS], ids=["shipped", "another"])
def test_every_feed_of_every_round_is_well_formed_and_shows_what_it_should(folder: Path | None) -> None:
    with Newsroom(load(folder) if folder else load()) as newsroom:
        for number in range(1, newsroom.rounds + 1):
            if number > 1:
                newsroom.advance()
            shown = {}
            for feed in yaml.safe_load(newsroom.feeds_yaml()):
                parsed = feedparser.parse(httpx.get(feed["url"]).content)
                assert not parsed.bozo
                shown |= {(feed["id"], e.link): (e.title, e.published_parsed[:5]) for e in parsed.entries}
            assert shown == {
                (i.feed, i.link): (i.title, i.published.timetuple()[:5]) for i in newsroom.shown()
            }


def test_feeds_grow_with_the_rounds(newsroom: Newsroom) -> None:
    assert titles(newsroom, "moxing-ribao") == ["消息称xAI将于6月发布Grok 4"]
    newsroom.advance()
    assert titles(newsroom, "moxing-ribao")[0] == "xAI推迟发布Grok 4，预计7月上线"


def test_an_unchanged_feed_is_not_sent_again(newsroom: Newsroom) -> None:
    tag = httpx.get(newsroom.url("netzschau")).headers["ETag"]
    again = {"If-None-Match": tag}
    assert httpx.get(newsroom.url("netzschau"), headers=again).status_code == 304
    newsroom.advance()
    assert httpx.get(newsroom.url("netzschau"), headers=again).status_code == 200


def test_it_knows_who_has_not_been_read_in_this_round(newsroom: Newsroom) -> None:
    feeds = [feed["id"] for feed in yaml.safe_load(newsroom.feeds_yaml())]
    assert newsroom.waiting(0) == feeds
    for feed in feeds[:-1]:
        titles(newsroom, feed)
    assert newsroom.waiting(0) == feeds[-1:]
    titles(newsroom, feeds[-1])
    assert newsroom.waiting(60) == []
    newsroom.advance()
    assert newsroom.waiting(0) == feeds


def test_there_is_no_round_after_the_last(newsroom: Newsroom) -> None:
    for _ in range(newsroom.rounds - 1):
        newsroom.advance()
    with pytest.raises(ValueError, match="only 3 rounds"):
        newsroom.advance()


def test_nothing_but_feeds_is_served(newsroom: Newsroom) -> None:
    assert httpx.get(newsroom.url("../../etc/passwd")).status_code == 404


def test_the_shipped_saga_has_corrections_sightings_and_as_much_beside_the_point() -> None:
    (saga,) = load()
    items = list(saga.items())
    places = [(i.feed, i.link) for i in items]
    assert len(places) > len(set(places)) > len({link for _, link in places})
    assert {feed.language for feed in saga.feeds} == {"en", "de", "zh"}
    assert sum(i.relevance == "none" for i in items) > len(items) / 3


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("relevance: core", "relevanz: core"), "relevanz"),
        (("feed: daily-model", "feed: nobody"), "nobody"),
        (("rounds:", "rounds: ["), "while parsing"),
    ],
)
def test_a_broken_saga_is_named(tmp_path: Path, change: tuple[str, str], complaint: str) -> None:
    text = (SAGAS / "grok-4.yaml").read_text(encoding="utf-8")
    (tmp_path / "broken.yaml").write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(SagaError, match=f"(?s)broken.yaml.*{complaint}"):
        load(tmp_path)


def test_two_sagas_may_not_share_a_feed(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_bytes((SAGAS / "grok-4.yaml").read_bytes())
    with pytest.raises(SagaError, match="daily-model"):
        load(tmp_path)


def test_a_folder_without_sagas_is_named(tmp_path: Path) -> None:
    with pytest.raises(SagaError, match="no saga"):
        load(tmp_path)
