"""The storyteller: verdicts in, stories and releases out. One leads, others stand by."""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine

from pipeline.store import tales
from pipeline.store.leases import Lease
from pipeline.stories import Settings, decide, lookup
from pipeline.workers.strategy import StoreStrategy, Write
from schemas.messages import Assessment
from schemas.topics import ASSESSMENTS, RELEASES, STORIES, Topic

NAME = "storyteller"


def strategy(
    engine: Engine, topics: dict[str, Topic], group: str, version: str, lease: Lease
) -> StoreStrategy:
    """What the consumer loop runs on `ai-race.assessments.v1` while `lease` is held."""
    settings = Settings()

    def prepare(assessments: Sequence[Assessment]) -> Write:
        keys = [lookup(a, settings) for a in assessments]

        def write(tx: Connection) -> None:
            if assessments:
                decision = decide(assessments, tales.load_state(tx, keys), settings)
                tales.save_decision(tx, topics[STORIES], topics[RELEASES], decision)

        return write

    return StoreStrategy(
        engine,
        group,
        topics[ASSESSMENTS],
        topics[f"{ASSESSMENTS}.dead-letters"],
        prepare,
        worker=NAME,
        version=version,
        lease=lease,
    )
