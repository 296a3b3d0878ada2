"""What the pages say is there: commands, links, paths, settings, topics, labels, log lines."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from flows.deploy import POOL, schedules
from pipeline.classify import lexicon
from pipeline.settings import Settings
from pipeline.store.models import Base
from schemas.topics import topics
from tests.commands import parse, variables
from tests.docs.pages import PAGES, ROOT, Command, blocks, commands, inline, lines, prose, rows

OPERATIONS, CONSUMING, VERDICTS = (ROOT / "docs" / f"{n}.md" for n in ("operations", "consuming", "verdicts"))
COMMANDS = commands()
# Lines with these need no server and end by themselves: they are run as they stand.
OFFLINE = re.compile(r"racewire (--help|assess|cluster)\b|schemas\.generate")


def of(program: str) -> list[Command]:
    found = [c for c in COMMANDS if c.program == program]
    assert found
    return found


@pytest.mark.parametrize("command", of("racewire"), ids=str)
def test_a_command_exists_with_its_options(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "y")  # `stack reset` asks
    try:
        parse(command.words[1:])
    except click.exceptions.Exit as done:  # `--help`
        assert done.exit_code == 0


@pytest.mark.parametrize("command", of("make"), ids=str)
def test_a_target_exists(command: Command) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in command.words[1:]:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("command", of("python"), ids=str)
def test_a_module_exists(command: Command) -> None:
    assert command.words[1] == "-m"
    assert importlib.util.find_spec(command.words[2])


@pytest.mark.parametrize("line", [line for page in PAGES for line in lines(page) if OFFLINE.search(line)])
def test_what_needs_no_server_runs(line: str, tmp_path: Path) -> None:
    done = run(line, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def run(line: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """A line as a reader would type it, with this Python's racewire."""
    program = folder / "racewire"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m pipeline.cli "$@"\n')
    program.chmod(0o755)
    env = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=env, check=False)


def test_the_readmes_verdict_is_what_comes_out(tmp_path: Path) -> None:
    (session,) = [b for b in blocks(ROOT / "README.md", "console") if "racewire assess" in b]
    line, shown = session.removeprefix("$ ").split("\n", 1)
    came = run(line, tmp_path).stdout
    for part in filter(None, map(str.strip, shown.split("…"))):
        assert part in came
        came = came.split(part, 1)[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in {slug(title) for title in re.findall(r"^#+ (.+)$", prose(file), re.MULTILINE)}, (
                target
            )


def slug(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_paths_and_tests_that_are_named_exist(page: Path) -> None:
    for code in inline(page):
        if found := re.fullmatch(r"((?:bench|docs|flows|pipeline|schemas|tests)/[\w./-]*)(?:::(\w+))?", code):
            file = ROOT / found[1]
            assert file.exists(), code
            if found[2]:
                assert re.search(rf"^def {found[2]}\(", file.read_text(), re.MULTILINE), code


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_variables_that_are_named_exist(page: Path) -> None:
    named = set(re.findall(r"\b(?:RACEWIRE_[A-Z_]+|PREFECT_API_URL)\b", page.read_text("utf-8")))
    assert named <= variables() | {"RACEWIRE_SHARED"}


def test_the_table_of_settings_is_complete_and_its_defaults_are_true() -> None:
    table = {name: default.strip("`") for name, default, _ in rows(OPERATIONS, "Settings")}
    assert set(table) == variables()
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        if name == "home" or default in (None, ""):
            continue
        shown = f"{default:g}" if isinstance(default, float) else str(default)
        assert table[f"RACEWIRE_{name.upper()}"] == shown, name


def test_the_table_of_flows_is_complete() -> None:
    from datetime import timedelta

    known = schedules(timedelta(seconds=60))
    table = {name: when for name, when, _ in rows(OPERATIONS, "Flows")}
    assert set(table) == {f"{name}/{POOL}" for name in known}
    for name, (_, schedule) in known.items():
        assert (table[f"{name}/{POOL}"] == "by hand") == (schedule is None)


@pytest.mark.parametrize("page", ["consuming", "architecture"])
def test_the_tables_of_topics_are_true(page: str) -> None:
    table = {name: cells for name, *cells in rows(ROOT / "docs" / f"{page}.md", "Topics")}
    for name, topic in topics().items():
        if name not in table and "<topic>.dead-letters" in table:
            assert name.endswith(".dead-letters")
            name = "<topic>.dead-letters"
        said = " ".join(table[name][:2])
        if topic.key != "key":
            assert topic.key in said.replace("article id", "article_id").replace(" id", "_id")
        days = int(topic.config.get("retention.ms", 0)) // 86_400_000
        assert f"{days} days" in said if days else "compact" in said


def test_the_table_of_what_grows_is_complete_and_its_ages_are_true() -> None:
    table = {
        name: (how_long, where)
        for names, how_long, where in rows(OPERATIONS, "What is kept how long")
        for name in names.split("`, `")
    }
    assert set(table) == {*Base.metadata.tables, *topics()}
    for name, topic in topics().items():
        days = int(topic.config.get("retention.ms", 0)) // 86_400_000
        assert table[name][0].startswith(f"{days} days" if days else "the newest state"), name
    for how_long, where in table.values():
        if where.startswith("RACEWIRE_"):
            days = Settings.model_fields[where.removeprefix("RACEWIRE_").lower()].get_default()
            assert (f"{days:g} days" if days else "for good") in how_long, where


def test_the_tables_of_labels_are_complete() -> None:
    assert [name for name, _ in rows(VERDICTS, "Events")] == list(lexicon.EVENTS)
    assert [name for name, _ in rows(VERDICTS, "Actors")] == list(lexicon.ROLES)
    status = prose(VERDICTS).split("## Status", 1)[1].split("##", 1)[0]
    assert re.findall(r"`(\w+)`", status) == list(lexicon.STATUSES)


def test_log_lines_that_are_explained_are_written_somewhere() -> None:
    source = "".join(p.read_text("utf-8") for p in (ROOT / "pipeline").rglob("*.py"))
    joined = re.sub(r'"\s*\n\s*f?"', "", source)  # a message that goes on in the next line
    for shown, *_ in [*rows(OPERATIONS, "Log lines"), *rows(OPERATIONS, "When something is wrong")[:1]]:
        assert shown in joined, shown


def test_every_event_type_is_named() -> None:
    text = CONSUMING.read_text("utf-8")
    for topic in topics().values():
        assert topic.event_type in text
        assert topic.name in text


def test_commands_are_found_at_all() -> None:
    assert "make demo" in {" ".join(c.words) for c in COMMANDS}
    assert sum(1 for page in PAGES for _ in lines(page)) > 30
