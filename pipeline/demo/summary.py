"""What the demo has shown and what is missing: sagas against the pipeline's answers. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from pipeline.demo.saga import Item, Saga
from schemas.messages import Assessment, Release, Story


@dataclass(frozen=True, kw_only=True)
class TopicState:
    """A topic's records, and how far `group` is behind in reading it (empty: no group of ours reads it)."""

    name: str
    records: int
    group: str = ""
    lag: int = 0


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What the pipeline answers after the last round: from the store's queries, the broker, and the clock.

    The counts are of the sagas' messages by kind; `delays` are seconds from poll to verdict, one each.
    """

    articles: int
    revisions: int
    sightings: int
    assessments: Sequence[Assessment]
    stories: Sequence[Story]
    releases: Sequence[Release]
    topics: Sequence[TopicState]
    delays: Sequence[float] = field(default=())


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The sagas' part of what was observed, newest first, and a line for everything that is missing."""

    shown: int
    observed: Observed
    verdicts: tuple[Assessment, ...]
    stories: tuple[Story, ...]
    releases: tuple[Release, ...]
    missing: tuple[str, ...]


def summarise(sagas: Iterable[Saga], shown: Sequence[Item], observed: Observed) -> Summary:
    """Compare what the newsroom has shown with what came out. Articles of other feeds are left alone."""
    links = {item.link for item in shown}
    assessed = {a.url: a for a in observed.assessments if a.url in links}
    stories: list[Story] = []
    releases: list[Release] = []
    missing = [*_counts(shown, observed), *_verdicts(shown, assessed), *_lag(observed.topics)]
    for saga in sagas:
        own = [assessed[link] for link in {i.link for i in saga.items()} if link in assessed]
        missing += [f"{saga.name}: {line}" for line in _labels(saga, own)]
        told = _stories(saga, observed.stories)
        release = _release(saga, observed.releases)
        stories += told
        releases += [release] if release else []
        missing += [
            f"{saga.name}: {line}" for line in (*_story_gaps(saga, told), *_release_gaps(saga, release))
        ]
    return Summary(
        shown=len(shown),
        observed=observed,
        verdicts=tuple(sorted(assessed.values(), key=lambda a: (a.published_at, a.article_id), reverse=True)),
        stories=tuple(stories),
        releases=tuple(releases),
        missing=tuple(missing),
    )


def _counts(shown: Sequence[Item], observed: Observed) -> Iterator[str]:
    """Every entry is an article, a revision or a sighting; every address one article."""
    entries = observed.articles + observed.revisions + observed.sightings
    if entries != len(shown):
        yield f"{len(shown)} entries were shown, {entries} came out as articles, revisions and sightings"
    links = len({item.link for item in shown})
    if observed.articles != links:
        yield f"{links} addresses were shown, {observed.articles} articles came out"


def _verdicts(shown: Sequence[Item], assessed: dict[str, Assessment]) -> Iterator[str]:
    """A verdict for each address, on its last wording, as the saga wants it, with the words that prove it."""
    titles = {(item.feed, item.link): item.title for item in shown}
    for item in {item.link: item for item in shown}.values():
        verdict = assessed.get(item.link)
        if verdict is None:
            yield f"no verdict on “{item.title}” ({item.link})"
            continue
        if verdict.title not in {title for (_, link), title in titles.items() if link == item.link}:
            yield f"the verdict on {item.link} is on an older title: “{verdict.title}”"
        label = verdict.relevance.label
        if (item.relevance == "core") != (label == "core") and item.relevance != "peripheral":
            yield f"“{item.title}” is called {label}, not {item.relevance}"
        if label == "core" and not (verdict.relevance.spans and all(a.spans for a in verdict.actors)):
            yield f"“{item.title}” is called core without the words that prove it"


def _lag(topics: Sequence[TopicState]) -> Iterator[str]:
    for topic in topics:
        if topic.lag:
            yield f"{topic.group} is {topic.lag} records behind on {topic.name}"


def _labels(saga: Saga, verdicts: Sequence[Assessment]) -> Iterator[str]:
    core = [a for a in verdicts if a.relevance.label == "core"]
    actors = {actor.id for a in core for actor in a.actors}
    events = {event.id for a in core for event in a.events}
    yield from (f"no verdict names the actor {name}" for name in saga.expect.actors if name not in actors)
    yield from (f"no verdict finds the event {name}" for name in saga.expect.events if name not in events)


def _stories(saga: Saga, stories: Iterable[Story]) -> list[Story]:
    """What is told of the saga's product, in order: a rumour and a release weeks later are two stories."""
    want = saga.expect.story
    about = [s for s in stories if s.articles and want.actor in s.actors and want.product in s.products]
    return sorted(about, key=lambda s: (s.first_published_at, s.story_id))


def _story_gaps(saga: Saga, stories: Sequence[Story]) -> Iterator[str]:
    want = saga.expect.story
    if not stories:
        yield f"no story about {want.product} of {want.actor}"
    elif not any({*want.languages} <= {*story.languages} for story in stories):
        yield f"no story about {want.product} has articles in {', '.join(want.languages)}"


def _release(saga: Saga, releases: Iterable[Release]) -> Release | None:
    want = saga.expect.release
    return next((r for r in releases if (r.actor, r.product) == (want.actor, want.product)), None)


def _release_gaps(saga: Saga, release: Release | None) -> Iterator[str]:
    want = saga.expect.release
    if release is None:
        yield f"no release line of {want.product}"
        return
    steps = iter([status for status, _ in groupby(s.status for s in release.statements)])
    if not all(status in steps for status in want.statuses):  # `in` walks on: each must follow the one before
        yield f"the release line of {want.product} does not go {' → '.join(want.statuses)}"
    if release.status != want.statuses[-1]:
        yield f"{want.product} ends as {release.status}, not {want.statuses[-1]}"
    first = next((s.expected for s in release.statements if s.expected), None)
    if first != want.expected:
        yield f"{want.product} was first expected {first}, not {want.expected}"
    if release.slips != want.slips:
        yield f"{want.product} slipped {release.slips} times, not {want.slips}"
