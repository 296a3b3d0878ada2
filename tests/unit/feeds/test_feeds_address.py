"""What is published as an address, and which addresses are one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.feeds.address import BadAddressError, canonical, clean

SAME = [
    ("http://lab.example/a", "https://lab.example/a"),
    ("https://www.lab.example/a", "https://lab.example/a"),
    ("https://LAB.example:443/a", "https://lab.example/a"),
    ("https://m.lab.example/a/", "https://lab.example/a"),
    ("https://lab.example./a", "https://lab.example/a"),
    ("https://user:secret@lab.example/a", "https://lab.example/a"),
    ("https://lab.example/a?utm_source=x&utm_medium=rss", "https://lab.example/a"),
    ("https://lab.example/a?b=2&a=1", "https://lab.example/a?a=1&b=2"),
    ("https://lab.example/a?source=rss", "https://lab.example/a"),
    ("https://lab.example/a#xtor=RSS-1", "https://lab.example/a"),
    ("https://lab.example/a#comments", "https://lab.example/a"),
    ("https://lab.example/a/amp/", "https://lab.example/a"),
    ("https://lab.example/a.amp.html", "https://lab.example/a.html"),
    ("https://amp.lab.example/a?amp=1", "https://lab.example/a"),
    ("https://lab.example/caf%c3%a9", "https://lab.example/café"),
    ("https://lab.example/%7Ex", "https://lab.example/~x"),
    ("https://bücher.example/a", "https://xn--bcher-kva.example/a"),
    ("https://www.google.com/url?rct=j&url=https://lab.example/a&ct=ga", "https://lab.example/a"),
    ("https://www.google.com/url?q=" * 100 + "https://lab.example/a", "https://lab.example/a"),
]
DIFFERENT = [
    ("https://lab.example/a", "https://lab.example/b"),
    ("https://lab.example/a", "https://lab.example/A"),
    ("https://lab.example/?id=1", "https://lab.example/?id=2"),
    ("https://lab.example/?source=1", "https://lab.example/?source=2"),
    ("https://lab.example/changelog#1.2", "https://lab.example/changelog#1.3"),
    ("https://lab.example/#/post/1", "https://lab.example/#/post/2"),
    ("https://lab.example:8080/a", "https://lab.example/a"),
    ("https://lab.example/a%2Fb", "https://lab.example/a/b"),
    ("https://amp.dev/a", "https://dev/a"),
    ("https://news.lab.example/a", "https://lab.example/a"),
]
ADDRESSES = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["http", "https", "HTTP"]),
    st.sampled_from(["a.example", "www.m.a.example", "A.Example:443", "a.example:80", "[::1]", "ü.example"]),
    st.text("/ab%2F.amp~é ", max_size=12).map(lambda path: "/" + path),
    st.lists(st.sampled_from(["a=1", "b", "utm_x=1", "amp=1", "%41=%zz", "", "é=ü"]), max_size=5).map(
        lambda query: "?" + "&".join(query)
    ),
    st.sampled_from(["", "#a", "#a=b", "#!/x", "#%zz"]),
)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_address_are_one_article(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_addresses_of_two_pages_stay_two(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize(
    ("link", "base", "expected"),
    [
        ("/a?b", "http://www.lab.example/feed", "http://www.lab.example/a?b"),
        (" https://lab.example/a\n b ", "", "https://lab.example/a%20b"),
        ("https://lab.example/a?p=1&fbclid=x&utm_source=y#top", "", "https://lab.example/a?p=1"),
        ("//lab.example/a", "https://other.example/", "https://lab.example/a"),
        ("https://lab.example", "", "https://lab.example/"),
    ],
)
def test_published_address_is_absolute_and_keeps_what_finds_the_page(
    link: str, base: str, expected: str
) -> None:
    assert clean(link, base) == expected


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("javascript:alert(1)", "bad-scheme"),
        ("file:///etc/passwd", "bad-scheme"),
        ("data:text/html,x", "bad-scheme"),
        ("mailto:a@lab.example", "bad-scheme"),
        ("a/b", "bad-scheme"),
        ("https:///a", "bad-address"),
        ("https://[::1/a", "bad-address"),
        ("https://lab.example:99999/", "bad-address"),
        ("https://la<b.example/", "bad-address"),
        ("https://" + "ü" * 70 + ".example/", "bad-address"),
        ("https://lab.example/" + "a" * 2100, "long-address"),
        ("https://lab.example/" + "ü" * 1000, "long-address"),
        ("https://www.google.com/url?q=" * 100_000 + "https://lab.example/", "long-address"),
    ],
)
def test_what_is_no_address_is_refused_with_a_reason(link: str, reason: str) -> None:
    with pytest.raises(BadAddressError) as caught:
        clean(link)
    assert caught.value.reason == reason


@given(ADDRESSES)
def test_cleaning_twice_changes_nothing(link: str) -> None:
    assert clean(clean(link)) == clean(link)


@given(ADDRESSES)
def test_identity_is_stable_and_that_of_the_published_address(link: str) -> None:
    identity = canonical(link)
    assert canonical(identity) == identity
    assert canonical(clean(link)) == identity


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_is_an_address_or_refused(link: str, base: str) -> None:
    try:
        address = clean(link, base)
    except BadAddressError:
        return
    assert address.isascii()
    assert address.startswith(("http://", "https://"))
