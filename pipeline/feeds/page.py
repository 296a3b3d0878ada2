"""From the page of an entry to its main text, or to the reason why the feed's own words stand. No I/O.

A page is believed if it is the entry's article: it says more than the feed does, speaks of the same, and does
not call itself one that has to be paid for. Walls, consent and error pages fail that; what they are is told
from their markup only then, since ordinary pages have captchas and cookie banners too.
"""

import re
from collections.abc import Callable

from pipeline.feeds.aliases import named_by_page
from pipeline.feeds.markup import page_text
from pipeline.feeds.text import from_plain
from pipeline.feeds.values import Fetched, Value
from schemas.messages import Article

# A feed's content of this length is an article, if a short one. Of real summaries 9 in 10 are shorter.
_TEASER = 500
# So much of the words of a title and teaser is in the page's text: of 130 real pages all but 11 have more, of
# pages about something else 9 in 10 less.
_RELATED = 0.4
# Where a wall cuts an article off, there is less than this before it.
_CUT_OFF = 2_000

_HTML_TYPE = re.compile(r"\s*(?:text/html|application/xhtml\+xml)\b|\s*$", re.IGNORECASE)
# Publishers tell search engines so, in schema.org's terms or Facebook's.
_PAID = re.compile(
    r"[\"']isAccessibleForFree[\"']\s*:\s*[\"']?false|itemprop=[\"']isAccessibleForFree[\"']\s+content=[\"']false"
    r"|article:content_tier[\"']\s+content=[\"']locked",
    re.IGNORECASE,
)
_PAY = re.compile(
    r"subscribe to (?:continue|read|unlock)|to continue reading|already a subscriber|subscribers? only"
    r"|weiterlesen mit|jetzt abonnieren|nur für abonnent|mit .{0,20}abo weiterlesen"
    r"|article réservé aux abonnés|réservé à nos abonnés|exclusivo para suscriptores|suscríbete para"
    r"|登录后阅读|订阅后阅读|付费阅读|付費閱讀|会員限定|有料会員|続きを読むには|유료 구독|구독자 전용",
    re.IGNORECASE,
)
_CONSENT = re.compile(
    r"consent|cookie|datenschutz|zustimm|einwillig|consentement|consentimiento|同意|쿠키", re.IGNORECASE
)
_CHALLENGE = re.compile(
    r"cf-chl|challenge-platform|just a moment\.\.\.|captcha|_incapsula_|ddos-guard|access denied"
    r"|verify you are human|enable javascript and cookies",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"type=[\"']?password", re.IGNORECASE)

_WORD = re.compile(r"[^\W\d_]{4,}|\d+")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


class Page(Value, frozen=True, kw_only=True):
    """What a page gave: its main text and the address it gives itself, or why the teaser stands."""

    text: str = ""
    canonical: str | None = None
    reason: str | None = None


def is_teaser(article: Article) -> bool:
    """Whether a feed gives too little of an article."""
    return article.text_source != "content" or len(article.text) < _TEASER


def read(fetched: Fetched, article: Article, main_text: Callable[[str], str | None]) -> Page:
    """What was fetched for an article, as its feed gives it. `main_text` is that of `Extractor`."""
    if fetched.kind != "ok":
        return Page(reason=fetched.reason or fetched.kind)
    if not _HTML_TYPE.match(fetched.content_type):
        return Page(reason="no-html")
    markup = page_text(fetched.body, fetched.content_type)
    if _PAID.search(markup):
        return Page(reason="paywall")
    found = main_text(markup)
    if found is None:
        return Page(reason="too-complex")
    text = _without_headline(from_plain(found), article.title)
    if len(text) <= len(article.text) or not _is_about(article, text):
        return Page(reason=_what_it_is(markup, text))
    if len(text) < _CUT_OFF and _PAY.search(text):
        return Page(reason="paywall")
    return Page(text=text, canonical=named_by_page(markup, fetched.url, article.url))


def _without_headline(text: str, title: str) -> str:
    first, _, rest = text.partition("\n\n")
    return rest if first.casefold() == title.casefold() else text


def _is_about(article: Article, text: str) -> bool:
    """Whether a text speaks of what the feed says: half a sentence of it, or its words in other order."""
    said = _words(f"{article.title} {article.text}")
    return bool(said) and len(said & _words(text)) >= _RELATED * len(said)


def _words(text: str) -> set[str]:
    """Longer words and numbers; of scripts without spaces, pairs of characters."""
    text = text.casefold()
    pairs = {run[i : i + 2] for run in _CJK.findall(text) for i in range(len(run) - 1)}
    return pairs | set(_WORD.findall(_CJK.sub(" ", text)))


def _what_it_is(markup: str, text: str) -> str:
    """The reason code of a page that is not the article."""
    if _CHALLENGE.search(markup) and len(text) < _CUT_OFF:
        return "challenge"
    if _PAY.search(text) or _PAY.search(markup):
        return "paywall"
    if _CONSENT.search(text):
        return "consent"
    if _LOGIN.search(markup):
        return "login"
    return "no-article"
