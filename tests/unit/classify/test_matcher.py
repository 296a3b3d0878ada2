"""How a phrase may stand in a text: in words, in scripts without spaces, with an open end, with a gap."""

import pytest

from pipeline.classify.folding import Folded
from pipeline.classify.matcher import PhraseMatcher


def found(phrase: str, text: str, *, inflect: bool = False, whole: bool = False) -> list[str]:
    matcher: PhraseMatcher[str] = PhraseMatcher()
    matcher.add(phrase, "it", inflect=inflect, whole=whole)
    matcher.compile()
    return [text[hit.start : hit.end] for hit in matcher.find(Folded.of("text", text))]


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        ("chip", "A chip, chips and microchips.", ["chip"]),
        ("chip*", "A chip, chips and microchips.", ["chip", "chip"]),
        ("*chip*", "Mikrochips", ["chip"]),
        ("阿里", "昨天阿里Qwen发布", ["阿里"]),
        ("오픈", "오픈AI는", ["오픈"]),
        ("launches ~ model", "Acme launches a new model", ["launches a new model"]),
        ("launches ~ model", "Acme launches. A new model", []),
        ("launches ~ model", "Acme launches " + "so " * 30 + "much model", []),
        ("launches ~ model", "Acme launches new models", []),
        ("launches ~ model*", "Acme launches new models", ["launches new model"]),
        ("发布 ~ 模型", "Acme发布新模型了", ["发布新模型"]),
        # A mark stands at the end of a word, not behind a space.
        ("ceo ~ :", "Acme CEO Ann Bolt: we are ahead", ["CEO Ann Bolt:"]),
        ("ceo ~ :", "CEO 安: 我们领先", ["CEO 安:"]),
    ],
)
def test_a_phrase_stands_for_itself(phrase: str, text: str, expected: list[str]) -> None:
    assert found(phrase, text) == expected


def test_a_name_may_have_a_genitive() -> None:
    assert found("acme", "Acmes Chips", inflect=True) == ["Acme"]
    assert found("acme", "Acmes Chips") == []


def test_evidence_is_shown_in_whole_words() -> None:
    assert found("verklag*", "Acme verklagte Bolt", whole=True) == ["verklagte"]
