"""From an article to its assessment: the one way through the room.

Finds names and signals in one pass, settles who is meant, weighs the evidence and writes down every label
with the article's own words that carry it. Pure: the lexicon comes in as bytes, nothing is remembered.
"""

import hashlib
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import UTC

from msgspec import Struct

from schemas.messages import Actor as NamedActor
from schemas.messages import Amount, Article, Assessment, Event, Product, Relevance

from .amount_table import AmountTable
from .amounts import AmountReader
from .dates import DateReader, DateTable
from .entities import Mention, ProductGrammar, entries, settle
from .evidence import mentioned, span, spans
from .folding import Folded
from .forecast import expected
from .lexicon import EVENTS, STATUSES, Actor, SignalFile, actor_file, signal_file, table
from .matcher import Hit
from .passages import opening, sections
from .role_table import RoleTable
from .roles import RoleReader
from .scoring import LinearLayer, Matrix, Weighed, editor_weights, log_odds, probability
from .signals import TOPICS, Place, shape_features, signal_features
from .spotting import Cue, Spotter

# Grows with every change of code that may change a verdict; data changes the digest by itself.
_CODE = "10"
# As much of an article is read, in characters: more than any newspaper prints, and a bound on hostile ones.
READ_TITLE, READ_TEXT = 1_000, 100_000
_STATUSES = [f"status-{status}" for status in STATUSES]
# The host of an address (urlsplit takes almost five times as long).
_HOST = re.compile(r"https?://(?:[^/?#@]*@)?([^/?#:@]+)", re.IGNORECASE)


class Settings(Struct, frozen=True, kw_only=True):
    """Where the lines are drawn.

    `core`, `focus`: least probabilities against none and against peripheral. `event`: least probability of an
    event after the first. A text of up to `short` characters is a summary: it has at most `products`, and
    what it names behind `opening` characters is background, which is not counted.
    """

    core: float = 0.45
    focus: float = 0.2
    event: float = 0.25
    events: int = 3
    products: int = 5
    amounts: int = 20
    short: int = 2_000
    opening: int = 400
    spans: int = 8


class _Reading(Struct):
    """An article read: its fields, their cues and signals, who is meant, whose site it is on, its weights."""

    fields: tuple[Folded, Folded]
    cues: list[Hit[Cue]]
    signals: set[str]
    mentions: list[Mention]
    own: str
    weighed: Weighed


class Classifier:
    """Assesses articles. Immutable once built; safe to share between threads."""

    def __init__(
        self,
        actors: Sequence[Actor],
        signals: Sequence[SignalFile],
        tables: Mapping[str, bytes],
        settings: Settings,
        version: str,
    ) -> None:
        self.version = version
        self._settings = settings
        self._likely = log_odds(settings.event)
        self._kinds = {actor.id: actor.kind for actor in actors}
        self._sites = {site: actor.id for actor in actors for site in actor.sites}
        self._spotter = Spotter(
            entries(actors, table("products.yaml", tables, ProductGrammar)),
            [signal for file in signals for signal in file.signals],
        )
        self._roles = RoleReader(table("roles.yaml", tables, RoleTable), self._kinds)
        self._dates = DateReader(table("dates.yaml", tables, DateTable))
        self._amounts = AmountReader(table("amounts.yaml", tables, AmountTable))
        self._layer = LinearLayer(editor_weights(signals), table("weights.json", tables, Matrix))

    @property
    def settings(self) -> Settings:
        """Where the lines are drawn."""
        return self._settings

    @classmethod
    def build(
        cls,
        actors: Mapping[str, bytes],
        signals: Mapping[str, bytes],
        tables: Mapping[str, bytes],
        settings: Settings | None = None,
    ) -> "Classifier":
        """Build from files by name (see lexicon.py). Raises LexiconError, naming the file."""
        settings = settings or Settings()
        digest = hashlib.sha256(f"{_CODE} {settings}".encode())
        for kind, files in (("actors", actors), ("signals", signals), ("tables", tables)):
            for name in sorted(files):
                digest.update(f"\0{kind}/{name}\0".encode() + hashlib.sha256(files[name]).digest())
        return cls(
            [actor_file(name, actors[name]) for name in sorted(actors)],
            [signal_file(name, signals[name]) for name in sorted(signals)],
            tables,
            settings,
            digest.hexdigest()[:16],
        )

    def weighed(self, article: Article) -> Weighed:
        """What the linear layer weighs of an article: the features of its opening."""
        return self._read(article).weighed

    def assess(self, article: Article) -> Assessment:
        """The verdict on an article, with its evidence. Never raises on any text."""
        reading = self._read(article)
        odds = reading.weighed.log_odds()
        relevance = self._relevance(odds, reading)
        core, named = relevance.label == "core", relevance.label != "none"
        events, status, shown = [], "none", list[Place]()
        if core:
            events = self._events(odds, reading)
            status = max(_STATUSES, key=odds.__getitem__).removeprefix("status-")
        if status != "none":
            shown = reading.weighed.carriers(f"status-{status}", self._settings.spans)
        return Assessment(
            article_id=article.article_id,
            revision=article.revision,
            classifier=self.version,
            url=article.url,
            title=article.title,
            language=article.language,
            published_at=article.published_at,
            feed=article.feed.id,
            relevance=relevance,
            actors=self._actors(reading, events[0].id if events else "") if named else [],
            products=self._products(reading.mentions, len(article.text)) if named else [],
            events=events,
            status=status,
            status_spans=spans(shown) or (events[0].spans if status != "none" and events else []),
            expected=expected(
                self._dates,
                reading.fields,
                reading.cues,
                article.published_at.astimezone(UTC).date(),
                status,
                planned="plan@title" in reading.weighed.features,
                most=self._settings.spans,
            )
            if core
            else None,
            amounts=self._stated(article, reading.fields) if core else [],
        )

    def _read(self, article: Article) -> _Reading:
        title = Folded.of("title", article.title[:READ_TITLE])
        text = Folded.of("text", article.text[:READ_TEXT])
        names, cues = self._spotter.find(title, text)
        own = self._own(article, title)
        signals = {hit.payload.signal for hit in cues}
        mentions = settle(names, signals, own.actor if own else "")
        if len(article.text) <= self._settings.short:
            mentions = [m for m in mentions if m.field is title or m.start < self._settings.opening]
        passage = opening(title, text)
        features = signal_features(passage, cues, mentions)
        if own is not None and all(mention.actor != own.actor for mention in mentions):
            # On its own site an actor says "we": the headline is its move.
            mentions.insert(0, own)
        features |= shape_features(passage, mentions, self._kinds, own)
        weighed = self._layer.weigh(features)
        return _Reading((title, text), cues, signals, mentions, own.actor if own else "", weighed)

    def _relevance(self, odds: Mapping[str, float], reading: _Reading) -> Relevance:
        chance = probability(odds["core"])
        # Without AI or a chip in it nothing is of the race; with it no word further down takes it out again.
        topical = not reading.signals.isdisjoint(TOPICS) or any(
            mention.native or self._kinds[mention.actor] == "chips" for mention in reading.mentions
        )
        if not topical:
            return Relevance(label="none", score=round(chance, 4), spans=[])
        focused = probability(odds["focus"]) >= self._settings.focus
        core = chance >= self._settings.core and focused
        carriers = reading.weighed.carriers("core", self._settings.spans)
        return Relevance(
            label="core" if core else "peripheral", score=round(chance, 4), spans=spans(carriers)
        )

    def _events(self, odds: Mapping[str, float], reading: _Reading) -> list[Event]:
        """Up to three events: those of the opening, and those a heading of a long text names."""
        best = {event: (odds[event], reading.weighed) for event in EVENTS}
        text = reading.fields[1]
        parts = sections(text)
        cues = sorted((cue for cue in reading.cues if cue.field is text), key=_start) if parts else []
        for section in parts:
            (_, start, end), (_, _, until) = section.head, section.body
            first = bisect_left(cues, start, key=_start)
            if first == bisect_left(cues, end, key=_start):
                continue  # its heading names no event
            here = cues[first : bisect_left(cues, until, key=_start)]
            features = signal_features(section, here, reading.mentions)
            features |= shape_features(section, reading.mentions, self._kinds, None)
            below = self._layer.weigh(features)
            headed = (name for name in below.rows if name.endswith("@title") and features[name].worded)
            meant = {head for name in headed for head in below.rows[name].meant}
            for event, odd in below.log_odds().items():
                if event in meant and event in best and odd > best[event][0]:
                    best[event] = (odd, below)
        main = max(EVENTS, key=odds.__getitem__)
        likely = [event for event in EVENTS if event == main or best[event][0] >= self._likely]
        likely.sort(key=lambda event: (event != main, -best[event][0], event))
        fallback = [(mention.field, mention.start, mention.end) for mention in reading.mentions[:1]]
        return [
            Event(
                id=event,
                score=round(probability(best[event][0]), 4),
                spans=spans(best[event][1].carriers(event, self._settings.spans) or fallback),
            )
            for event in likely[: self._settings.events]
        ]

    def _actors(self, reading: _Reading, event: str) -> list[NamedActor]:
        places = mentioned(reading.mentions, "actor")
        return [
            NamedActor(id=actor, role=role, spans=spans(places[actor][: self._settings.spans]))
            for actor, role in self._roles.read(reading.mentions, event, reading.own).items()
        ]

    def _products(self, mentions: Sequence[Mention], length: int) -> list[Product]:
        owners = {mention.product: mention for mention in mentions if mention.product}
        versioned = {mention.family for mention in owners.values() if mention.product != mention.family}
        # Who writes `Qwen 3` and then `Qwen` means the same model.
        names = [name for name, mention in owners.items() if name != mention.family or name not in versioned]
        places = mentioned(mentions, "product")
        limit = self._settings.products if length <= self._settings.short else len(names)
        return [
            Product(name=name, actor=owners[name].actor, spans=spans(places[name][: self._settings.spans]))
            for name in names[:limit]
        ]

    def _stated(self, article: Article, fields: Sequence[Folded]) -> list[Amount]:
        return [
            Amount(
                kind=stated.kind,
                value=stated.value,
                high=stated.high,
                unit=stated.unit,
                per=stated.per,
                qualifier=stated.qualifier,
                spans=[span(place) for place in stated.places[: self._settings.spans]],
            )
            for stated in self._amounts.read(fields, article.language, self._settings.amounts)
        ]

    def _own(self, article: Article, title: Folded) -> Mention | None:
        found = _HOST.match(article.url)
        host = found[1].lower() if found else ""
        while host:
            if host in self._sites:
                return Mention(self._sites[host], title, 0, len(title.text), native=True)
            _, _, host = host.partition(".")
        return None


def _start(cue: Hit[Cue]) -> int:
    return cue.start
