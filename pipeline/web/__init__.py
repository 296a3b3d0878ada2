"""The pages: what was judged, with its evidence, and how it came about. Read-only.

`app(engine)` is the whole of it; whoever calls it brings the server that runs it.
"""

from pipeline.web.pages import app

__all__ = ["app"]
