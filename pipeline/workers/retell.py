"""Stories and release lines told anew from the stored verdicts, beside the live ones, then switched.

The verdicts are told by date, which is what a storyteller that nothing ever reached late would have told. The
live one is fenced by its lease from the first look to the switch, which is one transaction: whatever dies,
stories are either those of before or those of after. What comes meanwhile waits on the topic of verdicts, and
the storyteller goes on where it was; a verdict that was told already changes nothing.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain

from msgspec.structs import replace
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from pipeline.store import leases, outbox, tales
from pipeline.store.aggregates import RELEASE, STORY, load
from pipeline.store.shadow import analyse, shadow, verdicts
from pipeline.store.verdicts import ALWAYS, Window
from pipeline.stories.fold import story
from pipeline.stories.rebuilding import Agreement, agreement, heirs, keep_ids
from pipeline.stories.releases import release
from pipeline.stories.values import Decision
from pipeline.workers import storyteller
from pipeline.workers.strategy import LEASE_TTL, process_name
from schemas.messages import Release, Story
from schemas.topics import RELEASES, STORIES, Topic

PAGE = 500  # verdicts, stories or releases in hand at a time
EXAMPLES = 20  # of stories and of releases

State = Story | Release


@dataclass(frozen=True)
class Example:
    """A story or a release that changes: how it is told before and after, empty where it is not."""

    what: str
    id: str
    before: str
    after: str


@dataclass
class Retold:
    """What telling anew changes. `stories` and `releases` count the new, the changed and the gone."""

    verdicts: int
    agreement: Agreement
    stories: Counter[str] = field(default_factory=Counter)
    releases: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)

    def differs(self, what: str, id: str, old: State | None, new: State) -> bool:
        """Whether a state is another one than the live one; counts it if so."""
        if old and replace(old, version=0) == replace(new, version=0):
            return False
        counts = self.stories if isinstance(new, Story) else self.releases
        counts["gone" if not _tells(new) else "changed" if _tells(old) else "new"] += 1
        if sum(example.what == what for example in self.examples) < EXAMPLES:
            self.examples.append(Example(what, id, _words(old), _words(new)))
        return True


def retell(
    engine: Engine,
    topics: Mapping[str, Topic],
    leader: str,
    window: Window = ALWAYS,
    *,
    compare: bool = False,
) -> Retold:
    """Tell anew what was published within `window`, and the stories that reach into it; what that changes.

    `leader` is the name of the storyteller's lease. With `compare` nothing is written and nobody is fenced:
    what comes meanwhile shows as a change too.
    Raises LeaseLostError, having written nothing, where another process took the lease.
    """
    if compare:
        with shadow(engine, window) as built:
            told = _build(built, topics, window)
            with engine.connect() as tx:
                return _switch(tx, built, topics, told, write=False)
    with engine.begin() as tx:
        lease = leases.seize(tx, leader, process_name(), LEASE_TTL)
    with _holding(engine, lease) as let_go, shadow(engine, window) as built:
        told = _build(built, topics, window)
        let_go()
        with engine.begin() as tx:
            leases.hold(tx, lease, LEASE_TTL)  # locked to the end: nobody tells anything in between
            done = _switch(tx, built, topics, told, write=True)
    with engine.begin() as tx:
        leases.release(tx, lease)
    return done


@contextmanager
def _holding(engine: Engine, lease: leases.Lease) -> Iterator[Callable[[], None]]:
    """Renew a lease beside the work, until the function that is given is called or the work ends."""
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(LEASE_TTL.total_seconds() / 4):
            with suppress(DBAPIError, leases.LeaseLostError), engine.begin() as tx:
                leases.hold(tx, lease, LEASE_TTL)  # where it is lost, the switch says so

    thread = threading.Thread(target=renew, name="lease")

    def let_go() -> None:
        stop.set()
        thread.join()

    thread.start()
    try:
        yield let_go
    finally:
        let_go()


def _build(built: Connection, topics: Mapping[str, Topic], window: Window) -> int:
    """Tell the verdicts into the shadow; how many there are."""
    told, pages, after = 0, 0, (ALWAYS[0], "")
    while True:
        page, after = verdicts(built, window, after, PAGE)
        if not page:
            built.commit()
            return told
        storyteller.tell(built, topics, page)
        told, pages = told + len(page), pages + 1
        if pages & (pages - 1) == 0:  # after 1, 2, 4, 8 … pages
            analyse(built)
        built.commit()


def _switch(
    tx: Connection, built: Connection, topics: Mapping[str, Topic], told: int, *, write: bool
) -> Retold:
    """Bring the live tables to the shadow's, or only see what that would change."""
    raw, live = tales.homes(built), tales.homes(tx)
    new = keep_ids(raw, live)
    gone = heirs(new, live)
    done = Retold(told, agreement(new, live))
    changes = (
        _stories(tx, built, new, done),
        _gone(tx, gone, done),
        _releases(tx, built, done),
        [Decision(members=(), left=tuple(sorted(live.keys() - new.keys())), stories=(), releases=())],
    )
    for decision in chain.from_iterable(changes):
        if write:
            tales.save_decision(tx, topics[STORIES], topics[RELEASES], decision, outbox.HISTORY)
    return done


def _stories(tx: Connection, built: Connection, new: Mapping[str, str], done: Retold) -> Iterator[Decision]:
    """The stories that there are now, and their members, where they differ from the live ones."""
    articles: dict[str, list[str]] = {}
    for article, story_id in sorted(new.items()):
        articles.setdefault(story_id, []).append(article)
    for page in _pages(sorted(articles)):
        ids = [article for story_id in page for article in articles[story_id]]
        placed = tales.members(built, ids)
        members = {i: replace(placed[i], story_id=new[i]) for i in ids}
        old, before = load(tx, STORY, page), tales.members(tx, ids)
        states = [story([members[i] for i in articles[story_id]]) for story_id in page]
        yield Decision(
            members=tuple(m for i, m in members.items() if before.get(i) != m),
            left=(),
            stories=tuple(s for s in states if done.differs("story", s.story_id, old.get(s.story_id), s)),
            releases=(),
        )


def _gone(tx: Connection, gone: Mapping[str, str | None], done: Retold) -> Iterator[Decision]:
    """The last state of stories that there are no more: they say where most of their articles went."""
    for page in _pages(sorted(gone)):
        last = []
        for story_id, old in sorted(load(tx, STORY, page).items()):
            state = replace(old, title="", articles=[], merged_into=gone[story_id])
            if done.differs("story", story_id, old, state):
                last.append(state)
        yield Decision(members=(), left=(), stories=tuple(last), releases=())


def _releases(tx: Connection, built: Connection, done: Retold) -> Iterator[Decision]:
    """The release lines that differ; one that nobody tells of any more has no statements."""
    for page in _pages(sorted({*tales.release_ids(built), *tales.release_ids(tx)})):
        old, new = load(tx, RELEASE, page), load(built, RELEASE, page)
        states = [new.get(i) or release(i, old[i].actor, old[i].product, []) for i in page]
        found = [r for r in states if done.differs("release", r.release_id, old.get(r.release_id), r)]
        yield Decision(members=(), left=(), stories=(), releases=tuple(found))


def _pages(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + PAGE] for at in range(0, len(ids), PAGE))


def _words(state: State | None) -> str:
    """A state in a line; empty where it tells of nothing."""
    if isinstance(state, Story) and state.articles:
        return f"{state.title} ({len(state.articles)} articles, {state.status})"
    if isinstance(state, Story) and state.merged_into:
        return f"in {state.merged_into}"
    if isinstance(state, Release) and state.statements:
        told = f"{len(state.statements)} statements, {state.slips} slips"
        return f"{state.product}: {state.status}, {state.expected or 'no date'} ({told})"
    return ""


def _tells(state: State | None) -> bool:
    return bool(state and (state.articles if isinstance(state, Story) else state.statements))
