"""What verdicts of one classifier change against another's, as a table or as JSON."""

from typing import Any

from pipeline.classify.changes import Changes
from pipeline.cli.common import print_table


def print_changes(done: Changes) -> None:
    """Labels added and removed, and articles with what they were called before and after."""
    print_table(("label", "added", "removed"), [(f"{k} {v}", a, r) for k, v, a, r in done.labels()], "")
    rows = [(x.title, "\n".join(x.before), "\n".join(x.after)) for x in done.examples]
    print_table(("article", "before", "after"), rows, "")


def changes_json(done: Changes) -> dict[str, Any]:
    """The same for machines."""
    columns = ("label", "value", "added", "removed")
    return {
        "articles": done.articles,
        "first": done.first,
        "changed": done.changed,
        "core": done.core,
        "core_no_more": done.core_no_more,
        "labels": [dict(zip(columns, row, strict=True)) for row in done.labels()],
        "examples": done.examples,
    }
