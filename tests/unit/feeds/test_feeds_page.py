"""The main text of pages: what is taken, what is not and why, and pages that mean no good."""

from collections.abc import Iterator
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.feeds.extract import Extractor
from pipeline.feeds.markup import page_text, tags
from pipeline.feeds.page import Page, is_teaser, read
from pipeline.feeds.values import Fetched
from schemas.messages import Article
from tests.unit.feeds.feed_factory import a_candidate

TITLE = "Lab delays its flagship model until autumn"
TEASER = "The lab says that its flagship model needs more safety tests."
BODY = (
    "The lab said on Monday that its flagship model will not ship before autumn, citing safety tests.",
    "Three people familiar with the plans said that the delay was decided last week by the board.",
    "Rivals have shipped two models since, and analysts expect the flagship to face a harder market.",
)
CHINESE = ("实验室推迟发布旗舰模型", "实验室周一表示，旗舰模型的发布将推迟到秋季，原因是安全测试尚未完成。")


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor() as found:
        yield found


def article(title: str = TITLE, text: str = TEASER) -> Article:
    return a_candidate(title=title, text=text).article


def a_page(*paragraphs: str, head: str = "", title: str = TITLE, around: str = "") -> str:
    text = "".join(f"<p>{escape(p)}</p>" for p in paragraphs)
    menu = "<nav><ul><li><a href='/'>Home</a><li><a href='/ai'>AI</a></ul></nav>"
    return (
        f"<!doctype html><html><head><title>{title}</title>{head}</head><body>{menu}"
        f"<main><article><h1>{title}</h1>{text}</article></main>{around}"
        "<footer><p>Imprint and terms of use</p></footer></body></html>"
    )


def got(
    page: str | bytes, about: Article, extractor: Extractor, kind: str = "text/html; charset=utf-8"
) -> Page:
    body = page.encode() if isinstance(page, str) else page
    fetched = Fetched(kind="ok", url=about.url, status=200, content_type=kind, body=body)
    return read(fetched, about, extractor.main_text)


def test_the_main_text_without_headline_menu_and_footer(extractor: Extractor) -> None:
    assert got(a_page(*BODY), article(), extractor) == Page(text="\n\n".join(BODY))


def test_what_ordinary_pages_have_is_no_wall(extractor: Extractor) -> None:
    noise = "<div class='g-recaptcha'></div><div id='cookie-consent'><p>We use cookies</p></div>"
    assert got(a_page(*BODY, around=noise), article(), extractor).text.startswith(BODY[0])


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_page_says_its_encoding_itself(extractor: Extractor, encoding: str) -> None:
    title, text = CHINESE
    head = f"<meta charset={encoding}>"
    page = a_page(text * 3, text, head=head, title=title).encode(encoding)
    assert got(page, article(title, text), extractor, "text/html").text == f"{text * 3}\n\n{text}"


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (
            a_page(*BODY, head='<script>{"@type":"NewsArticle","isAccessibleForFree": "False"}</script>'),
            "paywall",
        ),
        (a_page(*BODY, head='<meta property="article:content_tier" content="locked">'), "paywall"),
        (a_page(BODY[0], "Subscribe to continue reading this article."), "paywall"),
        (a_page("Jetzt abonnieren"), "paywall"),
        (a_page(TEASER), "no-article"),
        (
            "<html><title>Just a moment...</title><script src=/cdn-cgi/challenge-platform></script>",
            "challenge",
        ),
        (
            a_page(
                "We and our 842 partners store and access information such as cookies on a device.",
                "With your consent we may use precise geolocation data and identification.",
                title="Your privacy",
            ),
            "consent",
        ),
        (a_page("Sign in to go on", around="<form><input type=password></form>", title="Sign in"), "login"),
        (
            a_page(*(f"Ten tips for a greener balcony, number {n}." for n in range(9)), title="Tips"),
            "no-article",
        ),
        ("", "no-article"),
    ],
)
def test_the_teaser_stands_for_a_reason(extractor: Extractor, page: str, reason: str) -> None:
    assert got(page, article(), extractor) == Page(reason=reason)


def test_what_is_no_page_has_no_text(extractor: Extractor) -> None:
    assert got(b"%PDF-1.7", article(), extractor, "application/pdf").reason == "no-html"
    for kind, reason in (("failed", "http-404"), ("failed", "too-large"), ("gone", None)):
        fetched = Fetched(kind=kind, url="https://lab.example/", reason=reason)
        assert read(fetched, article(), extractor.main_text).reason == (reason or "gone")


def test_markup_and_characters_of_a_page_are_cleaned(extractor: Extractor) -> None:
    hostile = "<p>\x00\u202e<script>alert(1)</script>&lt;b&gt; onerror=x\ud800</p>"
    page = a_page(*BODY).replace("</article>", f"{hostile}</article>").encode("utf-8", "surrogatepass")
    text = got(page, article(), extractor).text
    assert text.startswith(BODY[0])
    assert not {"\x00", "\u202e", "\ud800"} & set(text)
    assert "alert" not in text


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 200_000,
        "<p " + " ".join(f"a{n}=b" for n in range(200_000)) + ">",
        "<p>" + "".join(f"<font a={n}>" for n in range(100)) + "<p>x" * 100_000,
    ],
    ids=["nested", "attributes", "misnested"],
)
def test_a_page_that_takes_the_extractor_down_costs_only_itself(extractor: Extractor, page: str) -> None:
    assert got(page, article(), extractor).reason == "too-complex"
    assert got(a_page(*BODY), article(), extractor).text


@given(st.binary(max_size=400))
def test_no_page_raises(body: bytes) -> None:
    markup = page_text(b"<meta charset=" + body, "")
    fetched = Fetched(kind="ok", url="https://lab.example/", content_type="", body=body)
    assert all(name == "meta" for name, _ in tags(markup, "meta"))
    page = read(fetched, article(), lambda markup: markup)
    assert bool(page.text) == (page.reason is None)


def test_what_is_a_teaser() -> None:
    long = a_candidate(text="word " * 300).article
    assert is_teaser(long)  # a summary, however long
    assert not is_teaser(replace(long, text_source="content"))
    assert is_teaser(replace(article(), text_source="content"))
