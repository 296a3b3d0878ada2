"""The demo's summary on the terminal. Titles come from feeds: they are drawn as text, never as markup."""

from collections.abc import Iterator
from statistics import median

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.demo.summary import Summary
from schemas.messages import Assessment, Release, Span, Story

_STEPS = {"delayed": "slipped", "happened": "released", "denied": "denied"}
_DATED = {"expected": "expected", "slipped": "slipped to"}


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
    core = [a for a in summary.verdicts if a.relevance.label == "core"]
    yield _verdicts(core, f"Verdicts: {len(core)} of {len(summary.verdicts)} articles are about the AI race")
    yield from (_story(story) for story in summary.stories)
    yield from (_release(release) for release in summary.releases)
    yield _topics(summary)
    if seen.delays:
        yield Text(
            f"From poll to verdict: median {median(seen.delays):.1f} s, longest {max(seen.delays):.1f} s"
        )
    if summary.missing:
        lines = [Text(f"· {line}") for line in summary.missing]
        yield Group(Text(f"Missing: {len(lines)}", style="bold red"), *lines)
    else:
        yield Text("Nothing is missing.", style="bold green")


def _verdicts(core: list[Assessment], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in ("published", "title", "actors", "events", "status", "words that prove it"):
        table.add_column(column, overflow="fold")
    for a in core:
        actors = ", ".join(x.id if x.role == "mover" else f"{x.id} ({x.role})" for x in a.actors)
        when = f" {a.expected.value}" if a.expected else ""
        table.add_row(
            f"{a.published_at:%d %b}",
            Text(a.title),
            actors,
            ", ".join(e.id for e in a.events),
            a.status + when,
            Text(_proof(a)),
        )
    return table


def _proof(assessment: Assessment) -> str:
    """The words behind main event, status and date, each once, in the text's order."""
    spans = [*assessment.status_spans]
    spans += assessment.events[0].spans if assessment.events else []
    spans += assessment.expected.spans if assessment.expected else []
    ordered = sorted(spans, key=_place)
    return " · ".join(dict.fromkeys(span.text for span in ordered))


def _place(span: Span) -> tuple[bool, int]:
    return span.field != "title", span.start


def _story(story: Story) -> Table:
    table = Table(title=Text(f"Story: {story.title}"), title_justify="left")
    for column in ("published", "language", "status", "title"):
        table.add_column(column, overflow="fold")
    for a in story.articles:
        table.add_row(f"{a.published_at:%d %b %H:%M}", a.language, a.status, Text(a.title))
    return table


def _release(release: Release) -> Table:
    table = Table(title=Text(f"Release: {release.product} · {release_line(release)}"), title_justify="left")
    for column in ("published", "status", "expected", "words", "source"):
        table.add_column(column, overflow="fold")
    for s in release.statements:
        table.add_row(f"{s.published_at:%d %b %H:%M}", s.status, s.expected or "", Text(s.quote), s.feed)
    return table


def _topics(summary: Summary) -> Table:
    table = Table(title="Topics", title_justify="left")
    for column in ("topic", "records", "read by", "lag"):
        table.add_column(column, justify="right" if column in ("records", "lag") else "left")
    for t in summary.observed.topics:
        table.add_row(t.name, str(t.records), t.group, str(t.lag) if t.group else "")
    return table
