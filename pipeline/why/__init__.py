"""What became of an address: `look` reads, `answer` says it. For `racewire why` and the page `/why`."""

from pipeline.why.answering import Answer, Step, answer
from pipeline.why.asking import Asked, asked, look

__all__ = ["Answer", "Asked", "Step", "answer", "asked", "look"]
