"""How long a partition's records are done one at a time after a death: one may be what killed the reader.

Pure. Its last reader said how far it went before it began with many records, and nothing of a few.
"""

from dataclasses import dataclass

FEW = 8  # records that a reader takes in hand without a mark
# Records done one at a time: two batches. An operator's reset may lie far behind the mark.
MOST = 1_000


@dataclass
class Caution:
    """A partition that a death left: its reader had what lies before `reach` in hand, or the first few."""

    reach: int
    done: int = 0

    def covers(self, offset: int) -> bool:
        """Whether the record at `offset`, the next one, is to be done alone."""
        return self.done < FEW or (offset < self.reach and self.done < MOST)

    def survived(self) -> None:
        """It is done."""
        self.done += 1
