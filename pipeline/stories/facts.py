"""What of an assessment counts for a story: who acts, with which products, in which kind of event.

Roles and spans are read here and nowhere else in this room.
"""

import hashlib
import re
from collections.abc import Iterable

from pipeline.stories.values import Member
from schemas.messages import Assessment, Product, StoryArticle

_ACTING = ("mover", "partner", "target")
_LONGEST_KEY = 63  # an id has at most 128 characters, an actor at most 64


def story_id_of(article_id: str) -> str:
    """The id of the story founded by an article: stable over replays, and no article id itself."""
    return "story-" + hashlib.sha256(article_id.encode()).hexdigest()[:16]


def has_version(product: str) -> bool:
    """`Qwen 3` and `H20` name one thing for good; `ChatGPT` is in the news every day with another matter."""
    return bool(re.search(r"\d", product))


def product_key(product: str) -> str:
    """One key for `Qwen 3`, `Qwen3` and `QWEN-3`: `qwen-3`."""
    return "-".join(re.findall(r"\d+(?:\.\d+)*|[^\W\d_]+", product.casefold()))


def release_id_of(actor: str, product: str) -> str:
    """`alibaba:qwen-3`; names that are no id (another script, far too long) are hashed."""
    key = product_key(product)
    if not key.isascii() or len(key) > _LONGEST_KEY:
        key = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"{actor}:{key}"


def movers(assessment: Assessment) -> tuple[str, ...]:
    """Whose development it is; the first actor where no role says so, since it is always somebody's."""
    found = tuple(a.id for a in assessment.actors if a.role == "mover")
    return found or acting(assessment)[:1]


def acting(assessment: Assessment) -> tuple[str, ...]:
    """The actors with a part in the development; all that are named where the roles say nothing."""
    found = tuple(a.id for a in assessment.actors if a.role in _ACTING)
    return found or tuple(a.id for a in assessment.actors)


def titled(assessment: Assessment) -> tuple[Product, ...]:
    """The products an article is about: those in its title that are not a bystander's."""
    actors = acting(assessment)
    return tuple(
        p
        for p in assessment.products
        if (p.actor is None or p.actor in actors) and any(s.field == "title" for s in p.spans)
    )


def member_of(assessment: Assessment, story_id: str) -> Member:
    """The row that is remembered for an article placed in a story."""
    return Member(
        story_id=story_id,
        article=StoryArticle(
            article_id=assessment.article_id,
            url=assessment.url,
            title=assessment.title,
            language=assessment.language,
            feed=assessment.feed,
            published_at=assessment.published_at,
            status=assessment.status,
        ),
        movers=movers(assessment),
        actors=acting(assessment),
        products=unique(p.name for p in titled(assessment)),
        events=tuple(e.id for e in assessment.events),
    )


def advance(status: str, told: str) -> str:
    """The status after one more article, `none` before the first: the newest wins, with two exceptions.

    A rumour takes back nothing that was said firmly, and what has happened can only be withdrawn (`denied`):
    what comes after that is about something else.
    """
    if status == "happened":
        return "denied" if told == "denied" else status
    return status if told == "none" or (told == "rumoured" and status != "none") else told


def unique(values: Iterable[str]) -> tuple[str, ...]:
    """The values once each, in the order in which they first came."""
    return tuple(dict.fromkeys(values))
