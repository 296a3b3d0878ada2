"""A short course of mutated documents; `python -m bench.hostile` is the long one, over real feeds."""

from random import Random

import pytest

from pipeline.feeds.decide import decide
from pipeline.feeds.identify import identify
from pipeline.feeds.parse import parse
from pipeline.feeds.values import Entry
from tests.mutations import MUTATIONS, Mutation, as_json_feed, as_news_sitemap
from tests.unit.feeds.feed_factory import DETECTOR, NOW, a_feed, an_item, rss

ENTRIES = [
    Entry(
        link=f"https://lab.example/{n}", guid=f"urn:{n}", title=f"Title {n} 模型", text="<p>Text</p> & more."
    )
    for n in range(8)
]
DOCUMENTS = {
    "rss": rss(*(an_item(e.link, e.title, e.text) for e in ENTRIES)),
    "atom": b"<feed xmlns='http://www.w3.org/2005/Atom'><title>Lab</title>%s</feed>"
    % b"".join(
        b"<entry><id>%d</id><title type='html'>T &amp;amp; %d</title><link href='/%d'/><content type='xhtml'>"
        b"<div xmlns='http://www.w3.org/1999/xhtml'><p>Text</p></div></content></entry>" % (n, n, n)
        for n in range(8)
    ),
    "json": as_json_feed(ENTRIES),
    "sitemap": as_news_sitemap(ENTRIES),
}
COPIES = 5


def seeded(number: int) -> Random:
    return Random(number)  # noqa: S311 - the same copies each time


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize("mutate", MUTATIONS, ids=[mutate.__name__ for mutate in MUTATIONS])
def test_every_copy_is_a_feed_or_has_a_reason_and_its_balance_is_exact(kind: str, mutate: Mutation) -> None:
    feed = a_feed()
    for seed in range(COPIES):
        body = mutate(DOCUMENTS[kind], seeded(seed))
        parsed = parse(body, url=feed.url)
        assert (parsed.problem is None) == (parsed.detail is None), seed
        assert parsed.problem is None or not parsed.entries, seed
        entries = identify(feed, parsed, now=NOW, detector=DETECTOR)
        assert sum(decide(feed, entries, {}).counts.values()) == len(parsed.entries), seed


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_the_documents_that_are_mutated_are_feeds(kind: str) -> None:
    parsed = parse(DOCUMENTS[kind], url="https://lab.example/feed")
    assert (parsed.problem, len(parsed.entries)) == (None, 8)


@pytest.mark.parametrize("mutate", MUTATIONS, ids=[mutate.__name__ for mutate in MUTATIONS])
def test_a_mutation_changes_a_document_and_takes_any_bytes(mutate: Mutation) -> None:
    kind = "json" if mutate.__name__ == "retyped" else "rss"
    copies = [mutate(DOCUMENTS[kind], seeded(seed)) for seed in range(COPIES)]
    assert copies == [mutate(DOCUMENTS[kind], seeded(seed)) for seed in range(COPIES)]
    assert any(copy != DOCUMENTS[kind] for copy in copies)
    for body in (b"", b"<", b"{", b"\xff\x00"):
        mutate(body, seeded(1))
