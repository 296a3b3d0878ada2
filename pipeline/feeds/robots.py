"""robots.txt: which pages a server lets us read, and how slowly. Of pages only: a feed is there to be polled.

After RFC 9309: a server without rules (4xx) allows everything; one that fails or cannot be reached is not
asked for pages until it answers. Pure: what was fetched, and when, is given.
"""

import math
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from protego import Protego

from pipeline.feeds.charset import decode
from pipeline.feeds.values import Fetched, Robots

# The token by which rules name us, the first of our User-Agent.
AGENT = "racewire"
# What RFC 9309 wants read at least; more is refused by the fetch, and then no page is asked.
MAX_SIZE = 512_000
# A server that asks for more between two pages gets this: beyond it one host would hold up a whole poll.
LONGEST_DELAY = 30.0

_BELIEVED = timedelta(days=1)
_TRY_AGAIN = timedelta(hours=1)


def origin(url: str) -> str:
    """Where the rules for an address are from: its scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def address(origin: str) -> str:
    """The address of an origin's rules."""
    return f"{origin}/robots.txt"


def understood(origin: str, fetched: Fetched, now: datetime) -> Robots:
    """What the answer for an origin's robots.txt means for its pages."""
    if fetched.kind == "ok":
        rules = decode(fetched.body, fetched.content_type).replace("\0", "")
        return Robots(origin=origin, rules=rules, until=now + _BELIEVED)
    # Too many requests (429) is no answer to the question.
    if fetched.status is not None and 400 <= fetched.status < 500 and fetched.status != 429:
        return Robots(origin=origin, rules="", until=now + _BELIEVED)
    return Robots(origin=origin, rules=None, until=now + _TRY_AGAIN)


class Rules:
    """The rules of one origin, read."""

    def __init__(self, robots: Robots) -> None:
        self.reachable = robots.rules is not None
        self._parsed = Protego.parse(robots.rules or "")

    def allow(self, url: str) -> bool:
        """Whether a page may be asked for."""
        return self.reachable and bool(self._parsed.can_fetch(url, AGENT))

    @property
    def delay(self) -> float:
        """Seconds to leave between two requests, within what is granted."""
        delay = self._parsed.crawl_delay(AGENT) or 0.0
        return min(delay, LONGEST_DELAY) if math.isfinite(delay) and delay > 0 else 0.0
