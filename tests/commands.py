"""Is a command line one that `racewire` understands? Parsed as the command would, without running it."""

from collections.abc import Sequence

import click

from pipeline.cli import racewire


def parse(arguments: Sequence[str]) -> None:
    """Raises click.ClickException where a command, an option or an argument does not exist."""
    command: click.Command = racewire
    context: click.Context | None = None
    name, rest = "racewire", list(arguments)
    while True:
        context = command.make_context(name, rest, parent=context)
        if not isinstance(command, click.Group):
            return
        found, next_command, rest = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert found is not None
        assert next_command is not None
        name, command = found, next_command


def variables() -> set[str]:
    """Every environment variable that the settings read, by its name in the documentation."""
    from pipeline.settings import Settings

    own = {f"RACEWIRE_{name.upper()}" for name in Settings.model_fields if name != "prefect_api_url"}
    return own | {"PREFECT_API_URL", "RACEWIRE_SECRETS_DIR"}
