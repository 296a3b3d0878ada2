"""Addresses of articles: what is published, and what two addresses of one article have in common.

`clean` makes the address that is published: absolute, of http or https, without what only tracks the reader.
`canonical` makes the identity: also without what does not change the page in practice (scheme, `www.` and
mobile hosts, AMP, order of parameters, closing slash). It is a key and need not be fetchable.
"""

import re
from functools import lru_cache
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urljoin, urlsplit, urlunsplit

MAX_LENGTH = 2048


class BadAddressError(ValueError):
    """An address that cannot be an article's. `reason` is a code, the message says what is wrong."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


# Names that no server needs to find a page: the campaign tags of Google, Matomo, HubSpot, AT Internet and
# Webtrends; click ids of the ad networks; mailing lists; publishers' own tags for "came from the feed".
_TRACKING = re.compile(
    r"(?:utm|mtm|pk|piwik|matomo|hsa|_hs|at|wt|oly)[_.].*|_hs(?:enc|mi)|wt\.mc"
    r"|fbclid|gclid|gclsrc|dclid|gbraid|wbraid|msclkid|yclid|twclid|ttclid|li_fat_id|igsh|igshid|_ga|_gl"
    r"|mc_cid|mc_eid|mkt_tok|vero_id|vero_conv|s_cid|s_kwcid|icid|cmpid|cmp|ncid|ocid|ns_mchannel|ns_source"
    r"|ns_campaign|ns_linkname|xtor|xtref|ito|guccounter|guce_referrer|guce_referrer_sig|__twitter_impression"
    r"|spm|share_token|smid|smtyp|emc|eref|maca|wprov|ftag|echobox|chksm|adchannelid|traffic_source",
    re.IGNORECASE,
)
# Names that track only with a value that says so: `?source=rss` does, `?source=1234` may choose the page.
_MAYBE_TRACKING = re.compile(
    r"(?:ref|source|src|from|f|fl|via|partner|feed|medium|campaign|rss|cid|iid|mod)"
    r"=(?:(?:rss|feed|atom|hnrss|newsletter|twitter|facebook|flipboard).*)?",
    re.IGNORECASE,
)

# A fragment can be all that tells a changelog's entries apart, so it is kept unless it is known for noise.
_NOISE_FRAGMENT = re.compile(
    r"(?:[^!/=]*=.*|:~:.*|rd|rss|atom|feed|top|comments?|respond|more(?:-\d+)?|disqus_thread|ref-?rss)$",
    re.IGNORECASE,
)
# Redirectors that carry their target in the address, and the parameters it stands in.
_REDIRECTORS = {
    ("www.google.com", "/url"): ("url", "q"),
    ("news.google.com", "/news/url"): ("url",),
    ("www.youtube.com", "/redirect"): ("q",),
    ("l.facebook.com", "/l.php"): ("u",),
}
# At least a domain of two labels must remain: `amp.dev` is a site of its own.
_SAME_SITE_HOSTS = re.compile(r"^(?:(?:www|m|mobile|amp)\.)+(?=[^.]+\.[^.])")
_AMP_PATH = re.compile(r"(?:/+amp(?:\.html)?|\.amp)+/*$|\.amp(?=\.html/*$)", re.IGNORECASE)
_AMP_PARAMETERS = frozenset({"amp", "amp=", "amp=1", "amp=true", "outputtype=amp"})

_UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")


def absolute(link: str, base: str = "") -> SplitResult:
    """The parts of an address in one spelling, without credentials. Raises `BadAddressError` if none."""
    if len(link) > 2 * MAX_LENGTH:
        raise BadAddressError("long-address", f"{link[:80]!r}… has {len(link)} characters")
    link = re.sub(r"[\x00-\x1f\x7f]+", "", link).strip()
    try:
        parts = urlsplit(urljoin(base, link))
        port = parts.port
        host = _ascii_host((parts.hostname or "").rstrip(".")) if parts.scheme in ("http", "https") else ""
    except ValueError as error:
        raise BadAddressError("bad-address", f"{link[:200]!r} is no address: {error}") from error
    if not host:
        raise BadAddressError("bad-scheme", f"{link[:200]!r} is no address of http or https")
    netloc = host if port in (None, 80 if parts.scheme == "http" else 443) else f"{host}:{port}"
    path, query, fragment = _encode(parts.path) or "/", _encode(parts.query), _encode(parts.fragment)
    return SplitResult(parts.scheme, netloc, path, query, fragment)


def clean(link: str, base: str = "") -> str:
    """The address to publish. Raises `BadAddressError` where `link`, resolved against `base`, is none."""
    parts = absolute(link, base)
    for name in _REDIRECTORS.get((parts.netloc, parts.path), ()):
        for key, value in parse_qsl(parts.query):
            if key == name and value.startswith(("http://", "https://")):
                return clean(value)
    address = parts._replace(
        query="&".join(filter(_matters, parts.query.split("&"))),
        fragment="" if _NOISE_FRAGMENT.match(parts.fragment) else parts.fragment,
    ).geturl()
    if len(address) > MAX_LENGTH:
        raise BadAddressError(
            "long-address", f"{address[:80]}… has {len(address)} characters, more than {MAX_LENGTH}"
        )
    return address


@lru_cache(maxsize=4096)  # asked for several times while a document's entries are told apart
def canonical(address: str) -> str:
    """The identity of an address: equal for all addresses of one article. Raises as `clean` does."""
    parts = urlsplit(clean(address))
    host = _SAME_SITE_HOSTS.sub("", parts.netloc).removesuffix(":443").removesuffix(":80")
    path = _AMP_PATH.sub("", parts.path).rstrip("/")
    query = sorted(part for part in parts.query.split("&") if part and part.lower() not in _AMP_PARAMETERS)
    return urlunsplit(("https", host, path or "/", "&".join(query), parts.fragment))


def _ascii_host(host: str) -> str:
    """The host as DNS knows it, IPv6 in brackets. Raises UnicodeError (a ValueError) where it is none."""
    if ":" in host:
        return f"[{host}]"
    if not host.isascii():
        host = host.encode("idna").decode("ascii").lower()
    if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", host):
        raise UnicodeError(f"no host is called {host!r}")
    return host


def _matters(parameter: str) -> bool:
    """Whether a parameter, as it stands in a query, may choose the page."""
    name, _, value = unquote(parameter).partition("=")
    return not (not parameter or _TRACKING.fullmatch(name) or _MAYBE_TRACKING.fullmatch(f"{name}={value}"))


def _encode(part: str) -> str:
    """One spelling for the percent-encodings of a path, query or fragment; what they encode stays."""
    part = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", part)
    part = quote(part, safe="/:@!$&'()*+,;=~-._%?", errors="replace")
    return re.sub("%[0-9A-Fa-f]{2}", _one_spelling, part)


def _one_spelling(escape: re.Match[str]) -> str:
    character = chr(int(escape[0][1:], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def host_of(url: str) -> str:
    """The host of an address, in lower case; what cannot be read is a host of its own."""
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url
