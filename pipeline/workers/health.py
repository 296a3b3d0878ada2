"""Whether the workers that read topics do their work: who is behind, and why that is no passing moment.

Pure. A process that hangs ends itself (`pipeline.workers.process`); told here is what is still wrong then.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pipeline.bus.admin import Lag
from pipeline.bus.gathering import Place
from pipeline.store.claims import Claim

SILENT_SECONDS = 30.0  # six heartbeats
STUCK_SECONDS = 60.0  # many times what a batch takes


def troubles(group: str, behind: Sequence[Lag], claims: Mapping[Place, Claim]) -> list[str]:
    """A line for each reason why records wait, with what to do; empty where the group is well or idle."""
    waiting: dict[str, int] = defaultdict(int)
    for part in behind:
        if part.lag > 0:
            reason = _why(group, claims.get((part.topic, part.partition)))
            if reason:
                waiting[reason] += part.lag
    return [f"{group}: {records} records wait: {reason}" for reason, records in sorted(waiting.items())]


def _why(group: str, claim: Claim | None) -> str:
    if claim is None:
        return f"no worker reads them; start `racewire worker {group}`, or see why it ended"
    if claim.silent > SILENT_SECONDS:
        return f"{claim.owner} reads them and was not heard of for {SILENT_SECONDS:.0f} s; restart it"
    if claim.unmoved is None or claim.unmoved > STUCK_SECONDS:
        return f"{claim.owner} makes no progress; its log says what it waits for, else restart it"
    return ""
