"""Jobs that end: assess stored articles again, clear what retention lets go, redrive dead letters.

The flows schedule them and the command line runs them; each does its work in small transactions, so that it
can be stopped and started at any time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine

from pipeline.classify import Classifier
from pipeline.store import dead_letters, feeds, outbox, retention, verdicts
from schemas.topics import Topic

PAGE = 500  # rows in one transaction


@dataclass(frozen=True)
class Reassessed:
    """How many stored articles were assessed again, and how many verdicts changed by it."""

    articles: int
    changed: int


def reassess(engine: Engine, topic: Topic, classifier: Classifier) -> Reassessed:
    """Bring every verdict that is missing or of another classifier version up to date."""
    articles = changed = 0
    after = ""
    while True:
        with engine.connect() as tx:
            page = verdicts.articles_to_assess(tx, classifier.version, after, PAGE)
        if not page:
            return Reassessed(articles, changed)
        found = {(a.article_id, a.revision): classifier.assess(a) for a in page}
        with engine.begin() as tx:
            ids = [a.article_id for a in page]
            changed += len(verdicts.save_assessments(tx, topic, ids, found, outbox.HISTORY))
        articles, after = articles + len(page), page[-1].article_id


def maintain(engine: Engine, polls: timedelta, letters: timedelta, seen: timedelta) -> dict[str, int]:
    """Delete records of polls, settled dead letters and memories of articles that are past their time."""
    jobs = {
        "polls": (retention.old_polls, polls),
        "dead_letters": (retention.settled_letters, letters),
        "known_articles": (feeds.forget, seen),
    }
    removed = dict.fromkeys(jobs, 0)
    for name, (delete, age) in jobs.items():
        count = PAGE
        while count == PAGE:
            with engine.begin() as tx:
                count = delete(tx, age, PAGE)
            removed[name] += count
    return removed


def redrive(engine: Engine, ids: Sequence[int] = (), limit: int = 1000) -> list[int]:
    """Queue open dead letters for their topic again; the ids that were."""
    with engine.begin() as tx:
        return dead_letters.redrive(tx, limit, ids)
