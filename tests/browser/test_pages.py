"""The pages in a real browser: from the newest verdict to article and story; nothing runs, nothing leaks."""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from pipeline.web import app
from schemas.messages import Story
from tests.conftest import World
from tests.until import until
from tests.web_samples import HOSTILE, HOSTILE_TITLE, RELEASED, fill

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.integration]

# Quiet, and without what a container lacks: a sandbox of its own and a graphics card.
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def browser() -> Iterator[Any]:
    """Chromium for one test: while playwright is open its event loop runs in this thread, for everybody."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make install")
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("RACEWIRE_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium: install one, or name it in RACEWIRE_CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def story(world: World) -> Story:
    with world.engine.begin() as tx:
        return fill(tx, world.topics)


@pytest.fixture
def address(world: World) -> Iterator[str]:
    """The pages, served on a free port."""
    server = uvicorn.Server(uvicorn.Config(app(world.engine), log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        until(lambda: server.started, what="the pages' server")
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive(), "the pages' server did not stop"


def test_from_a_verdict_to_its_evidence_and_its_story(browser: Any, address: str, story: Story) -> None:
    page: Page = browser.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(address)
    assert "Racewire" in page.title()
    hostile = page.locator(f'.wire h3 a[href="/articles/{HOSTILE}"]')
    assert hostile.inner_text() == HOSTILE_TITLE
    assert page.locator("script, main img").count() == 0
    assert page.locator('a[href^="javascript"]').count() == 0

    page.locator(f'.wire h3 a[href="/articles/{RELEASED}"]').click()
    assert page.url == f"{address}/articles/{RELEASED}"
    product = page.locator("h1 mark.product")
    assert product.inner_text() == "Qwen 3"
    background = "element => getComputedStyle(element).backgroundColor"
    assert product.evaluate(background) != page.locator("h1").evaluate(background), (
        "the style sheet is blocked"
    )

    page.locator(".part-of a").click()
    assert page.url == f"{address}/stories/{story.story_id}"
    languages = page.locator(".timeline h3").evaluate_all("found => found.map(h => h.lang)")
    assert languages == ["zh", "en", "de"]

    page.set_viewport_size({"width": 360, "height": 740})
    for path in ("/", f"/articles/{HOSTILE}", f"/stories/{story.story_id}", "/status", f"/why?url={HOSTILE}"):
        page.goto(address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, f"{path} is too wide for a phone"
    assert complaints == []
    assert {url for url in asked if not url.startswith(f"{address}/")} == set()
