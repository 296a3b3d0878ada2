"""Kafka's jars: locked by coordinate, SHA-256 and size, fetched once into a cache that a user's stacks share.

Maintainers refresh the lock with `python -m pipeline.stack.jars lock VERSION`.

The Maven client (jgo) resolves and downloads; it is not trusted with more: it writes in place, takes
whatever file is there and only warns of a wrong checksum. So every jar comes through a fresh folder, is
verified, and only then moved.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import platformdirs

from pipeline.stack.background import background
from pipeline.stack.values import StackError

LOCK_FILE = Path(__file__).with_name("kafka.lock.json")
KAFKA = "org.apache.kafka:kafka_2.13"
# Kafka's own dependencies speak SLF4J 1.7; without this binding, of log4j's own version, the broker logs
# nothing.
BINDING = "org.apache.logging.log4j:log4j-slf4j-impl"
TRIES = 4
PARALLEL = 6

Fetch = Callable[[str, Path], Path]
"""Downloads the jar of a `group:artifact:version` somewhere below an empty folder and returns where."""


@dataclass(frozen=True)
class Jar:
    """One locked file."""

    coordinate: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    def matches(self, path: Path) -> bool:
        """Is this file the locked one?"""
        return path.is_file() and path.stat().st_size == self.size and _sha256(path) == self.sha256


@dataclass(frozen=True)
class Lock:
    """All jars of one Kafka version."""

    kafka: str
    jars: tuple[Jar, ...]

    @classmethod
    def read(cls, path: Path = LOCK_FILE) -> Lock:
        data = json.loads(path.read_text(encoding="utf-8"))
        return cls(data["kafka"], tuple(Jar(**jar) for jar in data["jars"]))

    @property
    def folder_name(self) -> str:
        """Of its own for every lock: the broker gets the whole folder as its class path."""
        digest = hashlib.sha256("".join(jar.sha256 for jar in self.jars).encode()).hexdigest()
        return f"kafka-{self.kafka}-{digest[:12]}"


def default_cache() -> Path:
    return Path(platformdirs.user_cache_dir("racewire"))


def fetch_with_jgo(coordinate: str, into: Path) -> Path:
    """One jar from where jgo finds it by default."""
    return _artifact(_maven(into), coordinate).resolve()  # type: ignore[no-any-return]


def install(
    cache: Path,
    lock: Lock | None = None,
    *,
    fetch: Fetch = fetch_with_jgo,
    report: Callable[[str], None] = lambda message: None,
    pause: float = 0.5,
) -> Path:
    """Return the folder with exactly the locked jars, fetching those that are missing or damaged.

    All are verified at every call (a tenth of a second). Two processes at once are fine: one waits for the
    other. Raises StackError when a jar cannot be had or is not the locked one.
    """
    lock = lock or Lock.read()
    folder = cache / lock.folder_name
    folder.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        missing = [jar for jar in lock.jars if not jar.matches(folder / jar.file_name)]
        if missing:
            size = sum(jar.size for jar in missing) / 1e6
            report(f"downloading {len(missing)} jars ({size:.0f} MB) into {cache}")
            stage = cache / "fetching"  # on the same file system, for the move to be atomic
            shutil.rmtree(stage, ignore_errors=True)  # a killed process left it: who fetches holds the lock
            stage.mkdir()
            turn = threading.BoundedSemaphore(PARALLEL)

            def install_one(jar: Jar) -> None:
                with turn:
                    _install_one(jar, stage, folder, fetch, pause)

            for done in [background(partial(install_one, jar)) for jar in missing]:
                done.result()
            stage.rmdir()
    return folder


def _install_one(jar: Jar, stage: Path, folder: Path, fetch: Fetch, pause: float) -> None:
    problem: Exception | None = None
    for attempt in range(TRIES):
        fresh = stage / f"{jar.file_name}.{attempt}"
        fresh.mkdir()
        try:
            got = fetch(jar.coordinate, fresh)
            if jar.matches(got):
                got.replace(folder / jar.file_name)
                return
            found = f"{got.stat().st_size} bytes with SHA-256 {_sha256(got)}"
            problem = StackError(f"got {found}, locked are {jar.size} with {jar.sha256}")
        except Exception as error:  # whatever the client raises, it is tried again and then told
            problem = error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        time.sleep(pause * 2**attempt)
    raise StackError(
        f"{jar.coordinate} could not be downloaded in {TRIES} tries: {problem}. Check the network or proxy "
        f"and start again; what has been fetched is kept in {folder}."
    ) from problem


def make_lock(version: str) -> Lock:
    """Resolve a Kafka version and download all of it to lock what there is now."""
    from jgo.parse import Coordinate

    with tempfile.TemporaryDirectory() as stage:
        maven = _maven(Path(stage))
        root = maven.create_dependency(Coordinate(*KAFKA.split(":"), version, scope="compile"))
        inputs, transitive = maven.resolver.resolve([root])
        artifacts = [one.artifact for one in inputs]
        artifacts += [one.artifact for one in transitive if one.scope in ("compile", "runtime")]
        core = next(one.version for one in artifacts if one.artifactId == "log4j-core")
        artifacts.append(_artifact(maven, f"{BINDING}:{core}"))
        return Lock(version, tuple(sorted(map(_locked, artifacts), key=lambda jar: jar.coordinate)))


def _locked(artifact: Any) -> Jar:
    path = artifact.resolve()
    coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
    return Jar(coordinate, _sha256(path), path.stat().st_size)


def _maven(repository: Path) -> Any:
    try:
        from jgo.maven import MavenContext
    except ImportError as error:
        raise StackError(
            "jgo is not installed: install racewire[stack], or set RACEWIRE_KAFKA_BOOTSTRAP"
        ) from error
    return MavenContext(repo_cache=repository, local_repos=[], timeout=60)


def _artifact(maven: Any, coordinate: str) -> Any:
    group, artifact, version = coordinate.split(":")
    return maven.project(group, artifact).at_version(version).artifact()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["lock", version]:
            LOCK_FILE.write_text(json.dumps(asdict(make_lock(version)), indent=1) + "\n", encoding="utf-8")
        case _:
            sys.exit("usage: python -m pipeline.stack.jars lock VERSION")
