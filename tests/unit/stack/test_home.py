"""The data folder: one supervisor, ports that stay, secrets for the user alone."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.stack.home import PORT_RANGE, Home, is_free, write_private
from pipeline.stack.values import AlreadyRunningError, Ports, StackError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def test_nobody_holds_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    assert Home(tmp_path / "none").holder() is None


def test_the_holder_of_the_lock_is_known_and_refuses_a_second(home: Home) -> None:
    with home.locked():
        assert home.holder() == os.getpid()
        with (
            pytest.raises(AlreadyRunningError, match=f"process {os.getpid()} runs this stack"),
            home.locked(0),
        ):
            pass
    assert home.holder() is None


def test_the_lock_goes_with_its_process_however_that_ends(home: Home) -> None:
    code = (
        "import sys, os, pathlib; from pipeline.stack.home import Home\n"
        "with Home(pathlib.Path(sys.argv[1])).locked(): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(home.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert home.holder() == other.pid
        other.kill()
    assert home.holder() is None
    with home.locked(0):
        assert home.holder() == os.getpid()


def test_ports_are_free_apart_outside_the_clients_range_and_remembered(home: Home) -> None:
    ports = home.choose_ports(Ports())
    chosen = [ports.postgres, ports.kafka, ports.kafka_controller, ports.prefect]
    assert len(set(chosen)) == 4
    assert all(PORT_RANGE[0] <= port < PORT_RANGE[1] for port in chosen)
    assert home.choose_ports(Ports()) == ports


def test_a_remembered_port_that_is_taken_gives_way_and_the_others_stay(home: Home) -> None:
    before = home.choose_ports(Ports())
    with socket.create_server(("127.0.0.1", before.kafka)):
        after = home.choose_ports(Ports())
    assert after.kafka != before.kafka
    assert (after.postgres, after.prefect) == (before.postgres, before.prefect)


def test_a_set_port_is_used_or_refused_by_name(home: Home) -> None:
    free = home.choose_ports(Ports()).prefect
    assert home.choose_ports(Ports(kafka=free)).kafka == free
    with (
        socket.create_server(("127.0.0.1", free)),
        pytest.raises(StackError, match=f"port {free}, set for kafka, is taken"),
    ):
        home.choose_ports(Ports(kafka=free))


def test_unreadable_remembered_ports_are_chosen_anew(home: Home) -> None:
    home.ports.write_text('{"postgres": 1, "unknown": 2}')
    assert home.choose_ports(Ports()).postgres != 1


def test_a_port_is_free_again_when_its_listener_is_gone(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()  # closed by the server first: its side lingers in TIME_WAIT
    assert is_free(port)


def test_a_secret_is_random_kept_and_private(home: Home, tmp_path: Path) -> None:
    secret = home.secret(home.postgres, "password")
    assert home.secret(home.postgres, "password") == secret
    assert len(secret) >= 32
    assert stat.S_IMODE((home.postgres / "password").stat().st_mode) == 0o600
    other = Home(tmp_path / "other")
    other.create()
    assert other.secret(other.postgres, "password") != secret


def test_writing_replaces_at_once_and_survives_a_part_left_by_a_killed_writer(tmp_path: Path) -> None:
    file = tmp_path / "file"
    (tmp_path / "file.part").write_text("half a te")
    write_private(file, "new")
    assert file.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_mark_is_the_folders_by_whatever_name(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "home")
    assert Home(tmp_path / "link").mark == Home(tmp_path / "home").mark
    assert Home(tmp_path / "home").mark != Home(tmp_path).mark
