"""Ids that go on, heirs and agreement, over all kinds of clusterings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stories.facts import story_id_of
from pipeline.stories.rebuilding import agreement, heirs, keep_ids

ARTICLES = "abcdefgh"


def founded(homes: dict[str, str]) -> dict[str, str]:
    """Clusters named by one letter each, under the id of their first article."""
    first: dict[str, str] = {}
    for article, cluster in sorted(homes.items()):
        first.setdefault(cluster, story_id_of(article))
    return {article: first[cluster] for article, cluster in homes.items()}


clusterings = st.dictionaries(st.sampled_from(ARTICLES), st.sampled_from("1234"))
# What is live: an id is its founder's, who may have left the race since (`z`), and never another's.
live_ones = clusterings.flatmap(
    lambda homes: st.sampled_from([founded(homes), {a: story_id_of("z" + s) for a, s in homes.items()}])
)


def groups(homes: dict[str, str]) -> set[frozenset[str]]:
    return {frozenset(a for a, s in homes.items() if s == story) for story in homes.values()}


@given(clusterings.map(founded), live_ones)
def test_ids_never_join_nor_split_what_was_told(new: dict[str, str], live: dict[str, str]) -> None:
    kept = keep_ids(new, live)
    assert groups(kept) == groups(new)


@given(clusterings.map(founded), live_ones)
def test_no_article_founds_an_id_that_another_story_has(new: dict[str, str], live: dict[str, str]) -> None:
    kept = keep_ids(new, live)
    ids = set(kept.values())
    assert all(kept[article] == story_id_of(article) for article in kept if story_id_of(article) in ids)


@given(clusterings.map(founded), live_ones)
def test_telling_anew_once_more_changes_nothing(new: dict[str, str], live: dict[str, str]) -> None:
    kept = keep_ids(new, live)
    assert keep_ids(new, kept) == kept
    assert heirs(kept, kept) == {}
    same = agreement(kept, kept)
    assert (same.moved, same.joined, same.split) == (0, 0, 0)
    assert same.b_cubed == pytest.approx(1)


@given(live_ones)
def test_the_same_stories_keep_all_their_ids(live: dict[str, str]) -> None:
    assert keep_ids(founded(live), live) == live


@given(clusterings.map(founded), live_ones)
def test_who_is_gone_has_an_heir_that_is_there(new: dict[str, str], live: dict[str, str]) -> None:
    kept = keep_ids(new, live)
    for story, heir in heirs(kept, live).items():
        assert story not in kept.values()
        has = {kept[a] for a, s in live.items() if s == story and a in kept}
        assert heir in has if has else heir is None


def test_most_of_a_story_that_falls_apart_keeps_its_id_if_the_founder_is_there() -> None:
    live = founded(dict.fromkeys("abcde", "1"))
    kept = keep_ids(founded({"a": "1", "b": "1", "c": "1", "d": "2", "e": "2"}), live)
    assert kept["a"] == live["a"]
    assert kept["d"] == story_id_of("d")
    found = agreement(kept, live)
    assert (found.moved, found.joined, found.split) == (2, 0, 1)
    # By hand: precision 1; recall (3 * 3/5 + 2 * 2/5) / 5 = 0.52.
    assert found.b_cubed == pytest.approx(2 * 0.52 / 1.52)


def test_the_larger_of_two_that_join_gives_the_id_and_is_the_heir() -> None:
    live = founded({"a": "1", "b": "2", "c": "2"})
    kept = keep_ids(founded(dict.fromkeys("abc", "1")), live)
    assert set(kept.values()) == {story_id_of("b")}
    assert heirs(kept, live) == {story_id_of("a"): story_id_of("b")}
    assert agreement(kept, live).joined == 1
