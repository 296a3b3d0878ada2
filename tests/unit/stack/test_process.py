"""Processes: what they inherit, that they go when told, and that none is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from pipeline.stack.home import Home
from pipeline.stack.process import MARK, Child, child_environment, run_to_end, sweep
from pipeline.stack.values import Ended, Service, StackError

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEP
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}])\n" + SLEEP


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    home.create()
    yield home
    sweep(home)


def python(code: str, name: str = "app", grace: float = 10.0) -> Service:
    return Service(name, [sys.executable, "-c", code], grace=grace)


def until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def is_up(child: Child, lines: int = 1) -> bool:
    return child.tail().count("up") == lines


def test_a_developers_other_servers_are_not_inherited(home: Home) -> None:
    foreign = {
        "PREFECT_API_URL": "x",
        "PREFECT_PROFILE": "work",
        "PGHOST": "x",
        "PGPASSWORD": "x",
        "KAFKA_HEAP_OPTS": "x",
        "JAVA_TOOL_OPTIONS": "x",
        "_JAVA_OPTIONS": "x",
        "JDK_JAVA_OPTIONS": "x",
        "CLASSPATH": "x",
    }
    kept = {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy",
        "PYTHONPATH": "/src",
        "PG_LIKE": "y",
        "RACEWIRE_HOME": "z",
    }
    service = Service("app", ["/bin/true"], env={"PREFECT_API_URL": "ours"})
    env = child_environment(foreign | kept, home, service)
    assert env == {
        **kept,
        "PREFECT_API_URL": "ours",
        "PYTHONUNBUFFERED": "1",
        MARK: f"{home.mark} app {int(signal.SIGTERM)}",
    }


def test_a_child_writes_to_its_log_and_stops_when_told(home: Home) -> None:
    child = Child(home, python(SLEEP))
    until(lambda: is_up(child))
    assert child.ended() is None
    assert not child.stopped()
    child.stop()
    until(child.stopped)
    assert child.ended() == -signal.SIGTERM
    assert home.log("app").read_text() == "up\n"


def test_one_that_does_not_listen_is_killed_after_its_grace(home: Home) -> None:
    child = Child(home, python(STUBBORN, grace=0))
    until(lambda: is_up(child))
    child.stop()
    until(child.stopped)
    assert child.ended() == -signal.SIGKILL


def test_the_tail_is_of_this_run_only(home: Home) -> None:
    home.log("app").write_text("an older run\n")
    child = Child(home, python("for n in range(100): print(n)"))
    until(lambda: child.ended() is not None)
    assert child.tail(3) == "97\n98\n99"
    assert "older" not in child.tail(1000)


def test_a_log_that_grew_too_long_is_put_aside(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.stack.process._LOG_LIMIT", 5)
    home.log("app").write_text("long enough\n")
    child = Child(home, python("print('new')"))
    until(lambda: child.ended() is not None)
    assert home.log("app").read_text() == "new\n"
    assert (home.logs / "app.log.1").read_text() == "long enough\n"


def test_a_sweep_ends_orphans_too_and_says_what_there_was(home: Home) -> None:
    child = Child(home, python(PARENT))
    until(lambda: is_up(child, 2))
    (grandchild,) = psutil.Process(child.pid).children()
    os.kill(child.pid, signal.SIGKILL)
    until(lambda: child.ended() is not None)
    assert sweep(home) == [Ended("app", grandchild.pid)]
    assert sweep(home) == []


def test_a_sweep_is_of_one_service_or_one_home_only(home: Home, tmp_path: Path) -> None:
    other_home = Home(tmp_path / "other")
    other_home.create()
    one, two = Child(home, python(SLEEP, "one")), Child(home, python(SLEEP, "two"))
    other = Child(other_home, python(SLEEP))
    until(lambda: is_up(one) and is_up(two) and is_up(other))
    assert sweep(home, "one") == [Ended("one", one.pid)]
    assert two.ended() is None
    assert sweep(home) == [Ended("two", two.pid)]
    assert other.ended() is None
    assert sweep(other_home) == [Ended("app", other.pid)]


def test_a_sweep_kills_what_does_not_listen(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.stack.process._SWEEP_GRACE", 0.2)
    child = Child(home, python(STUBBORN))
    until(lambda: is_up(child))
    assert sweep(home) == [Ended("app", child.pid)]
    assert child.ended() == -signal.SIGKILL


def test_a_sweep_spares_the_process_that_sweeps(home: Home) -> None:
    code = (
        "import pathlib, sys\n"
        "from pipeline.stack.home import Home\n"
        "from pipeline.stack.process import sweep\n"
        "print(sweep(Home(pathlib.Path(sys.argv[1]))))"
    )
    service = Service(
        "app",
        [sys.executable, "-c", code, str(home.path)],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    child = Child(home, service)
    until(lambda: child.ended() is not None)
    assert child.tail() == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ties children to their parent on Linux only")
def test_a_child_goes_with_its_killed_supervisor(home: Home) -> None:
    code = (
        "import pathlib, sys, time; from pipeline.stack.home import Home\n"
        "from pipeline.stack.process import Child; from pipeline.stack.values import Service\n"
        f"child = Child(Home(pathlib.Path(sys.argv[1])), Service('app', [sys.executable, '-c', {SLEEP!r}]))\n"
        "while 'up' not in child.tail(): time.sleep(0.01)\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(home.path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as supervisor:
        assert supervisor.stdout is not None
        child = psutil.Process(int(supervisor.stdout.readline()))
        supervisor.kill()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_tool_that_fails_is_told_with_what_it_said(home: Home) -> None:
    run_to_end(home, python("print('fine')"), "a tool")
    with pytest.raises(StackError, match=r"a tool failed \(3\):\nno space"):
        run_to_end(home, python("import sys; print('no space', file=sys.stderr); sys.exit(3)"), "a tool")


def test_a_tool_that_is_swept_away_has_failed(home: Home) -> None:
    with ThreadPoolExecutor() as executor:
        done = executor.submit(run_to_end, home, python(SLEEP), "a tool")
        until(lambda: sweep(home))
        with pytest.raises(StackError, match=rf"a tool failed \(-{int(signal.SIGTERM)}\)"):
            done.result()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can stop being root")
@pytest.mark.parametrize("way", ["become_ordinary", "by_user"])
def test_as_root_a_service_that_owns_a_folder_is_nobody_and_writes_there(home: Home, way: str) -> None:
    folder = home.postgres / "data"
    folder.mkdir(mode=0o700)
    launcher = Path(sys.modules["pipeline.stack.launch"].__file__ or "").parent
    code = (
        f"import sys; sys.path.insert(0, {str(launcher)!r}); import launch, os, pathlib\n"
        f"try: launch.{way}(pathlib.Path(sys.argv[1]))\n"
        "except OSError as error: print('cannot', error); sys.exit()\n"
        "pathlib.Path(sys.argv[1], 'file').write_text('x'); print(os.geteuid())"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    if done.stdout.startswith("cannot"):
        pytest.skip(done.stdout)
    assert int(done.stdout) != 0
    assert (folder / "file").read_text() == "x"
