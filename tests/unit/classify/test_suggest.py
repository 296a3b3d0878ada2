"""Names nobody knows are proposed where they act, and what is none or known is not."""

import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.assets import folder
from pipeline.classify import LexiconError
from pipeline.classify.lexicon import actor_file, signal_file
from pipeline.classify.naming import Vocabulary
from pipeline.classify.suggest import Proposal, propose, skeleton
from pipeline.classify.usage import Finder
from schemas.messages import Article, FeedRef
from tests.unit.classify.conftest import make_article

FINDER = Finder(
    {name: actor_file(name, data) for name, data in folder("actors").items()},
    {name: signal_file(name, data) for name, data in folder("signals").items()},
    folder("tables"),
)
SMALL = "the new regulation, cameras, and the data of the robots: a startup, its regulation and its cameras"


def article(title: str, text: str = "", feed: str = "paper", language: str = "en") -> Article:
    made = make_article(title, text)
    ref = FeedRef(id=feed, kind="press", rank=2)
    return replace(made, article_id=f"{feed} {title}", feed=ref, language=language)


def proposed(*core: Article) -> list[Proposal]:
    vocabulary = Vocabulary()
    for one in (*core, *(article(f"n{n}", SMALL) for n in range(3))):
        vocabulary.read(one)
    return propose(FINDER, vocabulary, core)


def names(*core: Article) -> list[str]:
    return [proposal.name for proposal in proposed(*core)]


@pytest.mark.parametrize(
    ("title", "language", "name"),
    [
        ("Zorblax raises $10M for AI robots", "en", "Zorblax"),
        ("Nvidia buys AI startup Zorblax Robotics", "en", "Zorblax Robotics"),
        ("AI Robot Startup Zorblax Raises $6 Million", "en", "Zorblax"),
        ("OpenAI invests in Zorblax, a Paris startup that trains robots", "en", "Zorblax"),
        ("Zorblax sammelt 10 Millionen Euro für KI ein", "de", "Zorblax"),
        ("KI-Startup Zorblax will Chips bauen", "de", "Zorblax"),
        ("Zorblax lanza un modelo de IA", "es", "Zorblax"),
        ("卓尔来科技完成亿元融资", "zh", "卓尔来科技"),
        ("工业AI初创公司Zorblax完成500万美元融资", "zh", "Zorblax"),
        ("AI 스타트업 조블락스, 100억 투자 유치", "ko", "조블락스"),
    ],
)
def test_a_name_where_actors_stand_is_proposed(title: str, language: str, name: str) -> None:
    assert names(article(title, language=language)) == [name]


@pytest.mark.parametrize(
    ("title", "language"),
    [
        ("OpenAI raises money", "en"),  # known
        ("Regulation plans divide AI makers", "en"),  # a common word, written small elsewhere
        ("Today raises a question", "en"),
        ("The Zorblax raises a question", "en"),
        ("OpenAI, Zorblax and Anthropic", "en"),  # a product or a person as well
        ("SKILL.md releases", "en"),
        ("Neues aus Textwesen bringt Ärger", "de"),  # nouns are written large
        ("全新模型发布", "zh"),
        ("国内公司完成融资", "zh"),
    ],
)
def test_what_is_no_unknown_name_is_not(title: str, language: str) -> None:
    assert names(article(title, language=language)) == []


def test_those_of_most_sources_come_first_with_titles_to_judge_by() -> None:
    core = [
        article("Acmeon raises $2M for AI - The Paper"),
        article("Zorblax raises $10M", feed="a"),
        article("Zorblax launches a chatbot", feed="b", language="de"),
        article("AI at Zorblax", feed="c"),
    ]
    first, second = proposed(*core)
    assert (first.name, first.sources, first.articles, first.acting) == ("Zorblax", 3, 3, 2)
    assert first.places == {"moves": 2}
    assert set(first.languages) == {"en", "de"}
    assert second.examples == ("Acmeon raises $2M for AI",)


def test_a_word_that_seldom_acts_is_left_out() -> None:
    core = [article("Zorblax raises $10M"), *(article(f"Much ado about Zorblax {n}") for n in range(4))]
    assert names(*core) == []


def test_a_skeleton_is_refused_until_somebody_fills_it_in() -> None:
    (proposal,) = proposed(article("Zorblax AI raises $10M"))
    text = skeleton(proposal)
    assert yaml.safe_load(text)["names"] == ["Zorblax AI"]
    with pytest.raises(LexiconError, match="country"):
        actor_file("zorblax-ai.yaml", text.encode())
    filled = text.replace("country: FILL-IN", "country: fr").replace("kind: FILL-IN", "kind: lab")
    assert actor_file("zorblax-ai.yaml", filled.encode()).names == ["Zorblax AI"]


@given(st.lists(st.text(alphabet=string.printable + "，。“发布公司获스타트업 가’", max_size=60), max_size=4))
def test_any_text_is_read_and_every_proposal_stands_in_it(titles: list[str]) -> None:
    core = [article(f"{title} raises", title) for title in titles]
    for proposal in proposed(*core):
        assert any(proposal.name in one.title + one.text for one in core)
        assert yaml.safe_load(skeleton(proposal))["name"] == proposal.name
