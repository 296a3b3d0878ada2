"""Was anything lost, doubled or left wrong? Judged from what stands on the topics and in the tables alone.

The rules are written here a second time, from the documentation: an article's row is its newest record, a
revision is kept for each content, a verdict is of the row's revision, a topic's last state of a key is the
row. Nothing of the product is imported.
"""

import base64
import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.chaos.load import Input, Sort
from tests.chaos.reading import World, header, marked

ARTICLES, ASSESSMENTS = "news.articles.v1", "ai-race.assessments.v1"
AGGREGATES = {
    ASSESSMENTS: ("assessments", "article_id"),
    "ai-race.stories.v1": ("stories", "story_id"),
    "ai-race.releases.v1": ("releases", "release_id"),
}
READERS = {"classifier": ARTICLES, "storyteller": ASSESSMENTS}
LETTERS = f"{ARTICLES}.dead-letters"


@dataclass
class Findings:
    """What is not as it must be, in words; and events that stand twice on their topic, which is allowed."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    doubles: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)

    def compare(self, what: str, wanted: Collection[Any], found: Collection[Any]) -> None:
        """What is wanted and not found is lost, what is found and not wanted doubled."""
        self.lost += [f"{what} {one} is missing" for one in sorted(set(wanted) - set(found), key=str)]
        self.doubled += [f"{what} {one} is too many" for one in sorted(set(found) - set(wanted), key=str)]


def check(world: World, inputs: Sequence[Input], addresses: Collection[str] = ()) -> Findings:
    """Judge a world that has come to rest. `inputs` were published, `addresses` were in polled feeds."""
    found = Findings()
    records = world.events(ARTICLES)
    settled = _dead_letters(found, world, inputs, records)
    _articles(found, world, settled, addresses)
    for topic, (table, key) in AGGREGATES.items():
        _states(found, topic, world.events(topic), world.table(table, key))
    _stories(found, world)
    _at_rest(found, world)
    found.doubles[f"{ARTICLES} (polls)"] = _twice(r for r, number in marked(records) if number is None)
    return found


def _dead_letters(
    found: Findings, world: World, inputs: Sequence[Input], records: Sequence[Any]
) -> list[Mapping[str, Any]]:
    """Exactly the bad records are dead letters, with their bytes, in the table and on the topic; the articles
    of all others."""
    sorts = {one.number: one.sort for one in inputs}
    articles = {one.number: one.article for one in inputs}
    places = {(r.partition, r.offset): (r, number) for r, number in marked(records)}
    there = {number for _, number in places.values() if number is not None}
    found.compare("published record", sorts.keys(), there)
    table = world.table("dead_letters", "topic", "partition", "record_offset")
    letters = {(p, o): row for (topic, p, o), row in table.items() if topic == world.topic(ARTICLES)}
    bad = {at for at, (_, number) in places.items() if number is not None and sorts.get(number) is Sort.BAD}
    hostile = {at for at, (_, n) in places.items() if n is not None and sorts.get(n) is Sort.HOSTILE}
    elsewhere = [at for at in table if at[0] != world.topic(ARTICLES)]
    found.compare("dead letter of", bad, [*(letters.keys() - hostile), *elsewhere])
    for at in bad & letters.keys():
        record, body = places[at][0], letters[at]["body"]
        if (_bytes(body["key"]), _bytes(body["value"])) != (record.key, record.value):
            found.wrong.append(f"dead letter of {at} has other bytes than the record")
    events = world.events(LETTERS)
    names = {f"{world.topic(ARTICLES)}:{p}:{o}" for p, o in letters}
    found.compare(f"event on {LETTERS}", names, {header(r, "ce_id") for r in events})
    found.doubles[LETTERS] = _twice(events)
    found.counts |= {"published": len(sorts), "on the topic": len(places), "dead letters": len(letters)}

    settled: list[Mapping[str, Any]] = []
    for at, (record, number) in places.items():
        if number is None:
            settled.append(json.loads(record.value))
        elif at not in bad | letters.keys():
            article = articles[number]
            assert article is not None
            settled.append(json.loads(record.value) if at in hostile else article)
    return settled


def _articles(
    found: Findings, world: World, settled: Sequence[Mapping[str, Any]], addresses: Collection[str]
) -> None:
    """Rows, revisions, sightings and verdicts are those that the records ask for."""
    rows, verdicts = world.table("articles", "article_id"), world.table("assessments", "article_id")
    owned: dict[str, dict[tuple[datetime, str], Mapping[str, Any]]] = defaultdict(dict)
    seen: dict[tuple[str, str], datetime] = {}
    for one in settled:
        name, at, feed = one["article_id"], _moment(one["observed_at"]), one["feed"]["id"]
        seen[name, feed] = min(at, seen.get((name, feed), at))
        if one["kind"] != "sighting":
            owned[name][at, one["revision"]] = one
    found.compare("article", {one["article_id"] for one in settled}, rows)
    found.compare("verdict on", rows, verdicts)
    found.compare("article at", addresses, {rows[n]["url"] for n in rows} & set(addresses))
    sightings = world.table("sightings", "article_id", "feed_id")
    found.compare("sighting", seen, sightings)
    revisions = {(n, one["revision"]) for n in owned for one in owned[n].values()}
    by_sightings = {(o["article_id"], o["revision"]) for o in settled if o["kind"] == "sighting"}
    kept = world.table("revisions", "article_id", "revision")
    found.compare("revision", revisions, kept.keys() - (by_sightings - revisions))
    for name, versions in owned.items():
        row, newest = rows.get(name), versions[max(versions)]
        if row is not None and (wrong := _differences(row, newest)):
            found.wrong.append(f"article {name}: {', '.join(wrong)} not of its newest record")
    for key, at in seen.items():
        if key in sightings and sightings[key]["seen_at"] != at:
            found.wrong.append(f"sighting {key} is dated {sightings[key]['seen_at']}, first was {at}")
    others: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for (name, feed), row in sightings.items():
        if name in rows and feed != rows[name]["feed_id"]:
            others[name].append((row["seen_at"], feed))
    for name in rows.keys() & verdicts.keys():
        body, row = verdicts[name]["body"], rows[name]
        if (body["revision"], body["title"]) != (row["revision"], row["title"]):
            found.wrong.append(f"verdict on {name} is of revision {body['revision']}, not {row['revision']}")
        if [(_moment(s["seen_at"]), s["feed"]) for s in body["sightings"]] != sorted(others[name]):
            found.wrong.append(f"verdict on {name} has other sightings than the table")
    found.counts |= {"articles": len(rows), "revisions": len(kept), "sightings": len(sightings)}


def _states(
    found: Findings, topic: str, events: Sequence[Any], rows: Mapping[str, Mapping[str, Any]]
) -> None:
    """A key's versions on the topic are 1, 2, 3 … and the last is the row's."""
    states: dict[str, list[tuple[str | None, int, Any]]] = defaultdict(list)
    known: set[str | None] = set()
    for record in events:
        name = header(record, "ce_id")
        if name not in known:
            known.add(name)
            body = json.loads(record.value)
            states[record.key.decode()].append((name, body["version"], body))
            if header(record, "ce_sequence") != str(body["version"]):
                found.wrong.append(f"{topic}: {name} is numbered otherwise than its body")
    found.doubles[topic] = _twice(events)
    found.compare(f"{topic}: key", rows, states)
    for key in states.keys() & rows.keys():
        versions = [version for _, version, _ in states[key]]
        whole = list(range(1, rows[key]["version"] + 1))
        found.lost += [f"{topic}: {key} version {v} is missing" for v in whole if v not in versions]
        if len(versions) > len(set(versions)):
            found.doubled.append(f"{topic}: {key} has two states of one version: {versions}")
        if versions != sorted(versions):
            found.wrong.append(f"{topic}: {key} is out of order: {versions}")
        if states[key][-1][2] != rows[key]["body"] or rows[key]["body"]["version"] != rows[key]["version"]:
            found.wrong.append(f"{topic}: the last state of {key} is not the row's")
    found.counts[topic] = len(events)


def _stories(found: Findings, world: World) -> None:
    """Every core article is in one story, which lists it; every statement of a release is an article's."""
    members, stories = world.table("story_members", "article_id"), world.table("stories", "story_id")
    verdicts = world.table("assessments", "article_id")
    core = {name for name, row in verdicts.items() if row["label"] == "core"}
    found.compare("member", core, members)
    told = {(a["article_id"], s) for s, row in stories.items() for a in row["body"]["articles"]}
    found.compare("member and its story", {(n, m["story_id"]) for n, m in members.items()}, told)
    for name, row in world.table("releases", "release_id").items():
        if unknown := {s["article_id"] for s in row["body"]["statements"]} - verdicts.keys():
            found.wrong.append(f"release {name} quotes unknown articles {sorted(unknown)}")
    found.counts |= {"core": len(core), "stories": len(stories)}


def _at_rest(found: Findings, world: World) -> None:
    """Nothing waits: outbox empty, readers at the ends, by the store and by Kafka."""
    waiting = world.rows("SELECT topic, key, event_id FROM outbox")
    found.lost += [f"{topic}: event {event} of {key!r} waits in the outbox" for topic, key, event in waiting]
    offsets = world.table("consumer_offsets", "group_id", "topic", "partition")
    for group, topic in READERS.items():
        committed = world.committed(group, topic)
        for partition, end in world.ends(topic).items():
            row = offsets.get((world.topic(group), world.topic(topic), partition), {"next_offset": 0})
            if (row["next_offset"], committed[partition]) != (end, end):
                found.wrong.append(
                    f"{group} is at {row['next_offset']} of {topic}/{partition} by the store, at "
                    f"{committed[partition]} by Kafka, and the end is {end}"
                )


def _differences(row: Mapping[str, Any], article: Mapping[str, Any]) -> list[str]:
    wanted = {name: article[name] for name in ("revision", "url", "title", "text", "language")}
    wanted |= {"feed_id": article["feed"]["id"], "feed_rank": article["feed"]["rank"]}
    wanted |= {name: _moment(article[name]) for name in ("published_at", "observed_at")}
    # What the database cannot hold is stored cleaned.
    cleaned = [name for name in ("title", "text") if re.search("[\0\ud800-\udfff]", article[name])]
    return [name for name, value in wanted.items() if row[name] != value and name not in cleaned]


def _twice(records: Iterable[Any]) -> int:
    """How many records repeat an event that is on the topic already."""
    return sum(n - 1 for n in Counter(header(r, "ce_id") for r in records).values())


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
