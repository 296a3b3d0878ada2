"""The storyteller: verdicts in, stories and releases out. One leads, others stand by."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Engine

from pipeline.store import tales
from pipeline.store.leases import Lease
from pipeline.stories import Settings, decide, lookup
from pipeline.workers.strategy import StoreStrategy
from schemas.messages import Assessment
from schemas.topics import ASSESSMENTS, RELEASES, STORIES, Topic

NAME = "storyteller"


def tell(tx: Connection, topics: Mapping[str, Topic], assessments: Sequence[Assessment]) -> None:
    """Place verdicts and write what changes by them."""
    if newest := tales.current(tx, assessments):
        settings = Settings()
        state = tales.load_state(tx, [lookup(a, settings) for a in newest])
        decision = decide(newest, state, settings)
        tales.save_decision(tx, topics[STORIES], topics[RELEASES], decision)


def strategy(
    engine: Engine, topics: dict[str, Topic], group: str, version: str, lease: Lease
) -> StoreStrategy:
    """What the consumer loop runs on `ai-race.assessments.v1` while `lease` is held."""
    return StoreStrategy(
        engine,
        group,
        topics[ASSESSMENTS],
        topics[f"{ASSESSMENTS}.dead-letters"],
        lambda assessment: assessment,  # a story is a decision over the whole batch
        lambda tx, assessments: tell(tx, topics, assessments),
        worker=NAME,
        version=version,
        lease=lease,
    )
