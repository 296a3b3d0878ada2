"""A story folded from its members: whoever has the members has the story."""

from collections.abc import Collection
from functools import reduce

from pipeline.stories.facts import advance, story_id_of, unique
from pipeline.stories.values import Member
from schemas.messages import Story


def centre(members: Collection[Member]) -> Member:
    """The article that says what a story is about: its founder, or the oldest that is left without it.

    Articles are compared with the centre and never with any other member: no chain of small likenesses can
    join what has nothing in common.
    """
    founders = [m for m in members if story_id_of(m.article.article_id) == m.story_id]
    return min(founders or members, key=_age)


def story(members: Collection[Member]) -> Story:
    """The state of a story with at least one member. Its version is 0: the store numbers states.

    The title is the oldest article's. Actors, products and events are the centre's first, then the others' by
    age. The status advances article by article.
    """
    by_age = sorted(members, key=_age)
    told = [centre(members), *by_age]
    articles = [m.article for m in by_age]
    return Story(
        story_id=by_age[0].story_id,
        title=articles[0].title,
        actors=list(unique(a for m in told for a in m.actors)),
        products=list(unique(p for m in told for p in m.products)),
        events=list(unique(e for m in told for e in m.events)),
        status=reduce(advance, (a.status for a in articles), "none"),
        languages=list(unique(a.language for a in articles)),
        articles=articles,
        first_published_at=articles[0].published_at,
        last_published_at=articles[-1].published_at,
    )


def _age(member: Member) -> tuple[object, ...]:
    return (member.article.published_at, member.article.article_id)
