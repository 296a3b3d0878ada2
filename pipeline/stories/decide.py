"""The storyteller's decision: where each article belongs, and which stories and releases change by it.

No clock: the only time is the articles' own `published_at`, so that a replay decides the same. Guaranteed:

- the order inside a batch does not matter (of an article that comes twice, the last one counts);
- a stream of articles sorted by date and id gives the same stories wherever it is cut into batches;
- an assessment that was decided before changes nothing.

An article that comes late may found a story of its own that it would have shared had it come in time.
"""

from collections import defaultdict
from collections.abc import Iterable

from msgspec.structs import replace

from pipeline.stories.facts import acting, member_of, story_id_of
from pipeline.stories.fold import centre, story
from pipeline.stories.likeness import fit
from pipeline.stories.releases import retell, statements
from pipeline.stories.values import Decision, Keys, Member, Settings, State
from schemas.messages import Assessment, Story


def lookup(assessment: Assessment, settings: Settings) -> Keys:
    """What must be in `State` before the assessment is decided."""
    return Keys(
        article_id=assessment.article_id,
        actors=frozenset(acting(assessment)),
        since=assessment.published_at - settings.window,
        until=assessment.published_at + settings.window,
        releases=frozenset(statements(assessment)),
    )


def decide(assessments: Iterable[Assessment], state: State, settings: Settings) -> Decision:
    """Place a batch of assessments, given what their `lookup`s have loaded."""
    last = {a.article_id: a for a in assessments}
    board = _Board(state, settings)
    for assessment in sorted(last.values(), key=lambda a: (a.published_at, a.article_id)):
        board.place(assessment)
        board.tell(assessment)
    return board.decision()


def cluster(assessments: Iterable[Assessment], settings: Settings | None = None) -> dict[str, str | None]:
    """The story of every article, None where it has none (not core), decided from nothing."""
    batch = list(assessments)
    decision = decide(batch, State(), settings or Settings())
    placed = {m.article.article_id: m.story_id for m in decision.members}
    return {a.article_id: placed.get(a.article_id) for a in batch}


class _Board:
    """The working copy of a batch: who is where now, and how it was before."""

    def __init__(self, state: State, settings: Settings) -> None:
        self._settings = settings
        self._before = {m.article.article_id: m for m in state.members}
        self._home: dict[str, Member] = {}
        self._stories: dict[str, dict[str, Member]] = defaultdict(dict)
        self._centres: dict[str, Member] = {}
        self._of_actor: dict[str, set[str]] = defaultdict(set)  # a sieve; may name too many
        self._known = {r.release_id: r for r in state.releases}
        self._releases = dict(self._known)
        self._told: dict[str, set[str]] = defaultdict(set)
        for release in state.releases:
            for statement in release.statements:
                self._told[statement.article_id].add(release.release_id)
        for member in state.members:
            self._put(member)

    def place(self, assessment: Assessment) -> None:
        """Find an article's story, or found one."""
        old = self._home.get(assessment.article_id)
        if assessment.relevance.label != "core":
            self._take(old)  # stories tell the race and nothing else
            return
        own = story_id_of(assessment.article_id)
        new = member_of(assessment, old.story_id if old else own)
        if new == old:
            return  # nothing that counts has changed: no article moves by itself
        if old and len(self._stories[old.story_id]) > 1:
            middle = self._centres[old.story_id]
            if middle == old or fit(middle, new, self._settings) is not None:
                self._put(new)  # a corrected title must not tear a story apart
                return
            new = replace(new, story_id=own)
        self._take(old)
        self._put(replace(new, story_id=self._best(new) or new.story_id))

    def tell(self, assessment: Assessment) -> None:
        """Enter what an article states about releases."""
        ids = statements(assessment).keys() | self._told[assessment.article_id]
        for release in retell([self._releases[i] for i in ids if i in self._releases], assessment):
            self._releases[release.release_id] = release

    def decision(self) -> Decision:
        """What differs from before."""
        changed = [m for i, m in sorted(self._home.items()) if self._before.get(i) != m]
        ids = {m.article.article_id for m in changed} | (self._before.keys() - self._home.keys())
        touched = {m.story_id for i in ids for m in (self._before.get(i), self._home.get(i)) if m}
        return Decision(
            members=tuple(changed),
            left=tuple(sorted(self._before.keys() - self._home.keys())),
            stories=tuple(s for s in map(self._changed, sorted(touched)) if s),
            releases=tuple(r for i, r in sorted(self._releases.items()) if r is not self._known.get(i)),
        )

    def _changed(self, story_id: str) -> Story | None:
        """A story's new state, None where it is the old one."""
        members = self._stories[story_id].values()
        before = [m for m in self._before.values() if m.story_id == story_id]
        if members:
            new = story(members)
            return None if before and new == story(before) else new
        old = story(before)
        heir = self._home.get(old.articles[-1].article_id)
        # The title was an article's, which may have been taken down.
        return replace(old, title="", articles=[], merged_into=heir.story_id if heir else None)

    def _best(self, new: Member) -> str | None:
        """The story whose centre an article fits best; the older one where two fit alike."""
        near = {story_id for actor in new.actors for story_id in self._of_actor[actor]}
        found = []
        for story_id in near:
            middle = self._centres.get(story_id)
            how = fit(middle, new, self._settings) if middle else None
            if middle and how is not None:
                found.append((-how, middle.article.published_at, story_id))
        return min(found)[2] if found else None

    def _put(self, member: Member) -> None:
        self._home[member.article.article_id] = member
        self._stories[member.story_id][member.article.article_id] = member
        self._centres[member.story_id] = centre(self._stories[member.story_id].values())
        for actor in member.actors:
            self._of_actor[actor].add(member.story_id)

    def _take(self, member: Member | None) -> None:
        if member:
            del self._home[member.article.article_id]
            rest = self._stories[member.story_id]
            del rest[member.article.article_id], self._centres[member.story_id]
            if rest:
                self._centres[member.story_id] = centre(rest.values())
