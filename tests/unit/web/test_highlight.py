"""Highlighting: no word lost or doubled, every mark in its place, hostile text shown as text."""

from html.parser import HTMLParser

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.web.highlight import GAP, Mark, Piece, excerpt, highlight
from pipeline.web.rendering import templates

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "&lt;b&gt; {{ 7 * 7 }} </mark>",
    "'\u202e",
]
labels = st.sampled_from(["alibaba (mover)", "release", *HOSTILE])
texts = st.text(min_size=1, max_size=200) | st.lists(st.sampled_from(["a", "word ", *HOSTILE])).map("".join)
marks = st.lists(
    st.builds(Mark, st.integers(-5, 220), st.integers(-5, 220), st.sampled_from(["actor", "event"]), labels)
)


@given(texts, marks)
def test_the_pieces_are_the_text_and_each_character_carries_what_covers_it(
    text: str, given: list[Mark]
) -> None:
    pieces = highlight(text, given)

    assert "".join(p.text for p in pieces) == text
    carried = [set(p.marks) for p in pieces for _ in p.text]
    fitting = [m for m in given if 0 <= m.start < m.end <= len(text)]
    assert carried == [{m for m in fitting if m.start <= i < m.end} for i in range(len(text))]


def test_an_overlap_carries_both_and_says_so() -> None:
    pieces = highlight(
        "Alibaba releases Qwen 3", [Mark(8, 23, "event", "release"), Mark(17, 23, "product", "Qwen 3")]
    )

    assert [(p.text, p.kinds) for p in pieces] == [
        ("Alibaba ", ""),
        ("releases ", "event"),
        ("Qwen 3", "event product"),
    ]
    assert pieces[-1].title == "event: release · product: Qwen 3"


@given(texts, marks)
def test_html_holds_the_text_and_nothing_but_marks(text: str, given: list[Mark]) -> None:
    pieces = highlight(text, given)
    html = templates.get_template("macros.html").module.highlighted(pieces)  # type: ignore[attr-defined]

    read = Reader()
    read.feed(html)
    read.close()
    assert "".join(read.text) == text
    assert read.elements == [("mark", {"class": p.kinds, "title": p.title}) for p in pieces if p.marks]


class Reader(HTMLParser):
    """What a browser would make of a piece of HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@given(st.text(alphabet="ab 中\n", max_size=900), marks, st.integers(0, 40), st.integers(50, 300))
@example("word " * 100, [Mark(n, n + 4, "event", "x") for n in range(0, 500, 100)], 10, 60)
def test_an_excerpt_is_parts_of_the_text_in_order_with_the_same_marks(
    text: str, given: list[Mark], around: int, limit: int
) -> None:
    shown = excerpt(text, given, around, limit)

    at = 0
    for part in parts(shown):
        words = "".join(p.text for p in part)
        at = text.index(words, at) + len(words)
    assert sum(len(p.text) for p in shown if p is not GAP) <= limit + 16
    if len(text) <= limit:
        assert shown == highlight(text, given)


def parts(shown: list[Piece]) -> list[list[Piece]]:
    found: list[list[Piece]] = [[]]
    for piece in shown:
        if piece is GAP:
            found.append([])
        else:
            found[-1].append(piece)
    return found


def test_an_excerpt_shows_marked_words_far_apart_with_whole_words_around() -> None:
    text = (
        "Filler words. " * 40 + "Alibaba moves. " + "More filler. " * 40 + "OpenAI answers. " + "End. " * 40
    )
    places = [(text.index(w), text.index(w) + len(w)) for w in ("Alibaba", "OpenAI")]
    shown = excerpt(text, [Mark(*place, "actor", "x") for place in places], around=20, limit=200)

    assert [p.text for p in shown if p.marks] == ["Alibaba", "OpenAI"]
    assert [p is GAP for p in shown] == [True, False, False, False, True, False, False, False, True]
    for part in parts(shown):
        assert set("".join(p.text for p in part).split()) <= set(text.split())


def test_an_excerpt_of_a_long_text_without_marks_is_its_beginning() -> None:
    shown = excerpt("word " * 200, [], around=20, limit=100)

    assert shown[-1] is GAP
    assert shown[0].text.startswith("word word")
    assert 60 <= len(shown[0].text) <= 116
