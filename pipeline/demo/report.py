"""The demo's summary on the terminal. Titles come from feeds: they are drawn as text, never as markup."""

from collections.abc import Iterable, Iterator
from statistics import median

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.demo.summary import Summary, TopicState
from schemas.messages import Assessment, Release, Span, Story

_STEPS = {"delayed": "slipped", "happened": "released", "denied": "denied"}
_DATED = {"expected": "expected", "slipped": "slipped to"}
_PROOFS = 5  # words shown for a verdict; the page shows all


def show(summary: Summary, console: Console) -> None:
    """Print every part of the summary; what is missing comes last, where it is seen."""
    for part in _parts(summary):
        console.print(part)
        console.print()


def release_line(release: Release) -> str:
    """`expected 2025-04 → slipped to 2025-05 → released`: a release's steps, and its dates as they change."""
    steps: list[str] = []
    dates: set[str] = set()
    for statement in release.statements:
        verb = _STEPS.get(statement.status, "expected")
        date = statement.expected if statement.expected not in dates and verb in _DATED else None
        if date:
            dates.add(date)
            steps.append(f"{_DATED[verb]} {date}")
        elif verb != "expected" and not (steps and steps[-1].startswith(verb)):
            steps.append(verb)
    return " → ".join(steps)


def _parts(summary: Summary) -> Iterator[RenderableType]:
    seen = summary.observed
    yield Text(
        f"{summary.shown} entries shown = {seen.articles} articles + {seen.revisions} revisions "
        f"+ {seen.sightings} sightings",
        style="bold",
    )
    yield _verdicts(summary.verdicts)
    yield from (_story(story) for story in summary.stories)
    yield from (_release(release) for release in summary.releases)
    yield _topics(seen.topics)
    if seen.delays:
        yield Text(
            f"From poll to verdict: median {median(seen.delays):.1f} s, longest {max(seen.delays):.1f} s"
        )
    if summary.missing:
        lines = [Text(f"· {line}") for line in summary.missing]
        yield Group(Text(f"Missing: {len(lines)}", style="bold red"), *lines)
    else:
        yield Text("Nothing is missing.", style="bold green")


def _table(title: str, rows: Iterable[tuple[str, ...]], *columns: str, right: tuple[str, ...] = ()) -> Group:
    """A table below its title, which may be longer than the table is wide."""
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column in right else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    return Group(Text(title, style="bold"), table)


def _verdicts(verdicts: tuple[Assessment, ...]) -> Group:
    core = [a for a in verdicts if a.relevance.label == "core"]
    return _table(
        f"Verdicts: {len(core)} of {len(verdicts)} articles are about the AI race",
        (
            (
                f"{a.published_at:%d %b}",
                a.title,
                ", ".join(x.id if x.role == "mover" else f"{x.id} ({x.role})" for x in a.actors),
                ", ".join(e.id for e in a.events),
                f"{a.status} {a.expected.value}" if a.expected else a.status,
                _proof(a),
            )
            for a in core
        ),
        *("published", "title", "actors", "events", "status", "words that prove it"),
    )


def _proof(assessment: Assessment) -> str:
    """The words behind status, main event and date: the longest ones, in the text's order."""
    spans = [*assessment.status_spans]
    spans += assessment.events[0].spans if assessment.events else []
    spans += assessment.expected.spans if assessment.expected else []
    telling: list[Span] = []
    for span in sorted(spans, key=lambda s: -len(s.text)):
        if not any(span.text in longer.text for longer in telling):
            telling.append(span)
    return " · ".join(span.text for span in sorted(telling[:_PROOFS], key=_place))


def _place(span: Span) -> tuple[bool, int]:
    return span.field != "title", span.start


def _story(story: Story) -> Group:
    return _table(
        f"Story: {story.title}",
        ((f"{a.published_at:%d %b %H:%M}", a.language, a.status, a.title) for a in story.articles),
        *("published", "language", "status", "title"),
    )


def _release(release: Release) -> Group:
    return _table(
        f"Release: {release.product} · {release_line(release)}",
        (
            (f"{s.published_at:%d %b %H:%M}", s.status, s.expected or "", s.quote, s.feed)
            for s in release.statements
        ),
        *("published", "status", "expected", "words that prove it", "feed"),
    )


def _topics(topics: Iterable[TopicState]) -> Group:
    return _table(
        "Topics",
        ((t.name, str(t.records), t.group, str(t.lag) if t.group else "") for t in topics),
        *("topic", "records", "read by", "lag"),
        right=("records", "lag"),
    )
