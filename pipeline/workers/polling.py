"""The poller as this process's settings say: registry, limits, servers."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

from pipeline import settings as configuration
from pipeline.feeds.cadence import Bounds
from pipeline.feeds.decide import Horizon
from pipeline.feeds.fetch import Limits
from pipeline.feeds.registry import DEFAULT, Registry
from pipeline.store.database import connect
from pipeline.workers.poller import Poller
from schemas.topics import topics


def registry_path(settings: configuration.Settings) -> Path:
    """The registry in use: the one set, or the operator's own in the data folder, or the one packaged."""
    own = settings.home / "feeds.yaml"
    return settings.feeds_file or (own if own.exists() else DEFAULT)


def limits(settings: configuration.Settings) -> Limits:
    """How servers are spoken to, with the operator's contact."""
    contact = f" (+{settings.contact})" if settings.contact else ""
    return Limits(
        user_agent=f"racewire/{version('racewire')}{contact}",
        host_concurrency=settings.host_concurrency,
        host_interval=settings.host_interval,
        proxy=settings.proxy,
    )


@contextmanager
def from_settings() -> Iterator[Poller]:
    """A poller as this process's settings say. Raises SettingsError, RegistryError."""
    settings = configuration.load()
    servers = configuration.servers(settings)
    shortest, longest = settings.feed_bounds
    poller = Poller(
        connect(servers.database_url.get_secret_value()),
        servers.broker,
        topics(settings.topic_prefix),
        Registry.at(registry_path(settings)),
        limits=limits(settings),
        bounds=Bounds(
            floor=shortest,
            start=max(shortest, min(Bounds().start, longest)),
            ceiling=longest,
            every=timedelta(seconds=settings.poll_every),
        ),
        batch=settings.poll_batch,
        horizon=Horizon(
            first_import=timedelta(hours=settings.first_import_hours), seen=timedelta(days=settings.seen_days)
        ),
    )
    try:
        yield poller
    finally:
        poller.close()
