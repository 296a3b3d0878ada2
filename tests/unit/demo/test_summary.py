"""The summary finds what is there and names what is missing; the report draws both."""

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from msgspec.structs import replace as changed
from rich.console import Console

from pipeline.demo.report import release_line, show
from pipeline.demo.saga import Item, load
from pipeline.demo.summary import Observed, TopicState, summarise
from schemas.messages import (
    Actor,
    Assessment,
    Event,
    Forecast,
    Release,
    ReleaseStatement,
    Relevance,
    Span,
    Story,
    StoryArticle,
)

(SAGA,) = load(Path(__file__).parents[2] / "data" / "sagas")
ITEMS = list(SAGA.items())
STEPS = [
    ("rumoured", "2025-06"),
    ("rumoured", "2025-06"),
    ("delayed", "2025-07"),
    ("delayed", None),
    ("happened", None),
]


def verdict(item: Item) -> Assessment:
    spans = [Span(field="title", start=0, end=4, text=item.title[:4])]
    return Assessment(
        article_id=f"{item.feed}.{item.slug}",
        revision="r1",
        classifier="test",
        url=item.link,
        title=item.title,
        language="en",
        published_at=item.published,
        feed=item.feed,
        relevance=Relevance(label=item.relevance, score=1.0, spans=spans),
        actors=[Actor(id=name, role="mover", spans=spans) for name in SAGA.expect.actors],
        products=[],
        events=[Event(id=name, score=1.0, spans=spans) for name in SAGA.expect.events],
        status="rumoured",
        status_spans=spans,
        expected=Forecast(value="2025-06", spans=spans),
    )


def story() -> Story:
    articles = [
        StoryArticle(
            article_id=language,
            url="https://paper.example/",
            title="xAI [bold]plans[/bold] Grok 4",
            language=language,
            feed="paper",
            published_at=ITEMS[0].published,
            status="rumoured",
        )
        for language in ("en", "de", "zh")
    ]
    return Story(
        story_id="s",
        title=articles[0].title,
        actors=["xai"],
        products=["Grok 4"],
        events=["roadmap"],
        status="rumoured",
        languages=["en", "de", "zh"],
        articles=articles,
        first_published_at=articles[0].published_at,
        last_published_at=articles[0].published_at,
    )


def release(steps: list[tuple[str, str | None]] = STEPS) -> Release:
    return Release(
        release_id="xai:grok-4",
        actor="xai",
        product="Grok 4",
        status="happened",
        expected="2025-07",
        slips=1,
        statements=[
            ReleaseStatement(
                article_id=f"a{number}",
                url="https://paper.example/",
                title="",
                language="en",
                feed="paper",
                published_at=ITEMS[0].published,
                status=status,
                expected=expected,
                quote="due in June",
            )
            for number, (status, expected) in enumerate(steps)
        ],
    )


PERFECT = Observed(
    articles=len(ITEMS),
    revisions=0,
    sightings=0,
    assessments=[verdict(item) for item in ITEMS],
    stories=[story()],
    releases=[release()],
    topics=[TopicState(name="news.articles.v1", records=len(ITEMS), group="classifier")],
    delays=[0.5, 1.5],
)


def test_nothing_is_missing_where_everything_came_out() -> None:
    summary = summarise([SAGA], ITEMS, PERFECT)
    assert summary.missing == ()
    assert (summary.stories, summary.releases) == ((story(),), (release(),))
    assert len(summary.verdicts) == len(ITEMS)


def test_what_other_feeds_brought_is_left_alone() -> None:
    stranger = changed(PERFECT.assessments[0], url="https://elsewhere.example/", article_id="stranger")
    summary = summarise([SAGA], ITEMS, replace(PERFECT, assessments=[*PERFECT.assessments, stranger]))
    assert summary == replace(summarise([SAGA], ITEMS, PERFECT), observed=summary.observed)


def each(change: Callable[[Assessment], Assessment]) -> list[Assessment]:
    return [change(a) for a in PERFECT.assessments]


def called(label: str) -> Callable[[Assessment], Assessment]:
    return lambda a: changed(a, relevance=changed(a.relevance, label=label))


@pytest.mark.parametrize(
    ("observed", "complaint"),
    [
        (replace(PERFECT, articles=len(ITEMS) - 1), "16 entries were shown, 15 came out"),
        (
            replace(PERFECT, articles=len(ITEMS) - 1, sightings=1),
            "16 addresses were shown, 15 articles came out",
        ),
        (replace(PERFECT, assessments=PERFECT.assessments[1:]), "no verdict on “xAI reportedly plans"),
        (
            replace(PERFECT, assessments=each(lambda a: changed(a, title="Old"))),
            "on an older title",
        ),
        (replace(PERFECT, assessments=each(called("none"))), "is called none, not core"),
        (replace(PERFECT, assessments=each(called("core"))), "is called core, not none"),
        (
            replace(
                PERFECT, assessments=each(lambda a: changed(a, relevance=changed(a.relevance, spans=[])))
            ),
            "without the words that prove it",
        ),
        (
            replace(PERFECT, assessments=each(lambda a: changed(a, actors=a.actors[1:]))),
            "names the actor xai",
        ),
        (
            replace(PERFECT, assessments=each(lambda a: changed(a, events=a.events[1:]))),
            "finds the event roadmap",
        ),
        (replace(PERFECT, stories=[]), "no story about Grok 4"),
        (
            replace(PERFECT, stories=[changed(story(), languages=["en"])]),
            "Grok 4 has articles in en, de, zh",
        ),
        (replace(PERFECT, releases=[]), "no release line of Grok 4"),
        (replace(PERFECT, releases=[release(STEPS[::-1])]), "does not go rumoured → delayed → happened"),
        (replace(PERFECT, releases=[changed(release(), status="delayed")]), "ends as delayed, not happened"),
        (replace(PERFECT, releases=[release(STEPS[2:])]), "first expected 2025-07, not 2025-06"),
        (replace(PERFECT, releases=[changed(release(), slips=3)]), "slipped 3 times, not 1"),
        (
            replace(
                PERFECT, topics=[TopicState(name="news.articles.v1", records=9, group="classifier", lag=2)]
            ),
            "classifier is 2 records behind on news.articles.v1",
        ),
    ],
)
def test_what_is_missing_is_named(observed: Observed, complaint: str) -> None:
    summary = summarise([SAGA], ITEMS, observed)
    assert any(complaint in line for line in summary.missing)


def test_the_release_line_reads_as_it_went() -> None:
    assert release_line(release()) == "expected 2025-06 → slipped to 2025-07 → released"
    assert release_line(release([("announced", "2025-06"), ("delayed", None), ("delayed", "2025-06")])) == (
        "expected 2025-06 → slipped"
    )
    assert release_line(release([("rumoured", None), ("denied", None)])) == "denied"


def test_the_report_shows_every_part_and_takes_titles_as_text() -> None:
    console = Console(file=StringIO(), width=200)
    with console.capture() as captured:
        show(summarise([SAGA], ITEMS, replace(PERFECT, sightings=1)), console)
    text = captured.get()
    for part in (
        "16 entries shown = 16 articles + 0 revisions + 1 sightings",
        "xAI [bold]plans[/bold] Grok 4",
        "expected 2025-06 → slipped to 2025-07 → released",
        "news.articles.v1",
        "median 1.0 s, longest 1.5 s",
        "16 entries were shown, 17 came out",
    ):
        assert part in text
