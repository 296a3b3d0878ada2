"""The pages over a real database: everything that is known is shown, and what is not known is said."""

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from sqlalchemy import update
from starlette.testclient import TestClient

from pipeline.cli import racewire
from pipeline.feeds.values import FeedState
from pipeline.store import queries
from pipeline.store.balance import Balance, Finding, Line, save
from pipeline.store.feeds import remember
from pipeline.store.models import ArticleRow, AssessmentRow, SightingRow
from pipeline.store.progress import save_offsets
from pipeline.store.registry import sync_registry
from pipeline.store.verdicts import save_articles
from pipeline.web import app
from schemas.messages import FeedRef, Story
from tests.conftest import World
from tests.unit.feeds.feed_factory import a_feed
from tests.web_samples import ARTICLES, DELAY, HOSTILE, MERGED, RELEASED, RUMOUR, fill

pytestmark = pytest.mark.integration


@pytest.fixture
def client(world: World) -> TestClient:
    return TestClient(app(world.engine))


@pytest.fixture
def story(world: World) -> Story:
    with world.engine.begin() as tx:
        return fill(tx, world.topics)


def mark(kinds: str, title: str, words: str) -> str:
    return f'<mark class="{kinds}" title="{title}">{words}</mark>'


def test_without_data_the_pages_say_what_to_do(client: TestClient) -> None:
    page = client.get("/")

    assert page.status_code == 200
    assert "No verdicts yet: <code>racewire poll</code>" in page.text
    assert "never polled" in page.text
    assert "None yet" in page.text
    assert client.get("/healthz").json() == {"status": "ok", "newest_core_published_at": None}
    assert client.get("/articles/nothing").status_code == 404
    missing = client.get("/stories/nothing")
    assert missing.status_code == 404
    assert '<a href="/">The newest verdicts</a>' in missing.text


def test_the_newest_verdicts_with_evidence_release_line_and_figures(client: TestClient, story: Story) -> None:
    page = client.get("/").text

    assert "<b>5</b> articles" in page
    assert "<b>4</b> core" in page
    assert page.index("owned") < page.index("veröffentlicht") < page.index("delays") < page.index("知情人士")
    assert "How a bakery uses chatbots" not in page
    assert mark("actor relevance", "actor: alibaba (mover) · relevance: core (0.97)", "Alibaba") in page
    assert mark("expected", "expected: 2025-04", "the end of April") in page
    assert '<h3 lang="de" dir="auto">' in page
    assert '<time datetime="2025-04-07T08:00:00Z">' in page
    assert f'href="/stories/{story.story_id}"' in page
    assert f'href="https://paper.example/{DELAY}" rel="noopener noreferrer nofollow"' in page
    line = page[page.index('id="releases"') :]
    turns = [line.index(words) for words in (">expected 2025-04<", ">slipped<", ">released<")]
    assert turns == sorted(turns)


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("label=all", [RUMOUR, DELAY, RELEASED, HOSTILE, "e" * 24], []),
        ("label=nonsense", [RUMOUR, DELAY, RELEASED, HOSTILE], ["e" * 24]),
        ("lang=de", [RELEASED], [RUMOUR, DELAY, HOSTILE]),
        ("actor=openai", [HOSTILE], [RUMOUR, DELAY, RELEASED]),
        ("lang=zh&actor=openai", [], [RUMOUR, DELAY, RELEASED, HOSTILE]),
    ],
)
def test_filters(client: TestClient, story: Story, query: str, shown: list[str], hidden: list[str]) -> None:
    page = client.get(f"/?{query}").text
    wire = page[: page.index("<aside>")]

    assert [f'href="/articles/{i}"' in wire for i in shown + hidden] == [True] * len(shown) + [False] * len(
        hidden
    )
    if not shown:
        assert "Nothing among the newest" in wire
        assert '<a href="/">Show them all</a>' in wire


def test_a_filter_cannot_write_into_the_page(client: TestClient, story: Story) -> None:
    page = client.get("/", params={"actor": '"><script>alert(1)</script>', "lang": "'><b>"}).text

    assert "<script" not in page
    assert "<b>'" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_article_with_all_its_evidence(client: TestClient, world: World, story: Story) -> None:
    other = replace(ARTICLES[1], kind="sighting", feed=FeedRef(id="forum", kind="community", rank=6))
    with world.engine.begin() as tx:
        save_articles(tx, [other])
    page = client.get(f"/articles/{DELAY}").text

    marked = mark("event status", "event: roadmap (0.90) · status: delayed", "delays")
    assert f"{marked} {mark('product', 'product: Qwen 3 (alibaba)', 'Qwen 3')}</h1>" in page
    assert "It is now due at " + mark("expected", "expected: 2025-04", "the end of April") in page
    assert '<q dir="auto">the end of April</q>' in page
    assert "<code>classifier-of-the-test</code>" in page
    assert f'<a href="/stories/{story.story_id}" dir="auto">' in page
    assert "bbbb-1</code> (current)" in page
    assert page.count("<mark class=") > 8


def test_amounts_are_marked_and_told_in_words(client: TestClient, world: World, story: Story) -> None:
    page = client.get(f"/articles/{RELEASED}").text

    said = "235 Milliarden Parametern"
    assert mark("amount", "amount: 235 billion parameters (parameters)", said) in page
    assert '<th scope="row">235 billion parameters</th>' in page
    shown = CliRunner().invoke(racewire, ["show", RELEASED], env=world.environment()).output
    assert f"amount    235 billion parameters           “{said}”" in shown


def test_an_article_is_found_by_the_beginning_of_its_id(client: TestClient, story: Story) -> None:
    response = client.get("/articles/ccccc", follow_redirects=False)

    assert response.status_code == 307
    assert response.headers["location"] == f"/articles/{RELEASED}"


def test_a_verdict_on_older_words_marks_only_what_still_fits(
    client: TestClient, world: World, story: Story
) -> None:
    old = ARTICLES[1]
    newer = replace(
        old,
        kind="revision",
        revision="bbbb-2",
        title="Alibaba postpones its model",
        observed_at=old.observed_at + timedelta(hours=1),
    )
    with world.engine.begin() as tx:
        save_articles(tx, [newer])
    page = client.get(f"/articles/{DELAY}").text

    assert "This verdict is on an earlier revision" in page
    assert "</mark> postpones its model</h1>" in page
    assert page.index("bbbb-1") < page.index("bbbb-2</code> (current)")


def test_the_story_in_order_with_its_release(client: TestClient, story: Story) -> None:
    page = client.get(f"/stories/{story.story_id}").text
    timeline = page[page.index('id="timeline"') : page.index("<aside>")]

    places = [timeline.index(f'href="/articles/{i}"') for i in (RUMOUR, DELAY, RELEASED)]
    assert places == sorted(places)
    assert 'lang="zh"' in timeline
    assert [timeline.count(f">{status}</span>") for status in ("rumoured", "delayed", "happened")] == [
        1,
        1,
        1,
    ]
    release = page[page.index("<aside>") :]
    assert "slipped" in release
    assert release.count("<blockquote") == 3


def test_a_merged_story_leads_to_its_heir(client: TestClient, story: Story) -> None:
    page = client.get(f"/stories/{MERGED}").text

    assert f'<a href="/stories/{story.story_id}">go on there</a>' in page
    assert "No article is left in it" in page


def test_the_feeds_how_they_answer_and_what_they_yield(
    client: TestClient, world: World, story: Story
) -> None:
    now = datetime.now(UTC)
    wall = FeedState(feed_id="wall", status="blocked", reason="challenge", detail="<script>it asks</script>")
    with world.engine.begin() as tx:
        sync_registry(tx, [a_feed("paper-en"), a_feed("wall")], "any")
        remember(tx, [], [wall], [])
        # Of the five articles of these tests, those in English are this feed's: two of the three were core.
        for row in (ArticleRow, AssessmentRow):  # a verdict has the time of its article
            tx.execute(update(row).values(published_at=now - timedelta(days=2)))
        tx.execute(update(SightingRow).values(seen_at=now - timedelta(days=2)))
        (paper, _) = queries.feeds(tx)
        assert (paper.articles, paper.judged, paper.core) == (3, 3, 2)
        assert round(paper.a_day, 2) == 1.5
        sync_registry(tx, [a_feed("wall")], "other")
    page = client.get("/feeds").text
    assert page.index(">wall<") < page.index(">paper-en<")
    assert "<td>1.5</td>" in page
    assert "<td>67%</td>" in page
    assert '<span class="chip feed-blocked">blocked</span>' in page
    assert "&lt;script&gt;it asks&lt;/script&gt;; last success: never" in page
    assert '<span class="chip feed-removed">removed</span>' in page
    assert 'href="/feeds"' in client.get("/").text


def test_without_feeds_the_page_says_what_to_do(client: TestClient) -> None:
    assert "racewire poll" in client.get("/feeds").text


def test_health_tells_the_newest(client: TestClient, story: Story) -> None:
    response = client.get("/healthz")

    assert response.json() == {"status": "ok", "newest_core_published_at": "2025-04-08T08:00:00Z"}


def test_a_database_without_tables_is_no_health(client: TestClient, world: World) -> None:
    with world.engine.begin() as tx:
        tx.exec_driver_sql("ALTER TABLE assessments RENAME TO elsewhere")
    response = client.get("/healthz")

    assert response.status_code == 503
    assert response.json()["reason"].endswith("racewire deploy makes them")


def test_the_status_tells_of_readers_and_of_the_last_balance(client: TestClient, world: World) -> None:
    empty = client.get("/status").text
    assert "Not checked yet" in empty
    assert "No worker has read anything yet" in empty
    at = datetime(2025, 4, 1, tzinfo=UTC)
    lost = Finding("not-stored", "an-article", "news.articles.v1/3 at 7")
    line = Line("records on news.articles.v1", 3, {"stored": 2})
    with world.engine.begin() as tx:
        save(tx, Balance(at, None, [line], [lost], 1, {"news.articles.v1": 4}))
        save_offsets(tx, "classifier", {("news.articles.v1", 3): 8})
    page = client.get("/status").text
    assert '<span class="chip loss">1 finding</span>' in page
    assert "<td>3</td><td>2 stored</td><td>1</td><td>0</td>" in page
    assert "news.articles.v1/3 at 7" in page
    assert "4 records of news.articles.v1 repeat an event" in page
    assert "<td>classifier</td><td>0</td>" in page
