"""What polls remember for one another: the articles that were published, and what robots.txt said."""

from collections.abc import Iterable
from datetime import timedelta

import msgspec
from sqlalchemy import Connection, delete, func, select, update

from pipeline.feeds.outcomes import Known
from pipeline.feeds.values import Robots
from pipeline.store.database import among, upsert
from pipeline.store.models import KnownRow, RobotsRow

# How exactly it is known when an article was last carried: a write an entry and poll would be too dear.
NOTED_EVERY = timedelta(days=30)


def load_known(tx: Connection, article_ids: Iterable[str]) -> dict[str, Known]:
    """What is remembered of these articles, and of those that they are other addresses of.

    That they are carried now is noted now and then.
    """
    row = KnownRow
    stale = row.seen_at < func.now() - NOTED_EVERY
    carried = tx.execute(
        select(row.article_id, row.known, stale).where(among(row.article_id, article_ids))
    ).all()
    if late := [article_id for article_id, _, is_stale in carried if is_stale]:
        tx.execute(update(row).where(row.article_id.in_(late)).values(seen_at=func.now()))
    found = {article_id: msgspec.convert(known, Known) for article_id, known, _ in carried}
    further = {known.same_as for known in found.values() if known.same_as} - found.keys()
    return found | load_known(tx, further) if further else found


def save_known(tx: Connection, known: Iterable[Known]) -> None:
    """Remember articles as they are now."""
    upsert(tx, KnownRow, [{"article_id": k.article_id, "known": k} for k in known])


def forget(tx: Connection, age: timedelta, limit: int) -> int:
    """Drop the memory of dated articles that nobody has carried for `age`; how many, at most `limit`.

    Carried until then, such an article is dated at least `age` ago, and so comes back as history.
    """
    row = KnownRow
    unseen = row.seen_at < func.now() - age - NOTED_EVERY
    undated = row.known["undated"].astext == "true"
    dated = (row.known["precision"].astext != "observed") & undated.is_not(True)
    old = select(row.article_id).where(unseen, dated).limit(limit)
    return tx.execute(delete(row).where(row.article_id.in_(old))).rowcount


def load_robots(tx: Connection, origins: Iterable[str]) -> dict[str, Robots]:
    """What is known of the robots.txt of these origins and still believed."""
    row = RobotsRow
    found = tx.execute(
        select(row.origin, row.rules, row.until).where(
            row.origin.in_(set(origins)), row.until > func.clock_timestamp()
        )
    )
    return {o: Robots(origin=o, rules=rules, until=until) for o, rules, until in found}


def remember_robots(tx: Connection, learned: Iterable[Robots]) -> None:
    """Write what was asked for, and forget what is believed no more."""
    upsert(tx, RobotsRow, [{"origin": r.origin, "rules": r.rules, "until": r.until} for r in learned])
    tx.execute(delete(RobotsRow).where(RobotsRow.until < func.now()))
