"""Templates and the few things they can say that plain values cannot: links, times, languages."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from pipeline.store.queries import said

_FORMATS = {"day": "{0.day} {0:%b %Y}", "month": "{0:%b %Y}", "year": "{0:%Y}"}


def page(
    template: str, status_code: int = 200, headers: Mapping[str, str] | None = None, /, **values: Any
) -> HTMLResponse:
    """A response from a template in the folder `templates`."""
    return HTMLResponse(templates.get_template(template).render(values), status_code, headers)


def safe_url(url: str) -> bool:
    """Whether an address of a feed may be a link: what is no web address could run or read something."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def iso(moment: datetime) -> str:
    """For machines."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def when(moment: datetime, precision: str = "second") -> str:
    """For people, no more precise than it is known."""
    moment = moment.astimezone(UTC)
    return _FORMATS.get(precision, "{0.day} {0:%b %Y, %H:%M} UTC").format(moment)


def slug(label: str) -> str:
    """An identifier as words: `us-gov` is `us gov`. Capitals are the style sheet's."""
    return label.replace("-", " ")


def lang(code: str) -> str:
    """The value of a `lang` attribute; empty says unknown."""
    return "" if code == "und" else code


templates = Environment(
    loader=PackageLoader("pipeline.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.tests["safe_url"] = safe_url
templates.filters |= {"iso": iso, "when": when, "slug": slug, "lang": lang, "said": said}
