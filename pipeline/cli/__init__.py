"""One command, `racewire`. A subcommand's module is loaded when it is called: `assess` needs no servers."""

import importlib
import keyword
import os
import sys

import click

COMMANDS = {
    "up": "run",
    "demo": "demo",
    "poll": "run",
    "import": "importing",
    "worker": "run",
    "web": "run",
    "deploy": "run",
    "stack": "stack",
    "status": "status",
    "doctor": "doctor",
    "reconcile": "reconcile",
    "feeds": "feeds",
    "articles": "look",
    "stories": "look",
    "show": "look",
    "why": "why",
    "topics": "look",
    "dead-letters": "letters",
    "assess": "offline",
    "cluster": "offline",
    "schemas": "contract",
    "backup": "recovery",
    "restore": "recovery",
    "db": "db",
    "forget": "takedown",
    "reassess": "replay",
    "retell": "replay",
    "feedback": "feedback",
    "train": "learning",
    "eval": "learning",
    "lexicon": "lexicon",
    "bench": "bench",
}


class _Lazy(click.Group):
    """A group whose commands are found by name in `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"pipeline.cli.{COMMANDS[cmd_name]}")
        found: click.Command = getattr(module, cmd_name.replace("-", "_") + "_" * keyword.iskeyword(cmd_name))
        return found


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="racewire")
def racewire() -> None:
    """The AI race as a wire service: who moved, against whom, with what, how sure it is, what is to come."""


def main() -> None:
    """The entry point. A reader who went away (`racewire articles | head`) is no error."""
    try:
        racewire(prog_name="racewire")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
