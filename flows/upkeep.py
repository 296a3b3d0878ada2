"""The flows that keep the store in order: reassess, maintain, redrive, reconcile."""

from datetime import UTC, datetime, timedelta

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from pipeline import settings as configuration
from pipeline.assets import classifier
from pipeline.store import verdicts
from pipeline.store.database import connect
from pipeline.store.dead_letters import Selection
from pipeline.workers import reconcile as proof
from pipeline.workers import upkeep
from pipeline.workers.summary import balance as balance_in_markdown
from schemas.topics import ASSESSMENTS, topics


@flow(name="reassess", retries=1, retry_delay_seconds=30)
def reassess(since: datetime | None = None, until: datetime | None = None) -> dict[str, int]:
    """Assess stored articles whose verdict is missing or of another classifier version.

    All of them, or those published between two moments.
    """
    settings = configuration.load()
    engine = connect(configuration.servers(settings).database_url.get_secret_value())
    topic = topics(settings.topic_prefix)[ASSESSMENTS]
    done = upkeep.reassess(engine, topic, classifier(), verdicts.window(since, until))
    counts = {"articles": done.articles, "first": done.first, "changed": done.changed}
    return _report("reassess", counts | {"core": done.core, "core_no_more": done.core_no_more})


@flow(name="maintain", retries=1, retry_delay_seconds=30)
def maintain() -> dict[str, int]:
    """Delete what retention lets go."""
    settings = configuration.load()
    engine = connect(configuration.servers(settings).database_url.get_secret_value())
    removed = upkeep.maintain(
        engine,
        topics(settings.topic_prefix)[ASSESSMENTS],
        polls=timedelta(days=settings.keep_polls_days),
        letters=timedelta(days=settings.keep_dead_letters_days),
        seen=timedelta(days=settings.seen_days),
        articles=settings.keep_articles,
    )
    return _report("maintain", removed)


@flow(name="redrive")
def redrive(ids: list[int] | None = None, fingerprint: str | None = None) -> dict[str, int]:
    """Send open dead letters, all or those of a fault or `ids`, to their topics again."""
    settings = configuration.load()
    engine = connect(configuration.servers(settings).database_url.get_secret_value())
    chosen = Selection(ids=ids or (), fingerprint=fingerprint)
    done = upkeep.redrive(engine, topics(settings.topic_prefix), chosen)
    return _report("redrive", {"redriven": len(done.done), "refused": len(done.refused)})


@flow(name="reconcile", retries=1, retry_delay_seconds=60)
def reconcile() -> None:
    """Draw the balance of the last day; fails, for an automation to wake somebody, when it is not even."""
    settings = configuration.load()
    servers = configuration.servers(settings)
    engine = connect(servers.database_url.get_secret_value())
    known, since = topics(settings.topic_prefix), datetime.now(UTC) - proof.WINDOW
    letters = timedelta(days=settings.keep_dead_letters_days)
    articles = settings.keep_articles
    found = proof.reconcile(engine, servers.broker, known, settings.topic_prefix, since, letters, articles)
    words = balance_in_markdown(found)
    create_markdown_artifact(key="reconcile", markdown=words, description="Is anything lost or too many?")
    if found.found:
        raise RuntimeError(f"{found.found} findings: `racewire reconcile` names them and says what to do")


def _report(key: str, counts: dict[str, int]) -> dict[str, int]:
    create_table_artifact(key=key, table=[counts], description=f"What the last run of {key} did")
    return counts
