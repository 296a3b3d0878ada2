"""Kafka's jars: only the locked bytes get in, whatever the network and other processes do."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.stack.jars import TRIES, Jar, Lock, install
from pipeline.stack.values import StackError

CONTENT = {f"org.example:lib{n}:1.{n}": f"jar number {n}".encode() * 100 for n in range(8)}
LOCK = Lock(
    "4.4.0",
    tuple(Jar(name, hashlib.sha256(body).hexdigest(), len(body)) for name, body in CONTENT.items()),
)


class Registry:
    """A network that gives what it is told to, and counts."""

    def __init__(self, spoil: Callable[[str, int, bytes], bytes] = lambda name, time, body: body) -> None:
        self.asked: Counter[str] = Counter()
        self._spoil = spoil
        self._lock = threading.Lock()

    def __call__(self, coordinate: str, into: Path) -> Path:
        assert list(into.iterdir()) == []
        with self._lock:
            self.asked[coordinate] += 1
        path = into / "some" / "where.jar"
        path.parent.mkdir()
        path.write_bytes(self._spoil(coordinate, self.asked[coordinate], CONTENT[coordinate]))
        return path


def run(cache: Path, registry: Registry) -> Path:
    return install(cache, LOCK, fetch=registry, pause=0)


def good(folder: Path) -> bool:
    return all(jar.matches(folder / jar.file_name) for jar in LOCK.jars) and len(
        list(folder.iterdir())
    ) == len(LOCK.jars)


def test_all_are_fetched_once_and_nothing_else_is_left(tmp_path: Path) -> None:
    registry = Registry()
    folder = run(tmp_path, registry)
    assert good(folder)
    assert run(tmp_path, registry) == folder
    assert set(registry.asked.values()) == {1}
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name, "lock"]


@pytest.mark.parametrize("spoilt", [b"evil" * 250, b"", b"jar number 3" * 99])
def test_a_wrong_answer_is_refused_and_asked_again(tmp_path: Path, spoilt: bytes) -> None:
    registry = Registry(lambda name, time, body: spoilt if name.endswith("1.3") and time < TRIES else body)
    assert good(run(tmp_path, registry))
    assert registry.asked["org.example:lib3:1.3"] == TRIES


def test_the_same_length_with_other_content_is_refused(tmp_path: Path) -> None:
    registry = Registry(lambda name, time, body: body[::-1] if name.endswith("1.3") else body)
    with pytest.raises(
        StackError, match=r"org\.example:lib3:1\.3 could not be downloaded in 4 tries: got 1200 "
    ):
        run(tmp_path, registry)
    folder = tmp_path / LOCK.folder_name
    assert not (folder / "lib3-1.3.jar").exists()
    assert good(run(tmp_path, Registry()))  # and what was fetched is kept for the next try


def test_a_failing_network_is_told_with_its_cause(tmp_path: Path) -> None:
    def unreachable(coordinate: str, into: Path) -> Path:
        raise ConnectionError("no route to host")

    with pytest.raises(StackError, match=r"no route to host.*Check the network or proxy") as caught:
        install(tmp_path, LOCK, fetch=unreachable, pause=0)
    assert isinstance(caught.value.__cause__, ConnectionError)


@pytest.mark.parametrize("damage", [b"", b"short", b"j" * 1200])
def test_a_damaged_file_is_fetched_again_and_only_that(tmp_path: Path, damage: bytes) -> None:
    folder = run(tmp_path, Registry())
    (folder / "lib5-1.5.jar").write_bytes(damage)
    registry = Registry()
    run(tmp_path, registry)
    assert registry.asked == {"org.example:lib5:1.5": 1}
    assert good(folder)


def test_what_a_killed_fetch_left_is_in_nobodys_way(tmp_path: Path) -> None:
    left = tmp_path / "fetching" / "lib0-1.0.jar.0"
    left.mkdir(parents=True)
    (left / "part.jar").write_bytes(b"half")
    assert good(run(tmp_path, Registry()))
    assert not (tmp_path / "fetching").exists()


def test_two_at_once_fetch_each_jar_once(tmp_path: Path) -> None:
    registry = Registry()
    threads = [threading.Thread(target=run, args=(tmp_path, registry)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert good(tmp_path / LOCK.folder_name)
    assert set(registry.asked.values()) == {1}


def test_another_lock_gets_another_folder() -> None:
    assert Lock("4.4.0", LOCK.jars[:-1]).folder_name != LOCK.folder_name


def test_our_lock_is_whole() -> None:
    lock = Lock.read()
    names = [jar.coordinate.split(":")[1] for jar in lock.jars]
    assert f"org.apache.kafka:kafka_2.13:{lock.kafka}" in {jar.coordinate for jar in lock.jars}
    assert "log4j-slf4j-impl" in names  # without it the broker logs nothing
    assert len(names) == len(set(names))
    assert all(len(bytes.fromhex(jar.sha256)) == 32 and jar.size > 0 for jar in lock.jars)
    assert "://" not in json.dumps([jar.coordinate for jar in lock.jars])
