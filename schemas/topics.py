"""The topics as data: one YAML file each in `schemas/topics/`, typed and cross-checked here."""

from functools import cache, cached_property
from importlib.resources import files

import msgspec
from msgspec import Struct

from schemas import messages
from schemas.messages import Message


class SchemaVersion(Struct, frozen=True, forbid_unknown_fields=True):
    """A version of what a topic carries, and its message type. The rule it keeps is `compatibility.py`'s."""

    version: int
    type: str


class Topic(Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """A topic: who owns it, what it carries, how the broker keeps it. `key` names the message's key field."""

    name: str
    description: str
    owner: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    key: str
    partitions: int
    config: dict[str, str | int]
    schemas: tuple[SchemaVersion, ...]
    examples: tuple[str, ...]

    @property
    def type_name(self) -> str:
        """Name of the message type of the newest schema version."""
        return self.schemas[-1].type

    @cached_property
    def message_type(self) -> type[Message]:
        """The message type of the newest schema version."""
        found: type[Message] = getattr(messages, self.type_name)
        return found

    @cached_property
    def event_type(self) -> str:
        """The CloudEvents type, e.g. `racewire.article.v1`."""
        return f"racewire.{kebab(self.type_name)}.v{self.schemas[-1].version}"

    @cached_property
    def schema_file(self) -> str:
        """Name of the generated JSON Schema in `schemas/json/`."""
        return f"{kebab(self.type_name)}.v{self.schemas[-1].version}.schema.json"

    @property
    def forgets(self) -> bool:
        """Whether a record without a value takes its key off the topic."""
        return self.config.get("cleanup.policy") == "compact"

    @property
    def dead_letters(self) -> str:
        """Name of the topic that takes what could not be processed from this one."""
        return f"{self.name}.dead-letters"


@cache
def kebab(name: str) -> str:
    """`DeadLetter` to `dead-letter`."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


@cache
def topics(prefix: str = "") -> dict[str, Topic]:
    """All topics by the name in their file; `prefix` goes before the name on the broker.

    Raises ValueError naming the file that is wrong.
    """
    found = {}
    for file in sorted(files("schemas").joinpath("topics").iterdir(), key=lambda f: f.name):
        try:
            topic = msgspec.yaml.decode(file.read_bytes(), type=Topic)
        except msgspec.DecodeError as error:
            raise ValueError(f"schemas/topics/{file.name}: {error}") from error
        if file.name != f"{topic.name}.yaml":
            raise ValueError(f"schemas/topics/{file.name}: describes {topic.name!r}; name the file after it")
        found[topic.name] = msgspec.structs.replace(topic, name=prefix + topic.name)
    return found


ARTICLES = "news.articles.v1"
BACKFILL = "news.backfill.v1"
ASSESSMENTS = "ai-race.assessments.v1"
STORIES = "ai-race.stories.v1"
RELEASES = "ai-race.releases.v1"
