"""The lexicon's data: complete, valid, unambiguous, and every alias finds itself."""

import re
from pathlib import Path

import pytest

from pipeline.assets import folder
from pipeline.classify import Classifier, LexiconError
from pipeline.classify.lexicon import EVENTS, STATUSES, Actor, Name, actor_file
from tests.unit.classify.conftest import make_article

ACTORS = [actor_file(name, data) for name, data in sorted(folder("actors").items())]


def test_every_listed_actor_has_a_file(shared: Path) -> None:
    rows = (shared / "data" / "actors.tsv").read_text(encoding="utf-8").splitlines()[1:]
    assert {row.split("\t")[0] for row in rows} <= {actor.id for actor in ACTORS}


def test_labels_are_those_of_the_guide(shared: Path) -> None:
    guide = (shared / "LABELS.md").read_text(encoding="utf-8")
    assert set(EVENTS) == set(re.findall(r"^\| `([a-z]+)` \|", guide, re.MULTILINE))
    statuses = guide.split("## status")[1].split("## when")[0]
    assert set(STATUSES) == set(re.findall(r"`([a-z]+)`", statuses)) - {"core"}


@pytest.mark.parametrize("actor", ACTORS, ids=lambda actor: actor.id)
def test_an_unguarded_name_finds_its_actor(shipped: Classifier, actor: Actor) -> None:
    for raw in (*actor.names, *actor.people):
        name = raw if isinstance(raw, Name) else Name(raw)
        if not name.needs and not name.unless:
            found = shipped.assess(make_article(f"AI: {name.text.strip('*')}", "artificial intelligence"))
            assert actor.id in [each.id for each in found.actors], name.text


@pytest.mark.parametrize(
    ("kind", "name", "data", "says"),
    [
        (
            "actors",
            "openai.yaml",
            b"id: openai\nname: OpenAI\ncountry: us\nkind: lab\nnick: x",
            "openai.yaml",
        ),
        ("actors", "other.yaml", folder("actors")["openai.yaml"], "name it openai.yaml"),
        ("actors", "openai.yaml", b"{", "openai.yaml"),
        ("signals", "x.yaml", b"signals: [{id: x, weighs: {victory: 1}}]", "unknown labels"),
        ("signals", "x.yaml", b"signals: [{id: x, weighs: {core: 1000}}]", "x.yaml: Expected `float` <= 100"),
        ("signals", "x.yaml", b"signals: []\nshapes: {}\nsignals: []", "given once: 'signals'"),
        ("signals", "x.yaml", b"signals: [{id: x, patterns: ['(a']}]", "x.yaml: the pattern '(a' of x"),
        ("tables", "dates.yaml", b"months: {}\nweekdays: {}\nexpressions: [{pattern: '(a'}]", "dates.yaml"),
        (
            "tables",
            "dates.yaml",
            b"months: {}\nweekdays: {}\nexpressions: [{pattern: x, unit: aeon}]",
            "aeon",
        ),
        ("tables", "amounts.yaml", b"comma: [de]", "amounts.yaml"),
        ("tables", "roles.yaml", b"cues: {friend: {}}\njoins: []\nsecond: {}\nbelow: {}", "friend"),
        ("tables", "roles.yaml", b"cues: {}\njoins: []\nsecond: {party: mover}\nbelow: {}", "party"),
    ],
)
def test_a_broken_file_is_named(kind: str, name: str, data: bytes, says: str) -> None:
    files = {each: folder(each) for each in ("actors", "signals", "tables")}
    files[kind] = files[kind] | {name: data}
    with pytest.raises(LexiconError, match=re.escape(says)):
        Classifier.build(files["actors"], files["signals"], files["tables"])


def test_a_missing_table_is_named() -> None:
    with pytest.raises(LexiconError, match=r"products\.yaml is missing"):
        Classifier.build({}, {}, {})


def test_the_version_follows_code_lexicon_and_settings(shipped: Classifier) -> None:
    actors, signals, tables = folder("actors"), folder("signals"), folder("tables")
    backwards = {name: actors[name] for name in sorted(actors, reverse=True)}
    assert Classifier.build(backwards, signals, tables).version == shipped.version
    changed = actors | {"openai.yaml": actors["openai.yaml"] + b"# a comment\n"}
    assert Classifier.build(changed, signals, tables).version != shipped.version
