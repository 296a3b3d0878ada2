"""The same article again and again: exactly what the fixture says becomes of it, without any server."""

import pytest

from pipeline.feeds.decide import decide
from pipeline.feeds.identify import identify
from pipeline.feeds.outcomes import Known
from pipeline.feeds.parse import parse
from tests.identity import Case, cases
from tests.unit.feeds.feed_factory import DETECTOR, NOW

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=[case.case for case in CASES])
def test_every_entry_becomes_what_the_fixture_says(case: Case) -> None:
    known: dict[str, Known] = {}
    carriers: dict[str, set[str]] = {}
    contents = set()
    for number, (poll, document) in enumerate(case.steps()):
        if poll.cleaned_up:
            carriers, contents = {}, set()
        feed = case.feed(poll.feed, f"https://{case.host}/{poll.feed}.xml")
        parsed = parse(document, url=feed.url)
        decision = decide(feed, identify(feed, parsed, now=NOW, detector=DETECTOR), known)
        assert decision.counts == poll.counts, f"poll {number} of {poll.feed}"
        known |= {row.article_id: row for row in decision.memory}
        for article in decision.messages:
            carriers.setdefault(article.article_id, set()).add(article.feed.id)
            if article.kind != "sighting":
                contents.add((article.article_id, article.revision))
    found = (len(carriers), len(contents), sum(map(len, carriers.values())))
    assert found == (case.rows.articles, case.rows.revisions, case.rows.sightings)
