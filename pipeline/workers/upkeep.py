"""Jobs that end: assess stored articles again, clear what retention lets go, redrive dead letters.

The flows schedule them and the command line runs them; each does its work in small transactions, so that it
can be stopped and started at any time.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine

from pipeline.classify import Classifier
from pipeline.store import dead_letters, retention, verdicts
from pipeline.store.dead_letters import Redriven, Selection
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
            changed += len(verdicts.save_assessments(tx, topic, [a.article_id for a in page], found))
        articles, after = articles + len(page), page[-1].article_id


def maintain(engine: Engine, polls: timedelta, letters: timedelta) -> dict[str, int]:
    """Delete the records of polls and the settled dead letters that are older than their retention."""
    jobs = {"polls": (retention.old_polls, polls), "dead_letters": (retention.settled_letters, letters)}
    removed = dict.fromkeys(jobs, 0)
    for name, (delete, age) in jobs.items():
        count = PAGE
        while count == PAGE:
            with engine.begin() as tx:
                count = delete(tx, age, PAGE)
            removed[name] += count
    return removed


def redrive(
    engine: Engine,
    topics: Mapping[str, Topic],
    chosen: Selection,
    *,
    force: bool = False,
    dry_run: bool = False,
    rate: float | None = None,
) -> Redriven:
    """Queue open dead letters for their topics again, at most `rate` a second; what became of each.

    A dry run changes nothing.
    """
    page = PAGE if rate is None else max(1, min(PAGE, int(rate)))
    done: list[int] = []
    refused: dict[int, str] = {}
    after = 0
    while True:
        with engine.connect() as tx:
            numbers = dead_letters.numbers(tx, chosen, after, page)
            outcome = dead_letters.redrive(tx, topics, numbers, force=force)
            if not dry_run:
                tx.commit()
        done += outcome.done
        refused |= outcome.refused
        if len(numbers) < page:
            return Redriven(done, refused)
        after = numbers[-1]
        if rate and not dry_run:
            time.sleep(page / rate)
