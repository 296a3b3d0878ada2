"""What is asked for, an address or an id, and all that the store knows of it."""

import re
from dataclasses import dataclass

from sqlalchemy import Connection

from pipeline.feeds.address import BadAddressError, canonical, clean, host_of
from pipeline.feeds.identify import article_id
from pipeline.store import tracing
from pipeline.store.tracing import Trace

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(frozen=True)
class Asked:
    """What was asked for: an address in its published spelling, or an article's id or its beginning."""

    words: str
    url: str = ""
    bad: str = ""  # why it can be no article's address

    @property
    def labels(self) -> list[str]:
        """Spellings by which a poll may have noted it."""
        return list(dict.fromkeys(filter(None, (self.words, self.url))))

    @property
    def hosts(self) -> list[str]:
        """Its host, without what only marks a version of the site, and those above it."""
        if not self.url:
            return []
        parts = host_of(canonical(self.url)).split(".")
        return [".".join(parts[n:]) for n in range(max(1, len(parts) - 1))]

    def is_named(self, label: str, base: str = "") -> bool:
        """Whether a label is another spelling of the address, resolved against `base`."""
        try:
            return bool(self.url) and canonical(clean(label, base)) == canonical(self.url)
        except BadAddressError:
            return False


def asked(words: str) -> Asked:
    """Read what was asked for."""
    words = words.strip()
    if _ID.fullmatch(words) and "/" not in words:
        return Asked(words)
    link = words if "://" in words or "/" not in words else f"https://{words}"
    try:
        return Asked(words, url=clean(link))
    except BadAddressError as error:
        return Asked(words, bad=str(error))


def look(tx: Connection, question: Asked) -> Trace:
    """All that the store knows of it."""
    if question.bad:
        return tracing.trace(tx, "", (), question.labels, question.is_named)
    if question.url:
        return tracing.trace(tx, article_id(question.url), question.hosts, question.labels, question.is_named)
    found = tracing.resolve(tx, question.words) or question.words
    site = asked(tracing.address(tx, found) or "")
    return tracing.trace(tx, found, site.hosts, site.labels, site.is_named)
