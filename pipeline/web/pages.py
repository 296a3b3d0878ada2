"""The routes and what each page is made of. A page is one read of the store; nothing is kept between."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from urllib.parse import urlencode

from sqlalchemy import Engine
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError
from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from pipeline.assets import classifier
from pipeline.classify.explain import explain
from pipeline.feeds.health import in_words, standing
from pipeline.feeds.values import RECENT
from pipeline.store import balance, corrections, queries
from pipeline.store.queries import Judged
from pipeline.web.corrections import correct
from pipeline.web.evidence import KINDS, Finding, findings, marks
from pipeline.web.headers import SecurityHeaders
from pipeline.web.highlight import Piece, excerpt, highlight
from pipeline.web.reading import Reading
from pipeline.web.rendering import iso, page
from pipeline.web.timeline import Step, steps
from pipeline.why import answer, asked, look
from schemas.messages import Release
from schemas.republish import Words

SHOWN = 50
WINDOW = 300  # verdicts that the filters by language and actor look at: a week or so of core news
LONGEST = 4096  # characters of what is asked for
CHOICES = 12  # links of one filter: what fits on two lines

_LABELS = {"core": "core", "all": None}

log = logging.getLogger(__name__)


class _Id(StringConvertor):
    """An identifier as the contract has it. Anything else in an address is no page and asks no store."""

    regex = "[A-Za-z0-9._:-]{1,128}"


register_url_convertor("id", _Id())


def app(engine: Engine, words: Words = "full") -> Starlette:
    """The pages over a store, as an ASGI application; they show no more than `words` of publishers' words."""

    def reading(view: Callable[[Reading, Request], Response]) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            with engine.connect() as tx:
                return view(Reading(tx, words), request)

        return endpoint

    return Starlette(
        routes=[
            Route("/", reading(newest)),
            Route("/articles/{article_id:id}", reading(article)),
            Route("/articles/{article_id:id}/corrections", correct(engine), methods=["POST"]),
            Route("/stories/{story_id:id}", reading(story)),
            Route("/feeds", reading(feeds)),
            Route("/status", reading(status)),
            Route("/why", reading(why)),
            Route("/healthz", reading(health)),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={
            HTTPException: refuse,
            SQLAlchemyError: no_database,
            Exception: crash,
        },
    )


@dataclass(frozen=True)
class Item:
    """An article as the pages show it: its words in pieces, those that prove the verdict marked."""

    judged: Judged
    findings: list[Finding]
    title: list[Piece]
    text: list[Piece]


def item(judged: Judged, cut: Callable[..., list[Piece]] = excerpt) -> Item:
    """`cut` says how much of the text is shown."""
    found, words = findings(judged.assessment), judged.article
    title = highlight(words.title, marks(found, "title", words.title))
    return Item(judged, found, title, cut(words.text, marks(found, "text", words.text)))


@dataclass(frozen=True)
class Filters:
    """What the newest verdicts are narrowed to, as the query of their address says."""

    label: str = "core"
    lang: str = ""
    actor: str = ""

    @classmethod
    def of(cls, request: Request) -> "Filters":
        asked = request.query_params
        label = asked.get("label", "core")
        return cls(label if label in _LABELS else "core", asked.get("lang", ""), asked.get("actor", ""))

    @property
    def narrow(self) -> bool:
        """Whether articles of the label are left out."""
        return bool(self.lang or self.actor)

    def admit(self, found: Judged) -> bool:
        actors = {a.id for a in found.assessment.actors}
        return self.lang in ("", found.article.language) and (not self.actor or self.actor in actors)

    def href(self, **changes: str) -> str:
        """The address of the page with some of it changed."""
        new = replace(self, **changes)
        default = Filters()
        asked = {k: v for k, v in vars(new).items() if v != getattr(default, k)}
        return f"/?{urlencode(asked)}" if asked else "/"


def newest(store: Reading, request: Request) -> Response:
    """The newest verdicts, by day, with the release lines and stories beside them."""
    filters = Filters.of(request)
    window = store.newest(WINDOW, _LABELS[filters.label])
    shown = [found for found in window if filters.admit(found)][:SHOWN]
    return page(
        "newest.html",
        filters=filters,
        languages=_choices(filters.lang, (found.article.language for found in window)),
        actors=_choices(filters.actor, (a.id for found in window for a in found.assessment.actors)),
        days=[(day, [item(found) for found in group]) for day, group in groupby(shown, _day)],
        window=WINDOW,
        overview=queries.overview(store.tx),
        releases=_lines(store.releases(8)),
        stories=store.stories(10),
    )


def article(store: Reading, request: Request) -> Response:
    """One article, also by the beginning of its id."""
    found = store.article(request.path_params["article_id"])
    if found is None:
        raise HTTPException(404)
    article_id = found.article.article_id
    if article_id != request.path_params["article_id"]:
        return RedirectResponse(f"/articles/{article_id}", 307)
    shown = store.story(found.story_id) if found.story_id else None
    return page(
        "article.html",
        item=item(found, highlight),
        kinds=KINDS,
        story=shown,
        whole=store.words == "full",
        corrections=corrections.listed(store.tx, corrections.MOST, article_id),
    )


def story(store: Reading, request: Request) -> Response:
    """One story: its articles of all languages in order, and the releases it tells of."""
    found = store.story(request.path_params["story_id"])
    if found is None:
        raise HTTPException(404)
    judged = store.judged(a.article_id for a in found.articles)
    told = store.releases(products=found.products) if found.products else []
    return page(
        "story.html",
        story=found,
        items={article_id: item(one) for article_id, one in judged.items()},
        releases=_lines(r for r in told if r.actor in found.actors),
    )


@dataclass(frozen=True)
class FeedLine:
    """A feed as its line shows it: where it stands, and what is wrong, in words."""

    view: queries.FeedView
    standing: str
    words: str


def feeds(store: Reading, request: Request) -> Response:
    """Every feed, how it answers and what it yields."""
    rows = [
        FeedLine(
            view,
            standing(view.state, removed=view.removed_at is not None),
            "" if view.removed_at else in_words(view.state, articles=view.judged, core=view.core),
        )
        for view in queries.feeds(store.tx)
    ]
    states = Counter(row.standing for row in rows).most_common()
    return page("feeds.html", rows=rows, states=states, days=RECENT.days)


def status(store: Reading, request: Request) -> Response:
    """What waits, what wants a decision, who reads, and whether the last loss proof balanced."""
    return page(
        "status.html",
        overview=queries.overview(store.tx),
        readers=queries.readers(store.tx),
        proof=balance.last(store.tx),
    )


def why(store: Reading, request: Request) -> Response:
    """What became of the address or id that is asked for, step by step."""
    if store.words != "full":  # titles, reasons and refusals are full of words of others
        raise HTTPException(403, "The command `racewire why` tells it: few words are republished here")
    words = request.query_params.get("url", "").strip()[:LONGEST]
    if not words:
        return page("why.html", asked="", answer=None, judged=False)
    question = asked(words)
    trace = look(store.tx, question)
    explained = explain(classifier(), trace.article)[1] if trace.article else []
    found = answer(question, trace, explained, classifier().version, datetime.now(UTC))
    return page("why.html", asked=words, answer=found, judged=trace.verdict is not None)


def health(store: Reading, request: Request) -> Response:
    """200 where the store can be read. A database that cannot ends in `no_database`, as on every page."""
    last = store.newest(1)
    at = iso(last[0].article.published_at) if last else None
    return JSONResponse({"status": "ok", "newest_core_published_at": at})


def refuse(request: Request, error: Exception) -> Response:
    """Not found, or a way of asking that is not allowed."""
    found = error if isinstance(error, HTTPException) else HTTPException(400)
    if found.status_code == 404:
        return _problem(
            404,
            "There is nothing here",
            "It may have been cleaned up, or the address is mistyped. The beginning of an article's id is "
            "enough where it fits one alone.",
        )
    return _problem(found.status_code, found.detail, "The pages are for reading.", found.headers)


def no_database(request: Request, error: Exception) -> Response:
    """503 with a reason. The error's own words, which may tell of hosts and users, go to the log alone."""
    log.error("%s: the database cannot be read: %s", request.url.path, error)
    if isinstance(error, ProgrammingError):
        reason, advice = "the database lacks tables that this version reads", "racewire deploy makes them"
    else:
        reason, advice = "the database does not answer", "racewire status and the log of the pages tell more"
    if request.url.path == "/healthz":
        return JSONResponse({"status": "unavailable", "reason": f"{reason}: {advice}"}, 503)
    return _problem(503, f"For now, {reason}", f"To whoever runs this: {advice}.")


def crash(request: Request, error: Exception) -> Response:
    """500. Starlette raises the error again afterwards, so that the server logs it; this response passes no
    middleware."""
    advice = "The fault is ours and is in the log."
    return _problem(500, "This page could not be made", advice, SecurityHeaders.HEADERS)


def _problem(status: int, title: str, advice: str, headers: Mapping[str, str] | None = None) -> Response:
    return page("problem.html", status, headers, status=status, title=title, advice=advice)


def _day(found: Judged) -> date:
    return found.article.published_at.date()


def _lines(releases: Iterable[Release]) -> list[tuple[Release, list[Step]]]:
    """Releases with their turns; one whose statements were all taken back has nothing to tell."""
    return [(release, steps(release)) for release in releases if release.statements]


def _choices(chosen: str, names: Iterable[str]) -> list[tuple[str, str]]:
    """Values of a filter with their words: none, the commonest names, and in any case the chosen one."""
    commonest = [name for name, _ in Counter(names).most_common(CHOICES)]
    others = [chosen] if chosen and chosen not in commonest else []
    return [("", "all"), *((name, name) for name in commonest + others)]
