"""Assessments for the tests of this room, with as few words as a case needs."""

from datetime import UTC, datetime, timedelta

from schemas.messages import Actor, Assessment, Event, Forecast, Product, Relevance, Span

START = datetime(2025, 4, 1, 8, tzinfo=UTC)


def assessment(
    article_id: str,
    title: str = "Alibaba releases Qwen 3",
    *,
    day: float = 0,
    actors: dict[str, str] | None = None,
    products: dict[str, str | None] | None = None,
    events: tuple[str, ...] = ("release",),
    status: str = "happened",
    expected: str | None = None,
    relevance: str = "core",
    language: str = "en",
) -> Assessment:
    """`actors` maps ids to roles, `products` names to owners; one found in the title has its span there."""
    return Assessment(
        article_id=article_id,
        revision="r1",
        classifier="test",
        url=f"https://paper.example/{article_id}",
        title=title,
        language=language,
        published_at=START + timedelta(days=day),
        feed="paper",
        relevance=Relevance(label=relevance, score=1.0, spans=[]),
        actors=[
            Actor(id=name, role=role, spans=[])
            for name, role in ({"alibaba": "mover"} if actors is None else actors).items()
        ],
        products=[
            Product(name=name, actor=owner, spans=[_span(name, title)])
            for name, owner in ({"Qwen 3": "alibaba"} if products is None else products).items()
        ],
        events=[Event(id=name, score=1.0, spans=[]) for name in events],
        status=status,
        status_spans=[],
        expected=Forecast(value=expected, spans=[]) if expected else None,
    )


def _span(name: str, title: str) -> Span:
    start = title.find(name)
    field, at = ("title", start) if start >= 0 else ("text", 0)
    return Span(field=field, start=at, end=at + len(name), text=name)
