"""A verdict is called wrong, by command and over HTTP: kept, shown, exported and learnt from."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pipeline.classify.labels import read
from pipeline.store.corrections import MOST
from pipeline.web import app
from tests.conftest import World
from tests.web_samples import ASIDE, HOSTILE, RUMOUR, fill

pytestmark = pytest.mark.integration


@pytest.fixture
def client(world: World) -> TestClient:
    with world.engine.begin() as tx:
        fill(tx, world.topics)
    return TestClient(app(world.engine))


def post(client: TestClient, article: str, right: Any, **more: str) -> Any:
    return client.post(f"/articles/{article}/corrections", json={"right": right, "by": "Ada", **more})


def run(world: World, *words: str) -> str:
    done = world.invoke(*words)
    assert done.exit_code == 0, done.output
    return str(done.output)


def test_by_command_then_shown_and_exported(world: World, client: TestClient) -> None:
    assert "Nobody has corrected a verdict" in run(world, "feedback", "list")

    done = run(
        world,
        "feedback",
        "add",
        RUMOUR[:8],
        "--status",
        "announced",
        "--event",
        "funding",
        "--event",
        "strategy",
        "--actor",
        "openai:mover",
        "--no-products",
        "--when",
        "none",
        "--by",
        "Grace",
        "--note",
        "<b>bold</b>",
    )

    assert "funding, strategy" in done
    assert "openai (mover)" in done
    assert "Grace" in run(world, "feedback", "list")
    page = client.get(f"/articles/{RUMOUR}").text
    assert "says Grace" in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    label = read(run(world, "feedback", "export").encode().splitlines())[0]
    assert (label.id, label.relevance, label.status, label.when) == (RUMOUR, "core", "announced", "")
    assert (label.events, label.products) == (["funding", "strategy"], [])
    assert (label.actors, label.roles) == (["openai"], {"openai": "mover"})


def test_over_http_and_the_newest_word_counts(world: World, client: TestClient) -> None:
    first = post(client, RUMOUR, {"status": "denied"})
    second = post(client, RUMOUR, {"relevance": "none"}, note="it is about apples")

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["status"] == "denied"
    assert second.json()["actors"] == second.json()["events"] == []
    exported = run(world, "feedback", "export").splitlines()
    assert [json.loads(line)["relevance"] for line in exported] == ["none"]
    assert len(json.loads(run(world, "feedback", "list", "--json"))) == 2


@pytest.mark.parametrize(
    ("right", "status", "reason"),
    [
        ({"relevance": "perhaps"}, 400, "perhaps"),
        ({"when": "next week"}, 400, "a date is"),
        ({"events": []}, 400, "has no event"),
        ({"events": ["release"] * 4}, 400, "length"),
        ({"products": ["x" * 81]}, 400, "length"),
        ({"actors": {"Open AI": "mover"}}, 400, "regex"),
        ({"actors": {"openai": "winner"}}, 400, "winner"),
        ({"colour": "red"}, 400, "colour"),
    ],
)
def test_what_is_no_label_is_refused(client: TestClient, right: Any, status: int, reason: str) -> None:
    found = post(client, RUMOUR, right)
    assert found.status_code == status
    assert reason in found.json()["reason"]


def test_what_is_no_request_is_refused(world: World, client: TestClient) -> None:
    address = f"/articles/{RUMOUR}/corrections"
    assert client.post(address, data={"right": "{}", "by": "a form"}).status_code == 415
    assert (
        client.post(address, content=b"{" * 20_000, headers={"content-type": "application/json"}).status_code
        == 413
    )
    assert (
        client.post(address, content=b"\xff", headers={"content-type": "application/json"}).status_code == 400
    )
    assert client.get(address).status_code == 405
    assert post(client, "nothing", {}).status_code == 409
    for _ in range(MOST):
        assert post(client, HOSTILE, {}).status_code == 201
    assert "that is enough" in post(client, HOSTILE, {}).json()["reason"]
    assert world.scalar("SELECT count(*) FROM corrections") == MOST


def test_the_next_training_learns_from_it(world: World, client: TestClient, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    label = {"id": ASIDE, "relevance": "core", "events": ["policy"], "status": "announced"}
    (plain / "read.jsonl").write_text(json.dumps(label))
    text = {"id": ASIDE, "title": "A law on AI", "summary": "It binds OpenAI.", "published": "2025-04-01"}
    (tmp_path / "articles.jsonl").write_text(json.dumps(text))
    files = ("--labels", str(plain), "--articles", str(tmp_path / "articles.jsonl"))

    assert post(client, RUMOUR, {"relevance": "none"}).status_code == 201
    without = run(world, "train", *files, "--out", str(tmp_path / "without.json"))
    learnt = run(world, "train", *files, "--feedback", "--out", str(tmp_path / "with.json"))

    assert "1 labels" in without
    assert "1 articles corrected by readers" in learnt
    assert "2 labels" in learnt
    assert (tmp_path / "with.json").read_text() != (tmp_path / "without.json").read_text()
    assert "1 labels" in run(world, "train", "--feedback", "--out", str(tmp_path / "alone.json"))
