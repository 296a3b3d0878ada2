"""Folding: the quick way gives what folding character by character gives, and finds the way back."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.classify.folding import Folded, fold

# Scripts of articles, with what grows (`…`, `İ`), what folds into what folds again (`ŉ`) and broken halves.
SPECIAL = "…İŉʼΣσς½㎡㈱ﬁ™“„«、，（ＡＢｶﾞé́ß가각\ud83d\udc00😀𝔸"
TEXTS = st.text(st.sampled_from(SPECIAL) | st.characters(), max_size=40)


def test_every_character_is_folded_as_by_itself() -> None:
    assert [n for n in range(0x110000) if Folded.of("text", chr(n)).text != fold(chr(n))] == []


def test_a_text_of_all_characters_is_folded_as_each_of_them() -> None:
    everything = "".join(map(chr, range(0x110000)))
    assert Folded.of("text", everything).text == fold(everything)


@given(TEXTS)
def test_the_quick_way_is_the_slow_one(text: str) -> None:
    assert Folded.of("text", text).text == "".join(map(fold, text))


@given(TEXTS, st.data())
def test_a_range_leads_back_to_the_whole_characters_it_touches(text: str, data: st.DataObject) -> None:
    field = Folded.of("text", text)
    came_from = [at for at, char in enumerate(text) for _ in fold(char)]
    if came_from:
        start = data.draw(st.integers(0, len(came_from) - 1))
        end = data.draw(st.integers(start + 1, len(came_from)))
        assert field.back(start, end) == (came_from[start], came_from[end - 1] + 1)
