"""What the storyteller remembers and writes: members, stories, releases."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import ARRAY, Column, Connection, DateTime, Text, delete, exists, select

from pipeline.store import outbox
from pipeline.store.aggregates import RELEASE, STORY, put
from pipeline.store.database import among, rows, upsert
from pipeline.store.models import AssessmentRow, ForgottenRow, MemberRow, ReleaseRow
from pipeline.stories.values import Decision, Keys, Member, State
from schemas.messages import Assessment, Release
from schemas.topics import Topic

_MOMENT = DateTime(timezone=True)
_ARTICLE: list[Column[Any]] = [Column("article_id", Text())]
_WINDOW: list[Column[Any]] = [
    Column("since", _MOMENT),
    Column("until", _MOMENT),
    Column("actors", ARRAY(Text)),
]


def current(tx: Connection, assessments: Sequence[Assessment]) -> list[Assessment]:
    """Those that are not older than the verdict in the store: a replay must not tell a story backwards.

    They come as they are stored, since their topic may have them with fewer words (`schemas.republish`). What
    was told of an article that retention has let go stays as it was told.
    """
    row, member, mark = AssessmentRow, MemberRow, ForgottenRow
    ids = {a.article_id for a in assessments}
    found = tx.execute(select(row.article_id, row.version, row.body).where(among(row.article_id, ids)))
    stored = {article_id: (version, body) for article_id, version, body in found}
    told = select(member.article_id).where(
        among(member.article_id, ids - stored.keys()), ~exists().where(mark.article_id == member.article_id)
    )
    stays = set(tx.scalars(told)) if ids - stored.keys() else set()
    newest = []
    for a in assessments:
        version, body = stored.get(a.article_id, (0, None))
        if a.version == version and body is not None:
            newest.append(msgspec.convert(body, Assessment))
        elif a.version >= version and a.article_id not in stays:
            newest.append(a)
    return newest


def load_state(tx: Connection, keys: Sequence[Keys]) -> State:
    """All that `keys` ask for, perhaps a little more."""
    ids = sorted({k.article_id for k in keys})
    member, release = MemberRow, ReleaseRow
    asked = rows(_WINDOW)
    # Found by time, since a window stays as large as it is while the articles of an actor become ever more.
    near = select(member.story_id).join(
        asked,
        member.published_at.between(asked.c.since, asked.c.until) & member.actors.has_any(asked.c.actors),
    )
    mine = select(member.story_id).where(among(member.article_id, ids))
    stories = tx.scalars(mine.union(near), {"rows": _windows(keys)})
    # Their ids, and no subquery: Postgres knows how few they are.
    members = tx.scalars(select(member.body).where(among(member.story_id, stories)))
    # One by one: all at once each release would be held against each article.
    each = rows(_ARTICLE)
    holding = select(release.release_id).join(each, release.article_ids.has_key(each.c.article_id))
    told = tx.scalars(holding, {"rows": [{"article_id": i} for i in ids]})
    named = {release_id for k in keys for release_id in k.releases}
    releases = tx.scalars(select(release.body).where(among(release.release_id, named.union(told))))
    return State(
        members=tuple(msgspec.convert(body, Member) for body in members),
        releases=tuple(msgspec.convert(body, Release) for body in releases),
    )


def homes(tx: Connection) -> dict[str, str]:
    """The story of every article that is in one."""
    return dict(tx.execute(select(MemberRow.article_id, MemberRow.story_id)).all())


def members(tx: Connection, article_ids: Collection[str]) -> dict[str, Member]:
    """Articles as they were placed, by id."""
    row = MemberRow
    found = tx.execute(select(row.article_id, row.body).where(among(row.article_id, article_ids)))
    return {article: msgspec.convert(body, Member) for article, body in found}


def release_ids(tx: Connection) -> list[str]:
    """Every release that was ever told of."""
    return list(tx.scalars(select(ReleaseRow.release_id)))


def save_decision(
    tx: Connection, stories: Topic, releases: Topic, decision: Decision, lane: int = outbox.NEWS
) -> None:
    """Write what was decided and queue its events in a lane of the outbox."""
    upsert(
        tx,
        MemberRow,
        [
            {
                "article_id": m.article.article_id,
                "story_id": m.story_id,
                "published_at": m.article.published_at,
                "actors": list(m.actors),
                "body": msgspec.to_builtins(m),
            }
            for m in decision.members
        ],
    )
    if decision.left:
        tx.execute(delete(MemberRow).where(among(MemberRow.article_id, decision.left)))
    put(tx, STORY, stories, decision.stories, lane)
    put(tx, RELEASE, releases, decision.releases, lane)


def _windows(keys: Sequence[Keys]) -> list[dict[str, Any]]:
    """The times asked for, joined where they overlap, each with the actors that are asked for in it.

    A batch can hold news and articles of years ago: it must not load all that lies between.
    """
    found: list[dict[str, Any]] = []
    for k in sorted(keys, key=lambda k: k.since):
        if found and k.since <= found[-1]["until"]:
            found[-1]["until"] = max(k.until, found[-1]["until"])
            found[-1]["actors"] |= k.actors
        else:
            found.append({"since": k.since, "until": k.until, "actors": set(k.actors)})
    return found
