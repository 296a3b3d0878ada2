"""Jobs that end: assess again, clear what retention lets go, redrive, take down, restore, rebuild topics.

The flows schedule them and the command line runs them; each does its work in small transactions, so that it
can be stopped and started at any time.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import sleep

from sqlalchemy import Connection, Engine

from pipeline.bus.connection import Broker
from pipeline.bus.reading import ends
from pipeline.classify import Classifier
from pipeline.classify.changes import Changes
from pipeline.store import backup, dead_letters, known, outbox, retention, takedown, verdicts
from pipeline.store.aggregates import AGGREGATES, ASSESSMENT, announce, load
from pipeline.store.dead_letters import Redriven, Selection
from pipeline.store.migrating import migrate
from pipeline.store.verdicts import ALWAYS, Window
from schemas.topics import Topic

PAGE = 500  # rows in one transaction


def reassess(
    engine: Engine, topic: Topic, classifier: Classifier, window: Window = ALWAYS, *, compare: bool = False
) -> Changes:
    """Bring every verdict that is missing or of another classifier version up to date; what that changes.

    Only of articles published within `window`. With `compare` nothing is written.
    """
    changes = Changes()
    after = ""
    while True:
        with engine.connect() as tx:
            page = verdicts.articles_to_assess(tx, classifier.version, after, PAGE, window)
            old = load(tx, ASSESSMENT, [a.article_id for a in page])
        if not page:
            return changes
        found = {(a.article_id, a.revision): classifier.assess(a) for a in page}
        if not compare:
            with engine.begin() as tx:
                verdicts.save_assessments(tx, topic, [a.article_id for a in page], found, outbox.HISTORY)
        for verdict in found.values():
            changes.add(old.get(verdict.article_id), verdict)
        after = page[-1].article_id


def maintain(
    engine: Engine,
    topic: Topic,
    *,
    polls: timedelta,
    letters: timedelta,
    seen: timedelta,
    articles: timedelta | None = None,
) -> dict[str, int]:
    """Delete records of polls, settled dead letters, memories of articles and, if they are not kept for good,
    articles that are past their time; how many. `topic` is the one of verdicts.
    """
    jobs: dict[str, tuple[Callable[[Connection, timedelta, int], int], timedelta]] = {
        "polls": (retention.old_polls, polls),
        "dead_letters": (retention.settled_letters, letters),
        "known_articles": (known.forget, seen),
    }
    if articles is not None:
        jobs["articles"] = (partial(retention.old_articles, topic=topic), articles)
    removed = dict.fromkeys([*jobs, "articles"], 0)
    for name, (delete, age) in jobs.items():
        count = PAGE
        while count == PAGE:
            with engine.begin() as tx:
                count = delete(tx, age, PAGE)
            removed[name] += count
    return removed


def rebuild(engine: Engine, name: str, topic: Topic) -> int:
    """Announce every stored state of the topic called `name` again; how many there are.

    Waits while the relay is behind, so that the outbox stays small.
    """
    queued, after = 0, ""
    while True:
        with engine.begin() as tx:
            behind = outbox.size(tx) > 10 * PAGE
            keys = [] if behind else announce(tx, AGGREGATES[name], topic, after, PAGE)
        if behind:
            sleep(0.5)
        elif keys:
            queued, after = queued + len(keys), keys[-1]
        else:
            return queued


def restore(
    engine: Engine,
    broker: Broker,
    topics: Iterable[Topic],
    file: Path,
    *,
    articles: timedelta | None = None,
    programs: Path | None = None,
    replace: bool = False,
) -> backup.Settled:
    """Load a backup and make it fit the Kafka that is there. Raises BackupError, UnavailableError.

    Articles are kept for `articles`, or for good.
    """
    migrate(engine)
    with engine.connect() as tx:
        if why := backup.objection(tx, replace=replace):
            raise backup.BackupError(why)
    there = {place: at for topic in topics for place, at in ends(broker, topic.name).items()}
    try:
        backup.load(engine, file, programs)
    finally:
        migrate(engine)  # what was made by an older release, and the views in any case
    with engine.begin() as tx:
        return backup.settle(tx, there, articles)


def forget(engine: Engine, topic: Topic, article_ids: Sequence[str], feed_id: str = "") -> Counter[str]:
    """Take down articles, and all whose text is a feed's; how many rows of what that concerned."""
    done: Counter[str] = Counter()
    with engine.begin() as tx:
        done.update(takedown.forget(tx, topic, article_ids))
    while feed_id:
        with engine.begin() as tx:
            page = takedown.of_feed(tx, feed_id, PAGE)
            done.update(takedown.forget(tx, topic, page))
        if len(page) < PAGE:
            break
    return done


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
            sleep(page / rate)
