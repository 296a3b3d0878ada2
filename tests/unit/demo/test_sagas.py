"""Both sagas through the real rooms in one process, round by round: what each saga expects must come out.

The second saga has other actors and is known to no code: nothing in the pipeline may be made for the first.
"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.assets import classifier
from pipeline.demo.newsroom import Newsroom
from pipeline.demo.saga import load
from pipeline.demo.summary import Observed, summarise
from pipeline.feeds import registry
from pipeline.feeds.decide import decide as decide_feed
from pipeline.feeds.identify import identify
from pipeline.feeds.language import Detector
from pipeline.feeds.outcomes import Candidate, Known
from pipeline.feeds.parse import parse
from pipeline.stories import Member, Settings, State
from pipeline.stories import decide as decide_stories
from schemas.messages import Assessment, Release, Story

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANOTHER = Path(__file__).parents[2] / "data" / "sagas"


@pytest.mark.parametrize("folder", [None, ANOTHER], ids=["shipped", "another"])
def test_a_saga_comes_out_as_expected(folder: Path | None, tmp_path: Path) -> None:
    sagas = load(folder) if folder else load()
    kinds: Counter[str] = Counter()
    known: dict[str, Known] = {}
    assessments: dict[str, Assessment] = {}
    members: dict[str, Member] = {}
    stories: dict[str, Story] = {}
    releases: dict[str, Release] = {}
    with Newsroom(sagas) as newsroom:
        (tmp_path / "feeds.yaml").write_text(newsroom.feeds_yaml(), encoding="utf-8")
        feeds = registry.load(tmp_path / "feeds.yaml")
        detector = Detector({feed.language for feed in feeds})
        for number in range(1, newsroom.rounds + 1):
            if number > 1:
                newsroom.advance()
            batch = []
            for feed in feeds:
                parsed = parse(newsroom.document(feed.id), url=feed.url)
                entries = identify(feed, parsed, now=NOW, detector=detector)
                assert all(isinstance(entry, Candidate) for entry in entries)
                decision = decide_feed(feed, entries, known)
                known |= {row.article_id: row for row in decision.memory}
                kinds.update(message.kind for message in decision.messages)
                batch += [classifier().assess(m) for m in decision.messages if m.kind != "sighting"]
            assessments |= {a.article_id: a for a in batch}
            told = decide_stories(
                batch, State(members=tuple(members.values()), releases=tuple(releases.values())), Settings()
            )
            members |= {m.article.article_id: m for m in told.members}
            for article_id in told.left:
                del members[article_id]
            stories |= {s.story_id: s for s in told.stories}
            releases |= {r.release_id: r for r in told.releases}
        summary = summarise(
            sagas,
            newsroom.shown(),
            Observed(
                articles=kinds["article"],
                revisions=kinds["revision"],
                sightings=kinds["sighting"],
                assessments=list(assessments.values()),
                stories=list(stories.values()),
                releases=list(releases.values()),
                topics=[],
            ),
        )
    assert summary.missing == ()
