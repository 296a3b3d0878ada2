"""The contract holds together: fresh files, valid examples, spans that are the text's own words."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import yaml

import schemas
from schemas import codec, generate
from schemas.messages import Article, Assessment, Span
from schemas.topics import ARTICLES, Topic, topics

HERE = Path(schemas.__file__).parent
ALL = list(topics().values())


def example(name: str) -> Any:
    return json.loads((HERE / "examples" / name).read_bytes())


def test_generated_files_are_fresh() -> None:
    assert generate.main(["--check"]) == 0


@pytest.mark.parametrize("topic", ALL, ids=lambda t: t.name)
def test_examples_are_valid_and_survive_a_round_trip(topic: Topic) -> None:
    schema = json.loads((HERE / "json" / topic.schema_file).read_bytes())
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    assert topic.examples
    for name in topic.examples:
        validator.validate(example(name))
        message = codec.decode(topic, (), json.dumps(example(name)).encode())
        assert json.loads(codec.encode(message)) == example(name)


def test_every_example_file_belongs_to_a_topic() -> None:
    used = {name for topic in ALL for name in topic.examples}
    assert {p.name for p in (HERE / "examples").iterdir()} == used


def test_schema_refuses_what_the_decoder_refuses() -> None:
    topic = topics()[ARTICLES]
    schema = json.loads((HERE / "json" / topic.schema_file).read_bytes())
    broken = example("article.v1.json") | {"published_at": "yesterday"}
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validator_for(schema, validate_formats=True).validate(broken)
    with pytest.raises(codec.ContractError, match=ARTICLES):
        codec.decode(topic, (), json.dumps(broken).encode())


def test_spans_of_the_example_are_the_articles_own_words() -> None:
    article = msgspec.convert(example("article.v1.json"), Article)
    assessment = msgspec.convert(example("assessment.v1.json"), Assessment)
    assert assessment.expected
    spans: list[Span] = [*assessment.relevance.spans, *assessment.status_spans, *assessment.expected.spans]
    for part in (*assessment.actors, *assessment.products, *assessment.events, *assessment.amounts):
        spans.extend(part.spans)
    assert spans
    for span in spans:
        assert getattr(article, span.field)[span.start : span.end] == span.text


@pytest.mark.parametrize("topic", ALL, ids=lambda t: t.name)
def test_a_topic_is_complete(topic: Topic) -> None:
    assert topic.partitions >= 1
    assert topic.owner.startswith("pipeline/")
    assert topic.key in topic.message_type.__struct_fields__
    assert {"cleanup.policy", "max.message.bytes"} <= topic.config.keys()
    if topic.consumers:
        letters = topics()[topic.dead_letters]
        assert int(letters.config["max.message.bytes"]) > int(topic.config["max.message.bytes"]) * 4 / 3


def test_asyncapi_names_every_topic_and_message() -> None:
    document = yaml.safe_load(generate.asyncapi())
    assert set(document["channels"]) == set(topics())
    for channel in document["channels"].values():
        for message in channel["messages"].values():
            assert message["$ref"].rsplit("/", 1)[-1] in document["components"]["messages"]


def test_headers_are_cloudevents_and_another_type_is_refused() -> None:
    topic = topics()[ARTICLES]
    article = msgspec.convert(example("article.v1.json"), Article)
    record = codec.record(topic, article, event_id="e1", time=article.observed_at, version=7)
    assert record.key == article.article_id.encode()
    assert codec.header(record.headers, "ce_id") == "e1"
    assert codec.header(record.headers, "ce_sequence") == "7"
    assert codec.header(record.headers, "ce_time") == "2025-04-01T08:34:12Z"
    assert codec.decode(topic, record.headers, record.value) == article
    newer = [(k, b"racewire.article.v2" if k == "ce_type" else v) for k, v in record.headers]
    with pytest.raises(codec.ContractError, match=r"article\.v2"):
        codec.decode(topic, newer, record.value)


@pytest.mark.parametrize("value", [None, b"", b"{", b"\xff", b"[]", b"[" * 100_000, b'{"article_id": 1}'])
def test_what_is_no_article_is_named(value: bytes | None) -> None:
    with pytest.raises(codec.ContractError, match=ARTICLES):
        codec.decode(topics()[ARTICLES], (), value)


def test_fields_a_reader_does_not_know_are_ignored() -> None:
    grown = example("article.v1.json") | {"new_field": {"a": 1}}
    assert isinstance(codec.decode(topics()[ARTICLES], (), json.dumps(grown).encode()), Article)
