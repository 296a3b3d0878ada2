"""One place for logs: a line an event, in UTC, safe to read in a terminal."""

import logging
import sys
import time


class _OneLine(logging.Formatter):
    """Control characters, which may come from a feed, are escaped: no record can forge a second line."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        head, *trace = text.split("\n")
        shown = [head, *trace] if record.exc_info else [text]
        return "\n".join("".join(c if c.isprintable() else repr(c)[1:-1] for c in line) for line in shown)


def set_up_logging(level: str) -> None:
    """Log to standard error. Kafka's client speaks up only where it matters to an operator."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(asctime)sZ %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kafka").setLevel(max(logging.WARNING, logging.getLevelName(level)))
    for name in ("httpx", "httpcore", "alembic"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
