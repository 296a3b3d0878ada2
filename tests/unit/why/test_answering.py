"""The answer to `why`, made of values: one outcome a way, and every step says its own."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.classify.explain import Explanation, Reason
from pipeline.feeds.outcomes import Known
from pipeline.store.tracing import Carrier, Letter, Placed, Refusal, Trace
from pipeline.stories import Settings as StorySettings
from pipeline.stories import State, decide
from pipeline.why import Answer, answer, asked
from schemas.messages import Assessment, Relevance, Sighting
from tests.samples import StubClassifier, article, dead_letter
from tests.unit.feeds.feed_factory import a_feed

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
FIRST, SECOND = article(7), article(8)
KNOWN = Known(
    article_id=FIRST.article_id,
    owner="paper",
    owner_rank=2,
    text_length=9,
    revision=FIRST.revision,
    title_digest="t",
    published_at=FIRST.published_at,
    precision="second",
    observed_at=NOW - timedelta(minutes=1),
    carriers=frozenset({"paper", "forum"}),
)
VERDICT = StubClassifier().assess(FIRST)
STORED = Trace(
    FIRST.article_id,
    known=KNOWN,
    article=FIRST,
    stored_at=NOW,
    revisions=[(FIRST.revision, FIRST.title, "paper", FIRST.observed_at)],
    sightings=[Sighting(feed="paper", url=FIRST.url, seen_at=FIRST.observed_at)],
)
JUDGED = replace(STORED, verdict=VERDICT, written_at=NOW)
LETTER = dead_letter(
    "news.articles.v1",
    partition=3,
    offset=5,
    timestamp=NOW,
    key=FIRST.article_id.encode(),
    value=b"{",
    errors=["ContractError: no"],
    failed_at=NOW,
)
LINES = [
    Explanation(
        "relevance",
        "core",
        False,
        0.18,
        0.45,
        [Reason("actor", 2.0, ["OpenAI"]), Reason("tutorial", -1.25, [])],
        0.0,
    ),
    Explanation("focus", "core", False, 0.62, 0.2, [], 0.0),
    Explanation("event", "release", False, 0.1, 0.25, [Reason("launch", 9.0, [])], 0.0),
]


def told(trace: Trace, url: str = FIRST.url, explained: list[Explanation] | None = None) -> Answer:
    return answer(asked(url), trace, explained or [], "stub-1", NOW)


def said(found: Answer, name: str) -> str:
    (step,) = (step for step in found.steps if step.name == name)
    return "\n".join([step.says, *step.details])


def of(label: str) -> Assessment:
    return Assessment(
        **{n: getattr(VERDICT, n) for n in VERDICT.__struct_fields__}
        | {"relevance": Relevance(label=label, score=0.2, spans=[]), "actors": [], "events": []}
    )


@pytest.mark.parametrize(
    ("trace", "outcome"),
    [
        (Trace("x"), "never-seen"),
        (Trace("x", refusals=[Refusal(1, "paper", NOW, "empty", "neither", FIRST.url)]), "refused"),
        (Trace("x", forgotten_at=NOW, known=KNOWN), "taken-down"),
        (Trace("x", known=KNOWN), "in-flight"),
        (Trace("x", known=KNOWN, letters=[Letter(4, "open", LETTER)]), "dead-letter"),
        (Trace("x", known=KNOWN, letters=[Letter(4, "resolved", LETTER)]), "in-flight"),
        (STORED, "not-judged"),
        (replace(JUDGED, verdict=of("peripheral")), "not-core"),
        (JUDGED, "not-told"),
    ],
)
def test_how_far_it_came(trace: Trace, outcome: str) -> None:
    found = told(trace)
    assert found.outcome == outcome
    assert found.found == (outcome != "never-seen")


def test_never_seen_says_which_feeds_could_have_had_it() -> None:
    found = told(Trace("x"))
    assert "no feed of news.example; `racewire feeds add news.example`" in said(found, "feeds")
    assert said(found, "seen").startswith("never")
    gone = Carrier(a_feed("gone"), "gone", None, None, False, NOW, "gone", "410", 0, 0, 0)
    out = Carrier(a_feed("out"), "ok", NOW, NOW, False)
    fine = Carrier(a_feed("fine"), "ok", None, NOW, True, NOW, "ok", "", 12, 3, 1)
    feeds = said(told(Trace("x", carriers=[fine, gone, out])), "feeds").splitlines()
    assert feeds[1].startswith(
        "fine (https://fine.example/feed.xml), has it in its last document, ok, last poll"
    )
    assert feeds[1].endswith("(ok; 12 entries, 3 new, 1 refused), next 2026-11-28 12:00 UTC")
    assert feeds[2].endswith("(gone: 410; nothing read), polled no more")
    assert feeds[3].endswith("removed from the registry on 2026-11-28 12:00 UTC, never polled")


@pytest.mark.parametrize(
    ("age", "says"),
    [(1, "on its way"), (60, "`racewire status` shows who is behind"), (60 * 24 * 31, "holds it no more")],
)
def test_what_was_published_and_is_not_stored(age: int, says: str) -> None:
    known = Known(**{n: getattr(KNOWN, n) for n in KNOWN.__struct_fields__} | {"history": True})
    trace = Trace("x", known=known)
    found = said(answer(asked(FIRST.url), trace, [], "c", NOW + timedelta(minutes=age)), "stored")
    assert says in found
    assert "news.backfill.v1" in found


def test_refused_taken_down_and_dead_letters_name_their_place() -> None:
    refusal = Refusal(41, "paper", NOW, "empty", "the entry has neither title nor text", FIRST.url)
    found = told(Trace("x", known=KNOWN, refusals=[refusal], letters=[Letter(4, "open", LETTER)]))
    assert "paper, poll 41: empty: the entry has neither" in said(found, "refused")
    assert "its record became a dead letter" in said(found, "stored")
    assert "decode: ContractError: no; `racewire dead-letters show 4`" in said(found, "dead letters")
    gone = told(Trace("x", known=KNOWN, forgotten_at=NOW))
    assert "2026-11-28 12:00 UTC (`racewire forget`)" in said(gone, "taken down")
    assert "no: it was taken down" in said(gone, "stored")


def test_a_verdict_says_what_was_missing_and_what_weighed() -> None:
    verdict = said(told(replace(JUDGED, verdict=of("peripheral")), explained=LINES), "verdict")
    assert "peripheral, 0.20 sure of core; version 0 by classifier stub-1, written 2026-11-28" in verdict
    assert "relevance: 0.18 sure that it is core and not none, 0.45 needed: that is missing" in verdict
    assert "focus: 0.62 sure that it is core and not peripheral, 0.20 needed" in verdict
    assert verdict.count("that is missing") == 1
    assert "for relevance: +2.00 an actor is named “OpenAI”" in verdict
    assert "against relevance: -1.25 tutorial" in verdict
    assert "launch" not in verdict
    assert "actors: none found" in verdict
    assert "events: not looked for: it is peripheral" in verdict
    assert "stories are of core articles alone" in said(told(replace(JUDGED, verdict=of("none"))), "story")


def test_another_classifier_and_an_earlier_revision_are_said() -> None:
    old = answer(asked(FIRST.url), JUDGED, [], "newer", NOW)
    assert "the classifier at hand is newer" in said(old, "verdict")
    moved = replace(JUDGED, article=article(7, revision=2))
    assert f"on an earlier revision, {FIRST.revision}" in said(told(moved), "verdict")


def test_the_story_and_why_these_articles() -> None:
    both = [VERDICT, StubClassifier().assess(SECOND)]
    decision = decide(both, State(), StorySettings())
    mine = next(m for m in decision.members if m.article.article_id == FIRST.article_id)
    story = next(s for s in decision.stories if s.story_id == mine.story_id)
    members = [m for m in decision.members if m.story_id == mine.story_id]
    releases = [(r, NOW) for r in decision.releases if r.product == "GPT-7"]
    found = told(replace(JUDGED, placed=Placed(story, NOW, members), releases=releases))
    assert found.outcome == "story"
    assert f"{story.story_id} “OpenAI releases GPT-7”" in said(found, "story")
    assert "this article: it founded the story" in said(found, "story")
    assert "openai:gpt-7 (GPT-7), happened" in said(found, "releases")
    assert "this article says happened" in said(found, "releases")


def test_an_alias_leads_to_the_article() -> None:
    assert "other is another address of" in said(told(replace(STORED, alias="other")), "address")


@pytest.mark.parametrize(
    ("words", "url", "labels", "hosts"),
    [
        ("a" * 24, "", ["a" * 24], []),
        (
            "http://www.paper.example/x/?utm_source=rss",
            "http://www.paper.example/x/",
            ["http://www.paper.example/x/?utm_source=rss", "http://www.paper.example/x/"],
            ["paper.example"],
        ),
        (
            "news.paper.example/x",
            "https://news.paper.example/x",
            None,
            ["news.paper.example", "paper.example"],
        ),
        ("ftp://paper.example/x", "", ["ftp://paper.example/x"], []),
    ],
)
def test_what_is_asked(words: str, url: str, labels: list[str] | None, hosts: list[str]) -> None:
    question = asked(words)
    assert (question.url, question.hosts) == (url, hosts)
    assert labels is None or question.labels == labels


def test_spellings_of_an_address_are_one() -> None:
    question = asked("https://paper.example/x?utm_source=a")
    assert question.is_named("http://m.paper.example/x/amp/")
    assert not question.is_named("https://paper.example/y")
    assert not question.is_named("no address")
    assert question.is_named("/x", "https://paper.example/feed.xml")
    assert not asked("a" * 24).is_named("https://paper.example/x")
