"""Every question that is asked of the store and every write to it, as workers, pages and commands make them.

On a store that `tests.filled` made: what is asked for is recent, as it is in earnest, and differs from call
to call. `bench.store` times them, `tests/integration/test_indexes.py` explains their statements.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, text

from pipeline.classify.labels import Change
from pipeline.feeds.outcomes import Known
from pipeline.feeds.values import Feed, FeedState, Robots
from pipeline.store import (
    aggregates,
    announced,
    backup,
    balance,
    claims,
    corrections,
    dead_letters,
    feeds,
    known,
    leases,
    outbox,
    progress,
    queries,
    registry,
    retention,
    roles,
    shadow,
    takedown,
    tales,
    tracing,
    verdicts,
    views,
    witness,
)
from pipeline.stories import Keys
from pipeline.workers import storyteller
from schemas.messages import Actor, Article, Assessment, DeadLetter, FeedRef, Product
from schemas.topics import ARTICLES, ASSESSMENTS, RELEASES, STORIES, topics
from tests.samples import StubClassifier, dead_letter

TOPICS = topics()
_DAY, _YEARS = timedelta(days=1), timedelta(days=3650)
_RECENT = (
    "SELECT article_id FROM articles ORDER BY published_at DESC LIMIT 2000",
    "SELECT url FROM articles ORDER BY published_at DESC LIMIT 2000",
    "SELECT story_id FROM stories ORDER BY last_published_at DESC LIMIT 2000",
    "SELECT release_id FROM releases ORDER BY last_published_at DESC LIMIT 2000",
    "SELECT article_id, published_at, actors->>0 FROM story_members ORDER BY published_at DESC LIMIT 2000",
)


@dataclass
class Filled:
    """A filled store, and what to ask it for."""

    engine: Engine
    batch: int
    random: Random
    ids: Sequence[str]
    urls: Sequence[str]
    stories: Sequence[str]
    releases: Sequence[str]
    core: Sequence[tuple[str, datetime, str]]  # article, when, actor

    @classmethod
    def of(cls, engine: Engine, batch: int = 500) -> "Filled":
        """Look up what is recent; a worker's batch has that many."""
        random = Random(1)  # noqa: S311
        with engine.connect() as tx:
            ids, urls, stories, releases, core = (
                [tuple(r) for r in tx.execute(text(sql))] for sql in _RECENT
            )
        return cls(
            engine,
            batch,
            random,
            *([one for (one,) in column] for column in (ids, urls, stories, releases)),
            core,
        )

    def some(self, of: Sequence[Any], count: int) -> list[Any]:
        return self.random.sample(of, min(count, len(of)))

    def articles(self, count: int = 0) -> list[Article]:
        """Articles that nobody has seen yet."""
        now = datetime.now(UTC)
        return [
            Article(
                article_id=secrets.token_hex(12),
                revision=secrets.token_hex(8),
                kind="article",
                url=f"https://news.example/{secrets.token_hex(8)}",
                title=f"OpenAI releases GPT-{n}",
                text=secrets.token_hex(500),
                language="en",
                published_at=now - timedelta(minutes=n),
                published_precision="second",
                observed_at=now,
                feed=FeedRef(id=f"feed-{n % 100}", kind="press", rank=2),
            )
            for n in range(count or self.batch)
        ]

    def verdicts(self, articles: Sequence[Article]) -> list[Assessment]:
        """One in seven is core and moved by one of the actors of the store."""
        found = []
        for n, given in enumerate(articles):
            verdict = StubClassifier().assess(given)
            spans = verdict.status_spans
            actor = self.random.choice(self.core)[2]
            relevance = msgspec.structs.replace(verdict.relevance, label="none" if n % 7 else "core")
            actors = [Actor(id=actor, role="mover", spans=spans)]
            products = [Product(name=f"GPT-{n}", actor=actor, spans=spans)]
            found.append(
                msgspec.structs.replace(verdict, relevance=relevance, actors=actors, products=products)
            )
        return found

    def asked(self) -> list[Keys]:
        """What a storyteller's batch asks for."""
        return [
            Keys(
                article_id=article,
                actors=frozenset({actor}),
                since=at - 7 * _DAY,
                until=at + 7 * _DAY,
                releases=frozenset(self.some(self.releases, 1)),
            )
            for article, at, actor in self.core[: self.batch // 7]
        ]

    def letters(self, count: int = 5) -> list[DeadLetter]:
        now = datetime.now(UTC)
        return [
            dead_letter(
                ARTICLES,
                offset=secrets.randbelow(2**40) + 10_000,
                timestamp=now,
                value=b"{}",
                errors=["broken"],
                fingerprint="f1",
                failed_at=now,
            )
            for _ in range(count)
        ]

    def published(self) -> list[witness.Published]:
        """Records of the articles topic: most are stored."""
        now, found = datetime.now(UTC), []
        for n, given in enumerate(self.articles()):
            stored = msgspec.structs.replace(given, article_id=self.ids[n] if n % 50 else given.article_id)
            found.append(witness.Published(ARTICLES, n % 12, n, now, 1, stored.article_id, stored))
        return found


Run = Callable[[Connection, Filled], object]


@dataclass(frozen=True)
class Call:
    """A question or a write; one that `stays` is committed when it is timed.

    `whole` are the tables that it may read as a whole, and `why` says for which reason.
    """

    name: str
    run: Run
    stays: bool = False
    whole: frozenset[str] = frozenset()
    why: str = ""

    def reads(self, tables: str, why: str) -> "Call":
        """The same with tables that it may read as a whole."""
        return replace(self, whole=frozenset(tables.split()), why=why)


def calls() -> Iterator[Call]:
    """All of them, those of workers first."""
    yield Call("classifier: a batch", _classify, stays=True)
    yield Call("classifier: the same again", _classify_again)
    yield Call("storyteller: a batch", _tell, stays=True)
    yield Call("storyteller: load_state", lambda tx, s: tales.load_state(tx, s.asked()))
    yield Call("storyteller: load_state of old news", _load_old)
    yield Call("poller: load_known", lambda tx, s: known.load_known(tx, _carried(s)))
    yield Call("poller: forgotten", lambda tx, s: takedown.forgotten(tx, _carried(s)))
    yield Call("poller: choose", _choose)
    yield Call("poller: remember", _remember)
    yield Call("poller: registry", _register)
    yield Call("relay: take and remove", _relay)
    yield Call("relay: recover", lambda tx, s: outbox.remove_events(tx, ASSESSMENTS, _events(s))).reads(
        "outbox", "the same, of few records; an index would cost with every row"
    )
    yield Call("relay: pending_topics", lambda tx, s: outbox.pending_topics(tx)).reads(
        "outbox", "once, when a relay begins to lead"
    )
    yield Call("outbox: size", lambda tx, s: (outbox.size(tx), outbox.size(tx, outbox.HISTORY))).reads(
        "outbox", "it is counted, and small while all is well"
    )
    yield Call("worker: claims", _claims)
    yield Call("worker: leases", _lead)
    yield Call("worker: offsets", _offsets)
    yield Call("worker: dead letters", _fail)
    yield Call("page: newest", lambda tx, s: queries.newest(tx, 500))
    yield Call("page: newest of all", lambda tx, s: queries.newest(tx, 500, None))
    yield Call("command: articles of no matter", lambda tx, s: queries.newest(tx, 500, "none"))
    yield Call("page: overview", lambda tx, s: queries.overview(tx)).reads(
        "outbox dead_letters", "both are counted, and small while all is well"
    )
    yield Call("page: stories", lambda tx, s: queries.stories(tx, 10))
    yield Call("page: releases", lambda tx, s: queries.releases(tx, 8))
    yield Call("page: article", lambda tx, s: _there(queries.article(tx, *s.some(s.ids, 1))))
    yield Call("page: article by url", lambda tx, s: _there(queries.article(tx, *s.some(s.urls, 1))))
    yield Call(
        "page: article by beginning", lambda tx, s: _there(queries.article(tx, s.some(s.ids, 1)[0][:16]))
    )
    yield Call("page: no article", lambda tx, s: queries.article(tx, secrets.token_hex(12)))
    yield Call("page: story", _story)
    yield Call("page: why", _why).reads("dead_letters polls", "of the newest alone, so many and no more")
    yield Call("page: correct", _correct)
    yield Call(
        "command: feedback", lambda tx, s: (corrections.listed(tx, 50), list(corrections.labelled(tx)))
    ).reads("corrections", "a training reads them all")
    yield Call("page: feeds", lambda tx, s: queries.feeds(tx))
    yield Call("demo: polled", lambda tx, s: queries.polled(tx)).reads(
        "polls", "only the demo asks, of its own few polls"
    )
    yield Call("page: readers", lambda tx, s: (queries.readers(tx), balance.last(tx)))
    yield Call("demo: delays", lambda tx, s: queries.delays(tx, 500))
    yield Call("command: dead letters", _inspect).reads(
        "dead_letters", "a summary by state; retention keeps it small"
    )
    yield Call("command: redrive", _redrive)
    yield Call("command: take down articles", lambda tx, s: _forget(tx, s.some(s.ids, 5))).reads(
        "dead_letters", "rare, and retention keeps it small"
    )
    yield Call(
        "command: take down a feed", lambda tx, s: _forget(tx, takedown.of_feed(tx, "feed-7", 50))
    ).reads("dead_letters story_members", "rare; stories may name what retention has let go")
    yield Call("command: count of a feed", lambda tx, s: takedown.count_of_feed(tx, "feed-7")).reads(
        "story_members", "the same"
    )
    yield Call("command: rebuild a topic", _rebuild)
    yield Call("command: rename a feed", lambda tx, s: registry.rename(tx, "feed-8", "feed-eight")).reads(
        "known_articles", "once in a feed's life; an index would cost with every poll"
    )
    yield Call("command: restore", _restore).reads("revisions", "once after a disaster, all is compared")
    yield Call("command: retell", _retell).reads(
        "story_members releases assessments", "what is not told anew is copied"
    )
    yield Call("command: migrate", lambda tx, s: (views.drop(tx), views.create(tx), roles.keep(tx)))
    yield Call("command: grant", _grant)
    yield Call("flow: reassess", lambda tx, s: verdicts.articles_to_assess(tx, "other", s.ids[0], s.batch))
    yield Call("flow: reassess a week", _reassess_week)
    yield Call("flow: reassess, nothing to do", _reassess_nothing).reads(
        "articles assessments", "each is looked at, which is the task"
    )
    yield Call("flow: maintain polls", lambda tx, s: retention.old_polls(tx, 25 * _DAY, s.batch))
    yield Call("flow: maintain polls, none", lambda tx, s: retention.old_polls(tx, _YEARS, s.batch))
    yield Call("flow: maintain articles", _let_go)
    yield Call("flow: maintain letters", lambda tx, s: retention.settled_letters(tx, 80 * _DAY, s.batch))
    yield Call("flow: maintain memory", lambda tx, s: known.forget(tx, 10 * _DAY, s.batch))
    yield Call("flow: maintain memory, none", lambda tx, s: known.forget(tx, 3 * _YEARS, s.batch))
    yield Call("flow: reconcile a day", _reconcile).reads(
        "outbox dead_letters", "once an hour, and small while all is well"
    )


def _carried(s: Filled) -> list[str]:
    """What a batch of polls reads: most is known."""
    return [*s.some(s.ids, s.batch), *(secrets.token_hex(12) for _ in range(s.batch // 5))]


def _there(found: object) -> None:
    assert found is not None


def _save(tx: Connection, s: Filled, articles: Sequence[Article]) -> list[Assessment]:
    takedown.forgotten(tx, [a.article_id for a in articles])
    found = {(v.article_id, v.revision): v for v in s.verdicts(articles)}
    verdicts.save_articles(tx, articles)
    return verdicts.save_assessments(tx, TOPICS[ASSESSMENTS], [a.article_id for a in articles], found)


def _classify(tx: Connection, s: Filled) -> None:
    assert len(_save(tx, s, s.articles())) == s.batch


def _classify_again(tx: Connection, s: Filled) -> None:
    """Sightings of stored articles, and their rows as they are."""
    now = datetime.now(UTC)
    ids = s.some(s.ids, s.batch)
    seen = [
        msgspec.structs.replace(a, article_id=i, kind="sighting", observed_at=now)
        for a, i in zip(s.articles(), ids, strict=False)
    ]
    _save(tx, s, seen)


def _tell(tx: Connection, s: Filled) -> None:
    storyteller.tell(tx, TOPICS, s.verdicts(s.articles()))


def _load_old(tx: Connection, s: Filled) -> None:
    """Half of the batch is history of two weeks long ago."""
    newest = s.core[0][1]
    tales.load_state(tx, [*s.asked(), *(_moved(k, newest) for k in s.asked())])


def _moved(k: Keys, newest: datetime) -> Keys:
    back = (newest - k.since) * 2
    return Keys(
        article_id=k.article_id,
        actors=k.actors,
        since=k.since - back,
        until=k.until - back,
        releases=k.releases,
    )


def _choose(tx: Connection, s: Filled) -> None:
    registry.is_at(tx, "digest")
    registry.revive(tx)
    registry.unregistered(tx, ["feed-1"])
    registry.registered(tx)
    registry.languages(tx)
    feeds.count_due(tx)
    feeds.claim(tx, "owner", 100, timedelta(minutes=5))
    feeds.held(tx)
    feeds.still_held(tx, "owner", ["feed-1"])
    feeds.give_back(tx, "owner")


def _remember(tx: Connection, s: Filled) -> None:
    feeds.serialise_publishing(tx)
    now = datetime.now(UTC)
    learned = [
        Known(
            article_id=a.article_id,
            owner=a.feed.id,
            owner_rank=2,
            text_length=1000,
            revision=a.revision,
            title_digest="t",
            published_at=a.published_at,
            precision="second",
            observed_at=now,
            carriers=frozenset({a.feed.id}),
        )
        for a in s.articles(s.batch // 5)
    ]
    again = known.load_known(tx, s.some(s.ids, 20)).values()
    states = [
        FeedState(feed_id=f"feed-{n}", next_poll_at=now, moved_to=f"https://x.example/{n}") for n in range(50)
    ]
    polls = [feeds.Poll(feed_id=f"feed-{n}", at=now, fetch="ok", detail="", entries=30) for n in range(50)]
    feeds.occupied(tx, states)
    feeds.remember(tx, [*learned, *again], states, polls)
    feeds.hold(tx, {"x.example": now + _DAY})
    known.remember_robots(tx, [Robots(origin="https://1.example", rules="", until=now + _DAY)])
    known.load_robots(tx, ["https://1.example", "https://2.example"])


def _register(tx: Connection, s: Filled) -> None:
    stored = registry.stored(tx)
    new = Feed(id="new", url="https://new.example/f", title="New", language="en", kind="press", rank=2)
    registry.sync_registry(tx, [*stored, new], "other")


def _events(s: Filled) -> list[str]:
    return [f"e-{n}" for n in range(0, 2 * s.batch, 2)]


def _relay(tx: Connection, s: Filled) -> None:
    outbox.remove(tx, [row.seq for row in outbox.take(tx, s.batch)])


def _claims(tx: Connection, s: Filled) -> None:
    place = (ARTICLES, 0)
    claims.claim(tx, "classifier", "other", [place])
    claims.beat(tx, "classifier", "other")
    claims.go(tx, "classifier", "other", {place: 50})
    claims.begin(tx, "classifier", place, 7)
    claims.survive(tx, "classifier", place, 7)
    claims.claims(tx, "classifier")
    claims.release(tx, "classifier", "other", [place])


def _lead(tx: Connection, s: Filled) -> None:
    leases.acquire(tx, "relay", "me", _DAY)
    lease = leases.seize(tx, "relay", "me", _DAY)
    leases.hold(tx, lease, _DAY)
    leases.release(tx, lease)


def _offsets(tx: Connection, s: Filled) -> None:
    place = (ARTICLES, 0)
    progress.save_offsets(tx, "classifier", {place: 7})
    progress.load_offsets(tx, "classifier", [place])
    progress.save_checkpoints(tx, {place: 7})
    progress.load_checkpoints(tx, ARTICLES)


def _fail(tx: Connection, s: Filled) -> None:
    dead_letters.add(tx, TOPICS[f"{ARTICLES}.dead-letters"], s.letters())
    dead_letters.settle(tx, [2801], [2802])


def _inspect(tx: Connection, s: Filled) -> None:
    dead_letters.counts(tx)
    dead_letters.groups(tx, dead_letters.Selection())
    dead_letters.letters(tx, dead_letters.Selection(fingerprint="f1"))
    dead_letters.letter(tx, 2900)


def _redrive(tx: Connection, s: Filled) -> None:
    numbers = dead_letters.numbers(tx, dead_letters.Selection(), limit=50)
    dead_letters.redrive(tx, TOPICS, numbers)
    dead_letters.discard(tx, dead_letters.Selection(fingerprint="f2"))


def _forget(tx: Connection, ids: Sequence[str]) -> None:
    assert takedown.forget(tx, TOPICS[ASSESSMENTS], ids)["articles"] == len(ids)


def _story(tx: Connection, s: Filled) -> None:
    found = queries.story(tx, *s.some(s.stories, 1))
    assert found is not None
    queries.judged(tx, [a.article_id for a in found.articles])
    queries.releases(tx, products=found.products)


def _why(tx: Connection, s: Filled) -> None:
    (article,) = s.some(s.ids, 1)
    assert tracing.resolve(tx, article[:16]) == article
    url = tracing.address(tx, article) or ""
    assert tracing.trace(tx, article, ["x.example"], [url], lambda label, base: False).article


def _correct(tx: Connection, s: Filled) -> None:
    (article,) = s.some([i for i, *_ in s.core], 1)
    corrections.add(tx, article, Change(status="denied"), "somebody", "")
    assert corrections.listed(tx, 20, article)


def _let_go(tx: Connection, s: Filled) -> None:
    assert retention.old_articles(tx, 10 * _DAY, s.batch, topic=TOPICS[ASSESSMENTS]) == s.batch
    retention.let_go(tx, s.articles(), 10 * _DAY)


def _grant(tx: Connection, s: Filled) -> None:
    name = f"bench_{secrets.token_hex(4)}"  # logins are the whole server's, and others run beside this
    tx.execute(text(f"CREATE ROLE {name} LOGIN"))
    roles.grant(tx, [name], [])


def _rebuild(tx: Connection, s: Filled) -> None:
    aggregates.announce(tx, aggregates.ASSESSMENT, TOPICS[ASSESSMENTS], s.ids[0], s.batch)


def _restore(tx: Connection, s: Filled) -> None:
    backup.objection(tx, replace=False)
    backup.settle(tx, {(ARTICLES, n): 2000 for n in range(12)})


def _retell(tx: Connection, s: Filled) -> None:
    tales.homes(tx)
    tales.members(tx, [i for i, *_ in s.core[:50]])
    tales.release_ids(tx)
    now = datetime.now(UTC)
    window = (now - 7 * _DAY, now)
    with shadow.shadow(s.engine, window) as built:
        shadow.analyse(built)
        shadow.verdicts(built, window, (window[0], ""), s.batch)


def _reassess_week(tx: Connection, s: Filled) -> None:
    now = datetime.now(UTC)
    verdicts.articles_to_assess(tx, "other", "", s.batch, (now - 7 * _DAY, now))


def _reassess_nothing(tx: Connection, s: Filled) -> None:
    verdicts.articles_to_assess(tx, "classifier-1", "", s.batch)


def _reconcile(tx: Connection, s: Filled) -> None:
    since = datetime.now(UTC) - _DAY
    with witness.snapshot(s.engine) as (proof, at):
        page = s.published()
        witness.polls(proof, since)
        witness.carry(proof, page)
        witness.fates(proof, page, since - _YEARS)
        witness.memories(proof, since, since - _YEARS)
        witness.strangers(proof, since, at)
        for name, aggregate in aggregates.AGGREGATES.items():
            known_ids = {ASSESSMENTS: s.ids, STORIES: s.stories, RELEASES: s.releases}[name]
            state = {"topic": name, "version": 9, "gone": False, "place": "here"}
            witness.announce(proof, [state | {"key": key} for key in known_ids[: s.batch]])
            announced.unannounced(proof, tx, aggregate, name, since)
            announced.unknown(proof, tx, aggregate, name)
        announced.letters(proof, ARTICLES, f"{ARTICLES}.dead-letters", since)
        balance.save(tx, balance.Balance(at, since, [], [], 0))
