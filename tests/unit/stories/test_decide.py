"""Where articles are placed, what is guaranteed of order and repetition, and what a story says of itself."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stories import Decision, Member, Settings, State, cluster, decide, lookup
from pipeline.stories.facts import story_id_of
from schemas.messages import Assessment, Story
from tests.unit.stories.factory import START, assessment

SETTINGS = Settings()


class Memory:
    """What the store would remember: applies decisions and loads exactly what the lookups ask for."""

    def __init__(self) -> None:
        self.members = {}
        self.stories: dict[str, Story] = {}
        self.releases = {}

    def load(self, batch: list[Assessment]) -> State:
        keys = [lookup(a, SETTINGS) for a in batch]
        stories, releases = set(), set()
        for key in keys:
            for m in self.members.values():
                near = key.actors & set(m.actors) and key.since <= m.article.published_at <= key.until
                if near or m.article.article_id == key.article_id:
                    stories.add(m.story_id)
            for r in self.releases.values():
                if r.release_id in key.releases or any(s.article_id == key.article_id for s in r.statements):
                    releases.add(r.release_id)
        return State(
            members=tuple(m for m in self.members.values() if m.story_id in stories),
            releases=tuple(self.releases[i] for i in sorted(releases)),
        )

    def take(self, *batch: Assessment) -> Decision:
        decision = decide(batch, self.load(list(batch)), SETTINGS)
        self.members |= {m.article.article_id: m for m in decision.members}
        for article_id in decision.left:
            del self.members[article_id]
        self.stories |= {s.story_id: s for s in decision.stories}
        self.releases |= {r.release_id: r for r in decision.releases}
        return decision

    def seen(self) -> tuple[dict, dict, dict]:
        return self.members, self.stories, self.releases


def together(*assessments: Assessment) -> bool:
    return len(set(cluster(assessments).values())) == 1


@pytest.fixture
def memory() -> Memory:
    return Memory()


def test_one_product_version_of_one_actor_is_one_story_in_every_language() -> None:
    assert together(
        assessment("en"),
        assessment("de", "Alibaba veröffentlicht Qwen 3", language="de", day=0.4),
        assessment("zh", "阿里巴巴发布Qwen3", products={"Qwen3": "alibaba"}, language="zh", day=1),
    )


def test_another_version_is_another_story() -> None:
    assert not together(
        assessment("a"), assessment("b", "Alibaba releases Qwen 2.5", products={"Qwen 2.5": "alibaba"})
    )


def test_the_same_product_after_the_window_is_another_story() -> None:
    assert together(assessment("a"), assessment("b", day=7))
    assert not together(assessment("a"), assessment("b", day=7.1))


def test_the_window_is_counted_from_the_founder_so_that_no_story_goes_on_for_ever() -> None:
    days = [0, 5, 10, 15]
    placed = cluster(assessment(str(d), day=d) for d in days)
    assert placed["0"] == placed["5"] != placed["10"] == placed["15"]


def test_a_customer_of_a_model_does_not_join_the_story_of_its_maker() -> None:
    assert not together(
        assessment(
            "maker", "DeepSeek releases R2", actors={"deepseek": "mover"}, products={"R2": "deepseek"}
        ),
        assessment(
            "user",
            "Oppo phones answer with R2",
            actors={"oppo": "mover", "deepseek": "partner"},
            products={"R2": "deepseek"},
        ),
    )


def test_without_a_product_titles_must_be_alike() -> None:
    facts = {"actors": {"openai": "mover"}, "products": {}, "events": ("funding",)}
    first = assessment("a", "OpenAI in talks to raise $40bn at a $340bn valuation", **facts)
    assert together(first, assessment("b", "OpenAI said to raise $40bn, valuation $340bn", **facts))
    assert not together(
        first, assessment("c", "OpenAI borrows from Japanese banks for new data centres", **facts)
    )


def test_an_everyday_product_alone_joins_nothing() -> None:
    facts = {"actors": {"openai": "mover"}, "products": {"ChatGPT": "openai"}}
    assert not together(
        assessment("a", "ChatGPT gets a shopping assistant", **facts),
        assessment("b", "OpenAI brings voice memos to ChatGPT on the Mac", **facts),
    )


def test_members_are_compared_with_the_founder_and_never_chained() -> None:
    facts = {"actors": {"openai": "mover"}, "products": {}, "events": ("deal",)}
    titles = [
        "OpenAI signs contract with Oracle worth billions",
        "OpenAI contract with Oracle for power in Texas",
        "power in Texas for OpenAI from gas turbines",
    ]
    placed = cluster(assessment(str(i), t, day=i / 10, **facts) for i, t in enumerate(titles))
    assert placed["0"] == placed["1"] != placed["2"]
    assert together(*[assessment(str(i), t, **facts) for i, t in enumerate(titles)][1:])


def test_what_is_not_core_has_no_story_but_a_line() -> None:
    assert cluster([assessment("a", relevance="peripheral")]) == {"a": None}


def test_a_story_tells_its_actors_products_events_languages_and_newest_status(memory: Memory) -> None:
    memory.take(
        assessment("b", "阿里发布Qwen 3", day=2, language="zh", status="happened"),
        assessment("a", "Alibaba may bring Qwen 3 soon", status="rumoured", events=("roadmap",)),
        assessment("c", "How good is Qwen 3?", day=3, status="none", events=("benchmark",)),
        assessment("d", "Is there more of Qwen 3 to come?", day=3.1, status="rumoured", events=("roadmap",)),
    )
    (story,) = memory.stories.values()
    assert story.title == "Alibaba may bring Qwen 3 soon"
    assert [a.article_id for a in story.articles] == ["a", "b", "c", "d"]
    assert (story.actors, story.products) == (["alibaba"], ["Qwen 3"])
    assert story.events == ["roadmap", "release", "benchmark"]
    assert story.languages == ["en", "zh"]
    assert story.status == "happened"
    assert (story.first_published_at, story.last_published_at) == (START, story.articles[-1].published_at)
    assert story.story_id == story_id_of("a")


def test_a_corrected_title_stays_in_its_story_and_changes_its_entry(memory: Memory) -> None:
    memory.take(assessment("a"), assessment("b", day=1))
    decision = memory.take(assessment("b", "Alibaba releases Qwen 3 today", day=1))
    assert [s.articles[1].title for s in decision.stories] == ["Alibaba releases Qwen 3 today"]
    assert [m.article.article_id for m in decision.members] == ["b"]


def test_an_article_that_is_no_longer_core_leaves(memory: Memory) -> None:
    memory.take(assessment("a"), assessment("b", day=1))
    decision = memory.take(assessment("a", relevance="none"))
    assert decision.left == ("a",)
    assert [[x.article_id for x in s.articles] for s in decision.stories] == [["b"]]
    assert decision.stories[0].story_id == story_id_of("a")


def test_a_story_left_empty_says_so_once(memory: Memory) -> None:
    memory.take(assessment("a"))
    gone = assessment("a", relevance="none")
    (story,) = memory.take(gone).stories
    assert (story.articles, story.merged_into, story.title) == ([], None, "")
    assert memory.take(gone) == Decision(members=(), left=(), stories=(), releases=())


def test_a_lone_article_that_fits_another_story_after_all_merges_into_it(memory: Memory) -> None:
    memory.take(assessment("a"))
    memory.take(assessment("b", "A model week", products={}, events=("strategy",)))
    (emptied,) = (
        s for s in memory.take(assessment("b", "A model week with Qwen 3")).stories if not s.articles
    )
    assert (emptied.story_id, emptied.merged_into) == (story_id_of("b"), story_id_of("a"))
    assert len(memory.stories[story_id_of("a")].articles) == 2


def test_an_article_assessed_as_another_matter_leaves_the_story_for_its_own(memory: Memory) -> None:
    memory.take(assessment("a"), assessment("b", day=1))
    memory.take(
        assessment("b", "Nvidia buys Groq", day=1, actors={"nvidia": "mover"}, products={}, events=("deal",))
    )
    assert {m.article.article_id: m.story_id for m in memory.members.values()} == {
        "a": story_id_of("a"),
        "b": story_id_of("b"),
    }


def test_of_an_article_that_comes_twice_in_a_batch_the_last_counts(memory: Memory) -> None:
    memory.take(assessment("a", "Alibaba delays Qwen 3"), assessment("a", "Alibaba releases Qwen 3"))
    assert [s.title for s in memory.stories.values()] == ["Alibaba releases Qwen 3"]


TITLES = [
    "Alibaba releases Qwen 3",
    "Qwen 3 is late",
    "阿里发布Qwen 3",
    "OpenAI buys Windsurf",
    "OpenAI buys Io",
]


@st.composite
def streams(draw: st.DrawFn) -> list[Assessment]:
    """Assessments of distinct articles, sorted by date."""
    made = [
        assessment(
            f"x{number}",
            draw(st.sampled_from(TITLES)),
            day=draw(st.integers(0, 20)),
            actors=draw(
                st.dictionaries(
                    st.sampled_from(["alibaba", "openai"]), st.sampled_from(["mover", "rival"]), max_size=2
                )
            ),
            products=draw(st.sampled_from([{}, {"Qwen 3": "alibaba"}, {"o3": "openai"}])),
            events=draw(st.sampled_from([("release",), ("roadmap",), ("deal", "release")])),
            status=draw(st.sampled_from(["rumoured", "announced", "delayed", "happened", "none"])),
            expected=draw(st.sampled_from([None, "2025-04", "2025-05-02"])),
            relevance=draw(st.sampled_from(["core", "core", "core", "none"])),
        )
        for number in range(draw(st.integers(1, 8)))
    ]
    return sorted(made, key=lambda a: (a.published_at, a.article_id))


@given(streams(), st.randoms(use_true_random=False))
def test_the_order_inside_a_batch_does_not_matter(stream: list[Assessment], chance: random.Random) -> None:
    shuffled = chance.sample(stream, len(stream))
    assert decide(shuffled, State(), SETTINGS) == decide(stream, State(), SETTINGS)


@given(streams(), st.integers(0, 8))
def test_a_sorted_stream_gives_the_same_wherever_it_is_cut(stream: list[Assessment], cut: int) -> None:
    whole, parts = Memory(), Memory()
    whole.take(*stream)
    parts.take(*stream[:cut])
    parts.take(*stream[cut:])
    assert parts.seen() == whole.seen()


@given(streams())
def test_deciding_again_changes_nothing(stream: list[Assessment]) -> None:
    memory = Memory()
    for a in stream:
        memory.take(a)
    for a in (*stream, *reversed(stream)):
        assert memory.take(a) == Decision(members=(), left=(), stories=(), releases=())


@given(streams())
def test_loading_more_than_asked_for_changes_no_decision(stream: list[Assessment]) -> None:
    memory = Memory()
    for a in stream:
        everything = State(members=tuple(memory.members.values()), releases=tuple(memory.releases.values()))
        assert decide([a], everything, SETTINGS) == decide([a], memory.load([a]), SETTINGS)
        memory.take(a)


@given(streams())
def test_members_survive_the_store(stream: list[Assessment]) -> None:
    for member in decide(stream, State(), SETTINGS).members:
        assert msgspec.json.decode(msgspec.json.encode(member), type=Member) == member
