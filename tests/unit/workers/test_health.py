"""Why records wait, in words."""

import pytest

from pipeline.bus.admin import Lag
from pipeline.store.claims import Claim
from pipeline.workers.health import SILENT_SECONDS, STUCK_SECONDS, troubles


@pytest.mark.parametrize(
    ("lag", "claim", "said"),
    [
        (0, None, None),  # idle: nobody need be there
        (5, None, "no worker reads them; start `racewire worker classifier`"),
        (5, Claim("t", 0, "me", 1, 2), None),  # at work
        (5, Claim("t", 0, "me", SILENT_SECONDS + 1, 2), "me reads them and was not heard of"),
        (5, Claim("t", 0, "me", 1, STUCK_SECONDS + 1), "me makes no progress"),
        (5, Claim("t", 0, "me", 1, None), "me makes no progress"),  # not once since the tables were made
        (0, Claim("t", 0, "me", 1, 9999), None),  # nothing to do for a long time
    ],
)
def test_troubles(lag: int, claim: Claim | None, said: str | None) -> None:
    found = troubles("classifier", [Lag("t", 0, 10 - lag, 10)], {("t", 0): claim} if claim else {})
    assert len(found) == (said is not None)
    assert all("classifier: 5 records wait: " in line and said in line for line in found if said)


def test_partitions_with_one_reason_are_one_line() -> None:
    found = troubles("g", [Lag("t", n, None, 3) for n in range(4)], {("t", 3): Claim("t", 3, "me", 99, 1)})
    assert found == [
        "g: 3 records wait: me reads them and was not heard of for 30 s; restart it",
        "g: 9 records wait: no worker reads them; start `racewire worker g`, or see why it ended",
    ]
