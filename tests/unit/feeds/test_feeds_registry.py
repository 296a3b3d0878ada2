"""The packaged registry, and what is said of a broken one."""

from collections import Counter
from pathlib import Path

import pytest
from msgspec import to_builtins

from pipeline.feeds.registry import Registry, RegistryError, checked, free_id, grow, load, renamed
from tests.unit.feeds.feed_factory import a_feed

FEED = """\
- id: {}
  url: {}
  title: Paper
  language: en
  kind: press
  rank: 1
"""


def test_a_registry_is_read_only_when_it_differs(tmp_path: Path) -> None:
    path = tmp_path / "feeds.yaml"
    path.write_text(FEED.format("a", "https://a.example/"), "utf-8")
    before = Registry.at(path)
    assert before.digest == Registry.at(path).digest
    assert [feed.id for feed in before.read()] == ["a"]
    path.write_text("not a registry", "utf-8")
    broken = Registry.at(path)  # nothing is read yet
    assert broken.digest != before.digest
    with pytest.raises(RegistryError, match=r"feeds\.yaml:1"):
        broken.read()
    with pytest.raises(RegistryError, match="cannot be read"):
        Registry.at(tmp_path / "none.yaml")
    assert Registry.of([a_feed("a")]).digest != Registry.of([a_feed("b")]).digest


def test_the_packaged_registry_covers_seven_languages_and_the_labs() -> None:
    feeds = load()
    languages = Counter(feed.language for feed in feeds)
    assert len(feeds) >= 60
    assert all(languages[language] >= 3 for language in ("en", "de", "zh", "ja", "ko", "fr", "es"))
    assert sum(feed.kind == "lab" for feed in feeds) >= 15
    assert not any(feed.allow_hosts for feed in feeds)


def test_fields_become_values(tmp_path: Path) -> None:
    path = tmp_path / "feeds.yaml"
    path.write_text(
        FEED.format("paper", "http://intranet.example:8080/feed") + "  allow_hosts: [intranet.example]\n"
        "  full_text: true\n"
    )
    (feed,) = load(path)
    assert (feed.id, feed.rank, feed.allow_hosts) == ("paper", 1, {"intranet.example"})
    assert feed.full_text


GOOD = FEED.format("good", "https://good.example/feed")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "list of feeds"),
        ("feeds: []", 1, "list of feeds"),
        ("- id: [", 1, "not YAML"),
        (GOOD + "- just text\n", 7, "mapping"),
        (GOOD + GOOD.replace("good", "Good News"), 7, "id: "),
        (GOOD + FEED.format("other", "http://www.good.example/feed/"), 7, "taken since line 1"),
        (GOOD + FEED.format("good", "https://other.example/feed"), 7, "the id good is taken since line 1"),
        (GOOD.replace("rank: 1", "rank: 10"), 6, "rank: Expected `int` <= 9"),
        (GOOD.replace("rank: 1", "rang: 1"), 6, "`rang` is no field"),
        (GOOD + "  rank: 2\n", 7, "`rank` stands twice"),
        (GOOD.replace("kind: press", "kind: blog"), 5, "kind: Invalid enum value 'blog'"),
        (GOOD.replace("  kind: press\n", ""), 1, "missing required field `kind`"),
        (GOOD.replace("https://good", "ftp://good"), 2, "url: "),
        (GOOD.replace("https://good", "https://user:secret@good"), 2, "url: "),
        (GOOD.replace("https://good.example", "https://[bad"), 2, "no address"),
        (GOOD.replace("language: en", "language: English"), 4, "language: "),
        (GOOD + "  full_text: often\n", 7, "full_text: "),
        (GOOD + "  allow_hosts: localhost\n", 7, "allow_hosts: "),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = tmp_path / "feeds.yaml"
    path.write_text(text)
    with pytest.raises(RegistryError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "feeds.yaml"
    path.write_text(GOOD.replace("rank: 1", "rank: 0") + GOOD.replace("kind: press", "kind: x"))
    with pytest.raises(RegistryError) as caught:
        load(path)
    assert [line.split(":")[1] for line in str(caught.value).splitlines()] == ["6", "11"]


def test_a_missing_registry_is_named(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"nowhere\.yaml"):
        load(tmp_path / "nowhere.yaml")


def test_a_registry_grows_and_stays_as_its_owner_wrote_it(tmp_path: Path) -> None:
    source, path = tmp_path / "theirs.yaml", tmp_path / "mine" / "feeds.yaml"
    source.write_text("# my feeds\n\n" + GOOD + "\n# the end\n")
    added = [
        a_feed("one"),
        checked({**to_builtins(a_feed("two")), "title": "zwei: Ü", "allow_hosts": ["b", "a"]}),
    ]
    grow(path, added, source)
    assert path.read_text().startswith(source.read_text())
    assert load(path) == (*load(source), *added)
    assert "allow_hosts: []" not in path.read_text()
    before = path.read_text()
    with pytest.raises(RegistryError, match=rf"{path}:\d+: the id one is taken"):
        grow(path, [a_feed("one", url="https://elsewhere.example/")], path)
    assert path.read_text() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"id": "No Id"}, "id"), ({"rank": 0}, "rank"), ({"url": "https://[bad"}, "no address")],
)
def test_a_feed_is_checked_before_it_is_written(fields: dict[str, object], words: str) -> None:
    with pytest.raises(RegistryError, match=words):
        checked({**to_builtins(a_feed()), **fields})


def test_a_feed_is_renamed_where_its_address_stays_and_its_id_goes() -> None:
    here, twice = "https://a.example/feed", "http://www.a.example/feed/"
    old, new, other = a_feed("old", url=here), a_feed("new", url=twice), a_feed("other")
    assert renamed([new, other], [old, other]) == {"old": "new"}
    assert renamed([new], [old, a_feed("older", url=here)]) == {"old": "new"}
    assert renamed([new, other], [other]) == {}  # a new feed
    assert renamed([other], [old, other]) == {}  # one taken out
    assert renamed([new], [old, new]) == {}  # both ids have a history of their own
    assert renamed([a_feed("old", url="https://b.example/")], [old]) == {}  # one that moved


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://www.heise.de/security/rss", "heise"),
        ("https://feeds.bbci.co.uk/news/rss.xml", "bbci"),
        ("https://the-decoder.com", "the-decoder"),
        ("https://ai.meta.com/blog", "ai-meta"),
        ("http://127.0.0.1:80/feed", "127-0-0-1"),
        ("https://xn--mller-kva.example/", "xn-mller-kva"),
        ("not an address", "feed"),
        ("https://paper.example/", "paper-3"),
    ],
)
def test_a_free_id_is_what_people_call_the_site(address: str, name: str) -> None:
    assert free_id(address, {"paper", "paper-2"}) == name
    assert checked({**to_builtins(a_feed()), "id": name}).id == name
