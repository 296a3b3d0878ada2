"""The lexicon's lint: what ships has no error, and each fault is found where it is put in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.assets import folder
from pipeline.classify.lexicon import actor_file, signal_file
from pipeline.classify.lint import Fault, lint
from pipeline.classify.usage import Finder, Usage
from tests.unit.classify.conftest import make_article

ACTORS, SIGNALS, TABLES = folder("actors"), folder("signals"), folder("tables")
LAB = "id: lab\nname: Lab\ncountry: us\nkind: lab\n"
NATIVE = LAB + "native: true\nnames: [Acme]\n"
BEE = LAB.replace("lab\n", "bee\n", 1)


def small(**files: str) -> list[Fault]:
    """The faults of a small lexicon; a file is named by its folder and name, `actors_lab`."""
    given = {"actors": {}, "signals": {}, "tables": {**TABLES, "weights.json": b"{}"}}
    for name, text in files.items():
        kind, _, file = name.partition("_")
        given[kind]["weights.json" if file == "weights" else f"{file}.yaml"] = text.encode()
    return lint(given["actors"], given["signals"], given["tables"])


def test_what_ships_has_no_error() -> None:
    faults = lint(ACTORS, SIGNALS, TABLES)
    assert [fault for fault in faults if fault.level == "error"] == []


@pytest.mark.parametrize(
    ("files", "level", "says"),
    [
        ({"actors_lab": LAB + "nick: x"}, "error", "nick"),
        (
            {"actors_lab": LAB, "signals_x": "signals: [{id: x, weighs: {victory: 1}}]"},
            "error",
            "unknown labels",
        ),
        (
            {
                "actors_lab": LAB + "names: [Acme]",
                "actors_bee": BEE + "names: [ACME]",
            },
            "error",
            "'acme' is also that of",
        ),
        (
            {
                "actors_lab": LAB + "names: [A Lab]\nsites: [x.example]",
                "actors_bee": BEE + "names: [Bee Co]\nsites: [x.example]",
            },
            "error",
            "the site 'x.example' is also that of lab",
        ),
        (
            {"actors_lab": LAB + "names: [{text: Acme, needs: [nothing]}]"},
            "error",
            "unknown signals ['nothing']",
        ),
        (
            {"actors_lab": LAB + "names: [{text: Acme, unless: [nobody]}]"},
            "error",
            "unknown actors ['nobody']",
        ),
        ({"actors_lab": LAB + "names: [Acme, ACME]"}, "warning", "'acme' is there twice"),
        ({"actors_lab": LAB + "names: [Ac]"}, "warning", "'Ac' is short"),
        ({"actors_lab": LAB + "names: [云]"}, "error", "'云' is one character"),
        ({"actors_lab": LAB + "names: ['*']"}, "error", "'*' is no name"),
        ({"actors_lab": LAB + "names: [Acme]\nnot: [Acme]"}, "error", "'Acme' is a name and under `not`"),
        (
            {"actors_lab": LAB + "names: [Acme]\nnot: [Pears]"},
            "warning",
            "'Pears' under `not` holds nobody's",
        ),
        (
            {"actors_lab": LAB + "names: [Acme]\nexamples: ['Bread and AI']"},
            "error",
            "not found in its example",
        ),
        (
            {"actors_lab": LAB + "names: [Acme]\nproducts: [{name: Zip, bare: false, version: ''}]"},
            "error",
            "'Zip' is never found",
        ),
        ({"signals_x": "signals: [{id: x, phrases: {en: ['a*b']}}]"}, "error", "'a*b' is never found"),
        ({"signals_x": "signals: [{id: x, phrases: {en: ['*']}}]"}, "error", "'*' is never found"),
        (
            {"signals_x": "signals: [{id: x, phrases: {en: [New, new]}}]"},
            "warning",
            "'new' is there twice in en",
        ),
        ({"signals_x": "signals: [{id: x}, {id: x}]"}, "error", "the signal x is also in signals/x.yaml"),
        ({"signals_x": "signals: [{id: x, patterns: ['A+']}]"}, "error", "waits for 'A', folded away"),
        ({"signals_x": "signals: [{id: x, patterns: ['(']}]"}, "error", "x.yaml: the pattern '(' of x"),
        ({"signals_x": "signals: [{id: x, patterns: ['x*']}]"}, "warning", "fits nothing at all"),
        (
            {"tables_weights": '{"gone:word": {"core": 1}}'},
            "warning",
            "1 corrections are of phrases that are gone",
        ),
        ({"tables_roles": "cues: {friend: {}}\njoins: []\nsecond: {}\nbelow: {}"}, "error", "unknown roles"),
    ],
)
def test_each_fault_is_named(files: dict[str, str], level: str, says: str) -> None:
    faults = small(**files)
    assert [fault.level for fault in faults if says in fault.says] == [level], faults


def test_what_is_right_has_no_fault() -> None:
    assert small(actors_lab=NATIVE + "not: [Acme Bakery]\nexamples: ['Acme trains a model']") == []


def test_names_taken_by_another_line_are_errors() -> None:
    longer = "names: [Acme Labs]\nnot: ['Acme Labs*']"
    assert "is a name and under `not`" in small(actors_lab=LAB + longer)[0].says
    taken = LAB + "names: [{text: Acme, needs: [self]}]"
    other = BEE + "names: [Acme]"
    (fault,) = small(actors_lab=taken, actors_bee=other)
    assert fault == Fault("error", "actors/lab.yaml", "'Acme' is taken by name 'Acme' of bee")


ARTICLES = [
    make_article("OpenAI releases GPT-9", "The AI model is out."),
    make_article("Bread", "Claude Monet and AI"),
    make_article("Rain", "Nothing."),
]


def counted() -> Usage:
    usage = Usage(
        Finder(
            {n: actor_file(n, ACTORS[n]) for n in ("openai.yaml", "anthropic.yaml")},
            {n: signal_file(n, SIGNALS[n]) for n in ("topic.yaml",)},
            TABLES,
        )
    )
    for article in ARTICLES:
        usage.add(article)
    return usage


def test_what_occurs_nowhere_and_what_occurs_too_often() -> None:
    usage = counted()
    unused = usage.unused()
    assert "Sam Altman" in [alias.text for alias in unused["actors/openai.yaml"]]
    assert "OpenAI" not in [alias.text for alias in unused["actors/openai.yaml"]]
    assert "Claude" in [alias.text for alias in unused["actors/anthropic.yaml"]]  # the painter takes it
    often = {alias.text: use for alias, use in usage.frequent(0.5)}
    assert often["AI"].articles == 2
    assert "OpenAI" not in often
    assert often["AI"].examples[0].words == "The »AI« model is out."
    assert {alias.text for alias, _ in usage.frequent(0.3)} >= {"AI", "OpenAI", "Claude Monet"}


@given(st.lists(st.sampled_from(ARTICLES), max_size=6))
def test_the_order_of_articles_changes_no_count(articles: list[object]) -> None:
    one, two = counted(), counted()
    for article in articles:
        one.add(article)  # type: ignore[arg-type]
    for article in reversed(articles):
        two.add(article)  # type: ignore[arg-type]
    assert one.articles == two.articles == len(ARTICLES) + len(articles)
    assert [(a, u.articles) for a, u in one.frequent(0)] == [(a, u.articles) for a, u in two.frequent(0)]
