"""From an article to its assessment: the one way through the room.

Finds names and signals in one pass, settles who is meant, weighs the evidence and writes down every label with
the article's own words that carry it. Pure: the lexicon comes in as bytes, nothing is read or remembered.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from urllib.parse import urlsplit

from msgspec import Struct

from schemas.messages import Actor as NamedActor
from schemas.messages import Article, Assessment, Event, Forecast, Product, Relevance, Span

from .dates import DateReader, DateTable, Resolved
from .entities import Entry, Mention, ProductGrammar, entries, settle
from .folding import Folded
from .lexicon import EVENTS, STATUSES, Actor, SignalFile, actor_file, signal_file, table
from .matcher import Hit, PhraseMatcher
from .roles import Cues, RoleCues, roles
from .scoring import LinearLayer, Matrix, editor_weights, probability
from .signals import TOPICS, Cue, Feature, Patterns, Place, shape_features, signal_features

# Grows with every change of code that may change a verdict; data changes the digest by itself.
_CODE = "1"


class Settings(Struct, frozen=True, kw_only=True):
    """Where the lines are drawn.

    `core`, `focus`: least probabilities against none and against peripheral. `event`: least probability of an
    event after the first. `short`: up to this many characters a text has at most five products.
    """

    core: float = 0.45
    focus: float = 0.2
    event: float = 0.3
    events: int = 3
    products: int = 5
    short: int = 2_000
    spans: int = 8


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
        self._kinds = {actor.id: actor.kind for actor in actors}
        self._sites = {site: actor.id for actor in actors for site in actor.sites}
        self._phrases: PhraseMatcher[Entry | Cue] = PhraseMatcher()
        for phrase, entry in entries(actors, table("products.yaml", tables, ProductGrammar)):
            self._phrases.add(phrase, entry, inflect=entry.name.inflect)
        flat = [signal for file in signals for signal in file.signals]
        for signal in flat:
            for phrases in signal.phrases.values():
                for phrase in phrases:
                    self._phrases.add(phrase, Cue(signal.id, phrase))
        self._phrases.compile()
        self._patterns = Patterns(flat)
        self._signals = {signal.id for signal in flat}
        self._cues = RoleCues(table("roles.yaml", tables, dict[str, Cues]))
        self._dates = DateReader(table("dates.yaml", tables, DateTable))
        self._layer = LinearLayer(editor_weights(signals), table("weights.yaml", tables, Matrix))

    @classmethod
    def build(
        cls,
        actors: Mapping[str, bytes],
        signals: Mapping[str, bytes],
        tables: Mapping[str, bytes],
        settings: Settings | None = None,
    ) -> "Classifier":
        """Build from YAML files by name (see lexicon.py). Raises LexiconError, naming the file."""
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

    def features(self, article: Article) -> tuple[dict[str, Feature], list[Mention]]:
        """What the linear layer weighs, and the settled mentions in reading order (title first)."""
        fields = [Folded.of("title", article.title), Folded.of("text", article.text)]
        names: dict[str, list[Hit[Entry]]] = {}
        cues: dict[str, list[Hit[Cue]]] = {}
        for field in fields:
            names[field.field], cues[field.field] = [], self._patterns.find(field)
            for hit in self._phrases.find(field):
                (names if isinstance(hit.payload, Entry) else cues)[field.field].append(hit)
        own = self._own(article, fields[0])
        present = {hit.payload.signal for found in cues.values() for hit in found}
        mentions = settle(fields, names, present, own.actor if own else "")
        features = signal_features(fields, cues, mentions)
        if own is not None and all(mention.actor != own.actor for mention in mentions):
            # On its own site an actor says "we": the headline is its move.
            mentions.insert(0, own)
        features.update(shape_features(fields, mentions, self._kinds, own))
        return features, mentions

    def assess(self, article: Article) -> Assessment:
        """The verdict on an article, with its evidence. Never raises on any text."""
        features, mentions = self.features(article)
        odds = self._layer.log_odds({name: feature.value for name, feature in features.items()})
        chance = {head: probability(value) for head, value in odds.items()}
        relevance = self._relevance(chance, features, mentions)
        core, named = relevance.label == "core", relevance.label != "none"
        events = self._events(chance, features, mentions) if core else []
        status = max(STATUSES, key=lambda name: odds[f"status-{name}"]) if core else "none"
        status_places = self._carriers(f"status-{status}", features) if status != "none" else []
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
            actors=self._actors(mentions) if named else [],
            products=self._products(mentions, len(article.text)) if named else [],
            events=events,
            status=status,
            status_spans=_spans(status_places) or (events[0].spans if status != "none" and events else []),
            expected=self._expected(article, status, features) if core else None,
        )

    def _relevance(
        self, chance: Mapping[str, float], features: Mapping[str, Feature], mentions: Sequence[Mention]
    ) -> Relevance:
        settings = self._settings
        # Without AI or a chip in it nothing is of the race; with it nothing further down can take it out again.
        topical = any(mention.native or self._kinds[mention.actor] == "chips" for mention in mentions) or any(
            f"{signal}@{field}" in features for signal in TOPICS for field in ("title", "text")
        )
        label = "none"
        if topical:
            core = chance["core"] >= settings.core and chance["focus"] >= settings.focus
            label = "core" if core else "peripheral"
        places = self._carriers("core", features) if topical else []
        return Relevance(label=label, score=round(chance["core"], 4), spans=_spans(places))

    def _carriers(self, head: str, features: Mapping[str, Feature]) -> list[Place]:
        """The places that speak for a label, the strongest first: words before the names they are about."""
        carried = [
            ("@" in name and ":" not in name and name.split("@")[0] not in self._signals, -feature.value * weight, name)
            for name, feature in features.items()
            if feature.places and (weight := self._layer.weight(name, head)) > 0
        ]
        places: list[Place] = []
        for _, _, name in sorted(carried):
            places += [place for place in features[name].places[:2] if place not in places]
        return places[: self._settings.spans]

    def _events(
        self, chance: Mapping[str, float], features: Mapping[str, Feature], mentions: Sequence[Mention]
    ) -> list[Event]:
        ranked = sorted(EVENTS, key=lambda event: (-chance[event], event))
        chosen = [event for n, event in enumerate(ranked) if n == 0 or chance[event] >= self._settings.event]
        fallback = [(mention.field, mention.start, mention.end) for mention in mentions[:1]]
        return [
            Event(
                id=event,
                score=round(chance[event], 4),
                spans=_spans(self._carriers(event, features) or fallback),
            )
            for event in chosen[: self._settings.events]
        ]

    def _actors(self, mentions: Sequence[Mention]) -> list[NamedActor]:
        return [
            NamedActor(id=actor, role=role, spans=_spans(_places(mentions, "actor", actor)[: self._settings.spans]))
            for actor, role in roles(mentions, self._cues).items()
        ]

    def _products(self, mentions: Sequence[Mention], length: int) -> list[Product]:
        owners = {mention.product: mention for mention in mentions if mention.product}
        versioned = {mention.family for mention in owners.values() if mention.product != mention.family}
        # Who writes `Qwen 3` and then `Qwen` means the same model.
        names = [name for name, mention in owners.items() if name != mention.family or name not in versioned]
        limit = self._settings.products if length <= self._settings.short else len(names)
        return [
            Product(
                name=name,
                actor=owners[name].actor,
                spans=_spans(_places(mentions, "product", name)[: self._settings.spans]),
            )
            for name in names[:limit]
        ]

    def _expected(self, article: Article, status: str, features: Mapping[str, Feature]) -> Forecast | None:
        if status not in ("rumoured", "announced", "delayed") and "plan@title" not in features:
            return None
        fields = [Folded.of("title", article.title), Folded.of("text", article.text)]
        dates = self._dates.read(fields, article.published_at.astimezone(UTC).date())
        ahead = [
            place
            for name in ("plan@title", "plan@text", "rumour@title", "rumour@text", "delay@title", "delay@text")
            if name in features
            for place in features[name].places
        ]
        near = [date for date in dates if any(_together(date, place) for place in ahead)]
        if not near:
            return None
        # The most precise of the dates that agree with the first one.
        best = max(near, key=lambda date: (date.value.startswith(near[0].value), len(date.value)))
        places = [(date.field, date.start, date.end) for date in near if best.value.startswith(date.value)]
        return Forecast(value=best.value, spans=_spans(places[: self._settings.spans]))

    def _own(self, article: Article, title: Folded) -> Mention | None:
        try:
            host = urlsplit(article.url).hostname or ""
        except ValueError:
            return None
        while host:
            if host in self._sites:
                return Mention(self._sites[host], title, 0, len(title.text), native=True)
            _, _, host = host.partition(".")
        return None


def _together(date: Resolved, place: Place) -> bool:
    """Whether a date and a place stand in one sentence."""
    field, start, end = place
    if field.field != date.field.field:
        return False
    first, last = sorted([(start, end), (date.start, date.end)])
    return field.sentence_end(min(first[1], last[0]), last[0] + 1) >= last[0]


def _places(mentions: Iterable[Mention], key: str, value: str) -> list[Place]:
    return [(m.field, m.start, m.end) for m in mentions if getattr(m, key) == value]


def _spans(places: Iterable[Place]) -> list[Span]:
    """Spans of the original fields, in reading order, each once."""
    ranges = {(field.field != "title", *field.back(start, end)): field for field, start, end in places if end > start}
    return [
        Span(field=field.field, start=start, end=end, text=field.original[start:end])
        for (_, start, end), field in sorted(ranges.items(), key=lambda item: item[0])
    ]
