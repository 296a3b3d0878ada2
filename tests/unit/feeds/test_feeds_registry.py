"""The packaged registry, and what is said of a broken one."""

from collections import Counter
from pathlib import Path

import pytest

from pipeline.feeds.registry import RegistryError, load

FEED = """\
- id: {}
  url: {}
  title: Paper
  language: en
  kind: press
  rank: 1
"""


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
    )
    (feed,) = load(path)
    assert (feed.id, feed.rank, feed.allow_hosts) == ("paper", 1, {"intranet.example"})


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
