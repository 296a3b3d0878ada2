"""The pages while the database is down: they say so, and tell no secret."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from pipeline.store.database import connect
from pipeline.web import app

SECRET = "hunter2-of-the-database"


@pytest.fixture
def client() -> TestClient:
    # Port 1 refuses at once.
    return TestClient(app(connect(f"postgresql+psycopg://reporter:{SECRET}@127.0.0.1:1/none")))


@pytest.mark.parametrize("path", ["/", "/articles/a", "/stories/s", "/healthz"])
def test_503_with_a_reason_and_without_secrets(
    client: TestClient, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = client.get(path)

    assert response.status_code == 503
    assert "the database does not answer" in response.text
    assert SECRET not in response.text + caplog.text
    assert "reporter" not in response.text
    assert "the database cannot be read" in caplog.text


def test_health_is_for_machines(client: TestClient) -> None:
    assert client.get("/healthz").json()["status"] == "unavailable"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/static/../pages.py", 404),
        ("GET", "/articles/%00", 404),
        ("GET", "/stories/" + "x" * 200, 404),
        ("POST", "/", 405),
        ("GET", "/static/racewire.css", 200),
        ("GET", "/", 503),
    ],
)
def test_every_response_is_locked_down(client: TestClient, method: str, path: str, status: int) -> None:
    response = client.request(method, path)

    assert response.status_code == status
    assert response.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self';")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "unsafe" not in response.headers["content-security-policy"]


def test_a_fault_of_ours_shows_nothing_of_it() -> None:
    broken: Any = f"no engine, and {SECRET}"
    response = TestClient(app(broken), raise_server_exceptions=False).get("/")

    assert response.status_code == 500
    assert "This page could not be made" in response.text
    assert SECRET not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"
