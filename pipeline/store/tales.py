"""What the storyteller remembers and writes: members, stories, releases."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import ARRAY, Connection, Text, cast, delete, select

from pipeline.store.aggregates import RELEASE, STORY, put
from pipeline.store.database import upsert
from pipeline.store.models import AssessmentRow, MemberRow, ReleaseRow
from pipeline.stories.values import Decision, Keys, Member, State
from schemas.messages import Assessment, Release
from schemas.topics import Topic


def current(tx: Connection, assessments: Sequence[Assessment]) -> list[Assessment]:
    """Those that are not older than the verdict in the store: a replay must not tell a story backwards."""
    row = AssessmentRow
    ids = {a.article_id for a in assessments}
    found = tx.execute(select(row.article_id, row.version).where(row.article_id.in_(ids)))
    versions = dict(found.all())
    return [a for a in assessments if a.version >= versions.get(a.article_id, 0)]


def load_state(tx: Connection, keys: Sequence[Keys]) -> State:
    """All that `keys` ask for, perhaps more: one window and one set of actors for the whole batch."""
    ids = sorted({k.article_id for k in keys})
    actors = sorted({actor for k in keys for actor in k.actors})
    since, until = min(k.since for k in keys), max(k.until for k in keys)
    member, release = MemberRow, ReleaseRow
    near = member.published_at.between(since, until) & member.actors.has_any(cast(actors, ARRAY(Text)))
    stories = select(member.story_id).where(member.article_id.in_(ids) | near)
    members = tx.scalars(select(member.body).where(member.story_id.in_(stories)))
    named = sorted({release_id for k in keys for release_id in k.releases})
    releases = tx.scalars(
        select(release.body).where(
            release.release_id.in_(named) | release.article_ids.has_any(cast(ids, ARRAY(Text)))
        )
    )
    return State(
        members=tuple(msgspec.convert(body, Member) for body in members),
        releases=tuple(msgspec.convert(body, Release) for body in releases),
    )


def save_decision(tx: Connection, stories: Topic, releases: Topic, decision: Decision) -> None:
    """Write what was decided and queue its events."""
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
        tx.execute(delete(MemberRow).where(MemberRow.article_id.in_(decision.left)))
    put(tx, STORY, stories, decision.stories)
    put(tx, RELEASE, releases, decision.releases)
