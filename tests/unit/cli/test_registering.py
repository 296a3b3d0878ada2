"""`racewire feeds add`: found, previewed, written; and what is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import racewire
from pipeline.feeds import registry
from tests.feedserver import FeedServer, rss

DOCUMENT = rss(
    ("/1", "OpenAI releases GPT-5.5 to all ChatGPT users", "The new model is available today, says OpenAI."),
    ("/2", "Ten tips for a greener balcony", "Water your plants in the morning, never in the evening."),
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RACEWIRE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RACEWIRE_FEEDS_FILE", raising=False)
    return tmp_path / "home"


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer().serving() as found:
        found.documents["/feed"] = (DOCUMENT, "application/rss+xml")
        yield found


def run(*arguments: str) -> Result:
    return CliRunner().invoke(racewire, ["feeds", *arguments])


def page(*links: str) -> tuple[bytes, str]:
    tags = "".join(f'<link rel="alternate" type="application/rss+xml" href="{link}">' for link in links)
    return f"<html><head>{tags}</head></html>".encode(), "text/html"


def test_a_sites_feed_is_found_previewed_and_written(home: Path, server: FeedServer) -> None:
    server.documents["/"] = page("/feed")
    dry = run("add", server.url("/"), "--allow-private", "--dry-run")
    assert dry.exit_code == 0, dry.output
    for shown in (
        "Paper: 2 entries, 2 of them articles",
        "core",
        "openai",
        "release",
        "balcony",
        "id: paper",
    ):
        assert shown in dry.output
    assert not home.exists()
    assert "only teasers" in dry.output
    done = run("add", server.url("/"), "--allow-private", "--kind", "lab", "--full-text")
    assert done.exit_code == 0, done.output
    assert "only teasers" not in done.output
    added = registry.load(home / "feeds.yaml")[-1]
    assert (added.id, added.url, added.title) == ("paper", server.url("/feed"), "Paper")
    assert added.full_text
    assert (added.language, added.kind, added.rank, added.allow_hosts) == ("en", "lab", 5, {"127.0.0.1"})
    assert (home / "feeds.yaml").read_text("utf-8").startswith(registry.DEFAULT.read_text("utf-8").rstrip())
    again = run("add", server.url("/feed"), "--allow-private")
    assert again.exit_code == 1
    assert "registered already, as paper" in again.output


def test_of_several_feeds_one_is_picked(home: Path, server: FeedServer) -> None:
    server.documents |= {"/": page("/feed", "/comments"), "/comments": (rss(("/c", "Re", "t")), "text/xml")}
    several = run("add", server.url("/"), "--allow-private")
    assert several.exit_code == 1
    assert "--pick N" in several.output
    assert run("add", server.url("/"), "--allow-private", "--pick", "3").exit_code == 1
    assert not home.exists()
    assert run("add", server.url("/"), "--allow-private", "--pick", "2", "--id", "talk").exit_code == 0
    assert registry.load(home / "feeds.yaml")[-1].url == server.url("/comments")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--allow-private"),
        (["--allow-private", "--id", "Not An Id"], "id"),
        (["--allow-private", "--id", "openai"], "the id openai is taken"),
        (["--allow-private", "--language", "English"], "language"),
    ],
)
def test_what_is_refused_is_named_and_writes_nothing(
    home: Path, server: FeedServer, arguments: list[str], words: str
) -> None:
    refused = run("add", server.url("/feed"), *arguments)
    assert refused.exit_code == 1
    assert words in refused.output
    assert "Traceback" not in refused.output
    assert not (home / "feeds.yaml").exists()


LIST = """<opml version="2.0" xmlns:r="urn:racewire:feed"><body><outline text="Folder">
<outline text="Ein Blatt für künstliche Intelligenz aus der Hauptstadt" xmlUrl="https://www.blatt.example/feed"/>
<outline text="Paper" xmlUrl="https://paper.example/rss" language="fr" r:kind="lab" r:rank="2"
 r:id="le-papier" r:allowHosts="169.254.169.254"/>
<outline text="Again" xmlUrl="http://paper.example/rss/"/>
<outline text="OpenAI" xmlUrl="https://openai.com/news/rss.xml"/>
<outline text="Bad" xmlUrl="file:///etc/passwd"/>
<outline text="Taken" xmlUrl="https://taken.example/" r:id="openai"/>
<outline text="Bad rank" xmlUrl="https://rank.example/" r:rank="best"/>
</outline></body></opml>
"""


def test_a_list_is_imported_entry_by_entry(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.opml"
    file.write_text(LIST, "utf-8")
    dry = run("import", str(file), "--dry-run")
    assert dry.exit_code == 1
    assert not home.exists()
    done = run("import", str(file), "--kind", "community", "--rank", "7")
    assert done.exit_code == 1
    assert "2 feeds are in" in done.output
    for shown in ("registered already", "openai", "refused", "the id openai is taken"):
        assert shown in done.output
    *before, blatt, paper = registry.load(home / "feeds.yaml")
    assert tuple(before) == registry.load()
    assert (blatt.id, blatt.language, blatt.kind, blatt.rank) == ("blatt", "de", "community", 7)
    assert (paper.id, paper.language, paper.kind, paper.rank) == ("le-papier", "fr", "lab", 2)
    assert paper.allow_hosts == frozenset()  # a list of others opens no private host


def test_an_export_imports_as_the_same_registry(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = run("export")
    assert exported.exit_code == 0
    file = tmp_path / "all.opml"
    file.write_bytes(exported.stdout_bytes)
    assert "nothing is written" in run("import", str(file)).output
    one = tmp_path / "one.yaml"
    kept = registry.as_yaml(registry.load()[:1])
    one.write_text(kept, "utf-8")
    monkeypatch.setenv("RACEWIRE_FEEDS_FILE", str(one))
    assert run("import", str(file)).exit_code == 0
    assert registry.load(one) == registry.load()


def test_what_is_no_list_is_said(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "page.opml"
    file.write_text("<html></html>")
    refused = run("import", str(file))
    assert refused.exit_code == 1
    assert "page.opml: the document begins with <html>" in refused.output
    assert "No such file" in run("import", str(tmp_path / "none.opml")).output
