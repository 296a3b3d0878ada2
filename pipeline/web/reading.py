"""What the pages read of the store, with as much of publishers' words as they may show."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from pipeline.store import queries
from pipeline.store.queries import Judged
from schemas.messages import Release, Story
from schemas.republish import Words, republished


@dataclass(frozen=True)
class Reading:
    """One read of the store; `tx` is for what has no words of others."""

    tx: Connection
    words: Words = "full"

    def newest(self, limit: int, label: str | None = "core") -> list[Judged]:
        """As `queries.newest`."""
        return [self._judged(one) for one in queries.newest(self.tx, limit, label)]

    def judged(self, article_ids: Iterable[str]) -> dict[str, Judged]:
        """As `queries.judged`."""
        return {i: self._judged(one) for i, one in queries.judged(self.tx, article_ids).items()}

    def article(self, id_or_url: str) -> Judged | None:
        """As `queries.article`."""
        found = queries.article(self.tx, id_or_url)
        return found and self._judged(found)

    def stories(self, limit: int) -> list[Story]:
        """As `queries.stories`."""
        return [republished(one, self.words) for one in queries.stories(self.tx, limit)]

    def story(self, story_id: str) -> Story | None:
        """As `queries.story`."""
        found = queries.story(self.tx, story_id)
        return found and republished(found, self.words)

    def releases(self, limit: int = 50, products: Iterable[str] | None = None) -> list[Release]:
        """As `queries.releases`."""
        return [republished(one, self.words) for one in queries.releases(self.tx, limit, products)]

    def _judged(self, one: Judged) -> Judged:
        titles = self.words != "none"
        return replace(
            one,
            article=republished(one.article, self.words),
            assessment=republished(one.assessment, self.words),
            revisions=[(r, title if titles else "", feed, at) for r, title, feed, at in one.revisions],
        )
