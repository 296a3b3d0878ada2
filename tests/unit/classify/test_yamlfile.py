"""What is read of a lexicon file is what PyYAML reads; what it would pass over in silence is refused."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.assets import folder
from pipeline.classify import yamlfile

PLAIN = st.sampled_from(
    [
        "yes",
        "Null",
        "~",
        "",
        "1",
        "-7",
        "+3",
        "007",
        "0o7",
        "0x1F",
        "1_000",
        "1:30",
        "2.5",
        "-.5",
        "1e3",
        "6.02e+23",
        ".inf",
        "-.INF",
        ".nan",
        "2025-04-01",
        "=",
        "<<",
        "-Chef",
        "4o",
        "o3",
        "NO",
        "On",
        "nOt",
        "3.",
        "+",
        ".",
    ]
)
SCALARS = PLAIN | PLAIN.map(repr) | st.text(st.characters(codec="utf-8", exclude_categories=("C",))).map(repr)


@pytest.mark.parametrize("kind", ["actors", "signals", "tables"])
def test_the_lexicon_reads_as_it_always_has(kind: str) -> None:
    files = {name: data for name, data in folder(kind).items() if name.endswith(".yaml")}
    assert {name: yamlfile.load(data) for name, data in files.items()} == {
        name: yaml.load(data, Loader=yaml.CSafeLoader) for name, data in files.items()
    }


@given(st.lists(SCALARS, max_size=5), st.lists(PLAIN, max_size=3))
def test_scalars_mean_what_pyyaml_says(items: list[str], more: list[str]) -> None:
    text = "\n".join(["a:", *(f"- {item}" for item in items), "b:", *(f"- x: {item}" for item in more)])
    try:
        expected = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        with pytest.raises((yaml.YAMLError, ValueError)):
            yamlfile.load(text.encode())
    else:
        assert repr(yamlfile.load(text.encode())) == repr(expected)  # not a number is not itself


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3", "given once: 'a'"),
        ("&here [1]", "anchors and tags"),
        ("a: !!str 3", "anchors and tags"),
        ("[a, *there]", "anchors and tags"),
        ("? [a]\n: 1", "a key must be a word"),
        ("--- 1\n--- 2", "more than one document"),
        ("[1", "flow sequence"),
    ],
)
def test_what_is_malformed_or_passed_over_elsewhere_is_refused(text: str, said: str) -> None:
    with pytest.raises(yaml.YAMLError, match=said):
        yamlfile.load(text.encode())


def test_an_empty_file_is_nothing() -> None:
    assert yamlfile.load(b"") is None
