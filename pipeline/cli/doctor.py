"""`racewire doctor`: what could keep it from running, one line each, with what to do about it."""

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import click
import httpx

from pipeline import settings as configuration
from pipeline import stack
from pipeline.assets import classifier
from pipeline.bus.admin import different_topics
from pipeline.cli.common import as_json, print_json
from pipeline.feeds import registry
from pipeline.feeds.proxy import place
from pipeline.settings import Servers, Settings
from pipeline.store.database import connect
from pipeline.store.migrating import is_current
from pipeline.workers.polling import registry_path
from schemas.topics import topics


@dataclass(frozen=True)
class Finding:
    """One check: `ok` or not, what was found, and where it was not ok what to do."""

    check: str
    ok: bool
    detail: str


@click.command()
@as_json
def doctor(as_json: bool) -> None:
    """Check the installation, the settings and the servers. Exit code 1 when something is wrong."""
    findings = [_settings()]
    if findings[0].ok:
        settings = configuration.load()
        findings += [_try(name, partial(check, settings)) for name, check in OWN.items()]
        found = _try("servers", partial(_found, settings))
        findings.append(found)
        if found.ok:
            servers = configuration.servers(settings)
            findings += [_try(name, partial(check, settings, servers)) for name, check in SERVERS.items()]
    if as_json:
        print_json(findings)
    else:
        for one in findings:
            mark = click.style("ok", fg="green") if one.ok else click.style("NO", fg="red")
            click.echo(f"{mark}  {one.check}: {one.detail}")
    sys.exit(0 if all(one.ok for one in findings) else 1)


def _settings() -> Finding:
    try:
        configuration.load()
    except configuration.SettingsError as error:
        return Finding("settings", False, str(error))
    given = sorted(name for name in os.environ if name.startswith("RACEWIRE_"))
    return Finding("settings", True, f"set: {', '.join(given)}" if given else "all as packaged")


def _try(check: str, found: Callable[[], str]) -> Finding:
    """A check that raises is one that is not ok: a doctor tells all it can."""
    try:
        return Finding(check, True, found())
    except Exception as error:
        return Finding(check, False, " ".join(str(error).split()) or repr(error))


def _data_folder(settings: Settings) -> str:
    place = settings.home if settings.home.exists() else settings.home.parent
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):
        raise PermissionError(f"{settings.home} cannot be written; set RACEWIRE_HOME to a folder of yours")
    return str(settings.home)


def _embedded(settings: Settings) -> str:
    seen = stack.status(settings.home)
    return f"{seen.phase}{f': {seen.message}' if seen.message else ''}"


def _registry(settings: Settings) -> str:
    path = registry_path(settings)
    return f"{len(registry.load(path))} feeds in {path}"


def _feed_servers(settings: Settings) -> str:
    if settings.proxy is None:
        return "asked directly; an address is checked after DNS, and only a public one is connected to"
    host, port = place(settings.proxy.get_secret_value())
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as error:
        raise ConnectionError(
            f"the proxy at {host}:{port} cannot be reached: {error}; see to it, or to RACEWIRE_PROXY"
        ) from error
    return f"asked through the proxy at {host}:{port}, which resolves names and is trusted not to lead inside"


def _lexicon(settings: Settings) -> str:
    return f"classifier {classifier().version}"


def _found(settings: Settings) -> str:
    found = configuration.servers(settings)
    return f"Kafka at {found.broker.bootstrap}, Prefect at {found.prefect_api_url}"


def _postgres(settings: Settings, servers: Servers) -> str:
    engine = connect(servers.database_url.get_secret_value(), pool=1)
    try:
        if not is_current(engine):
            raise LookupError("the tables are not those of this version; run `racewire deploy`")
    finally:
        engine.dispose()
    return "answers, and its tables are those of this version"


def _kafka(settings: Settings, servers: Servers) -> str:
    wrong = different_topics(servers.broker, topics(settings.topic_prefix).values())
    if wrong:
        raise LookupError(f"missing or different topics: {', '.join(wrong)}; run `racewire deploy`")
    return "answers, and every topic is as its file says"


def _prefect(settings: Settings, servers: Servers) -> str:
    answer = httpx.post(
        f"{servers.prefect_api_url}/deployments/filter",
        json={"deployments": {"name": {"any_": ["racewire"]}}},
        timeout=5,
    )
    answer.raise_for_status()
    if not answer.json():
        raise LookupError("no flow is deployed; run `racewire deploy`")
    return f"answers, and {len(answer.json())} flows are deployed"


OWN: dict[str, Callable[[Settings], str]] = {
    "data folder": _data_folder,
    "embedded servers": _embedded,
    "feed registry": _registry,
    "feeds' servers": _feed_servers,
    "lexicon": _lexicon,
}
SERVERS: dict[str, Callable[[Settings, Servers], str]] = {
    "Postgres": _postgres,
    "Kafka": _kafka,
    "Prefect": _prefect,
}
