"""The pages, and what is in them: fenced blocks, commands, inline code, links, tables."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")


@dataclass(frozen=True)
class Command:
    """One program's part of a line: `words` from the program on, without what is set before it."""

    page: str
    line: str
    words: tuple[str, ...]

    @property
    def program(self) -> str:
        return self.words[0]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [body for name, body in _FENCE.findall(page.read_text("utf-8")) if name == language]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def inline(page: Path) -> list[str]:
    """Inline code."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def lines(page: Path) -> Iterator[str]:
    """The command lines of a page: those of `sh` blocks, and of `console` blocks those after `$ `."""
    for block in blocks(page, "sh"):
        yield from (line for line in block.splitlines() if line.strip())
    for block in blocks(page, "console"):
        yield from (line[2:] for line in block.splitlines() if line.startswith("$ "))


def commands() -> list[Command]:
    """Every command in a block, and every inline one of ours."""
    found = []
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        for line in lines(page):
            found += [Command(name, line, words) for words in _split(line)]
        for code in inline(page):
            if code.startswith(("racewire ", "make ", "python -m ")) and "…" not in code:
                found += [Command(name, code, words) for words in _split(code)]
    return list(dict.fromkeys(found))


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head. Code marks are taken off."""
    text = prose(page).split(f"\n## {heading}\n", 1)[1]
    table = re.search(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert table, f"no table under {heading!r}"
    split = [line.strip("|").split("|") for line in table[0].splitlines()]
    return [[cell.strip().strip("`") for cell in cells] for cells in split[2:]]


def _split(line: str) -> list[tuple[str, ...]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    for token in lexer:
        if set(token) <= set("|&;"):
            parts.append([])
        elif parts[-1] or not _ASSIGNMENT.fullmatch(token):
            parts[-1].append(token)
    return [tuple(words) for words in parts if words]
