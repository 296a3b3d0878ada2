"""From assessments to stories and to the release timeline. Pure: no socket, no clock, no file.

`decide` is the one entrance for the storyteller, `cluster` the one for the command line.
"""

from pipeline.stories.decide import cluster, decide, lookup
from pipeline.stories.values import Decision, Keys, Member, Settings, State

__all__ = ["Decision", "Keys", "Member", "Settings", "State", "cluster", "decide", "lookup"]
