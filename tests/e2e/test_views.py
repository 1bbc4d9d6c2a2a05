"""MLflow's own UI opens the ready-made views: a real browser on a real `mlflow ui`."""

import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import Project, free_port
from tests.running import eventually

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to drive")
PATIENCE_MS = 60_000  # MLflow's pages are large, and two cores busy


@pytest.fixture
def views(finished: Project) -> Iterator[list[str]]:
    """Start the UI on a project's store and return the addresses that `make ui` prints."""
    ui = f"http://127.0.0.1:{free_port()}"
    port = ui.rpartition(":")[2]
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", finished.store]
    server = subprocess.Popen(
        [*command, "--port", port, "--workers", "1"],
        cwd=finished.path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        eventually(lambda: is_up(ui), within=60)
        printed = finished.run("python", "-m", "pipeline.tracking.views", ui).stdout
        yield [line.split()[-1] for line in printed.splitlines()]
    finally:
        server.terminate()
        server.wait()


def is_up(ui: str) -> bool:
    try:
        return requests.get(f"{ui}/health", timeout=5).ok
    except requests.RequestException:
        return False


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        yield page
        browser.close()


def test_views_show_results_by_test_figures_and_a_search_by_its_candidates(
    views: list[str], page: Page
) -> None:
    results, search = views
    page.goto(results)
    expect(page.get_by_text("matching run")).to_have_text("1 matching run", timeout=PATIENCE_MS)
    expect(page.get_by_text("Sort: test_roc_auc")).to_be_visible()
    expect(page.get_by_text("production, staging")).to_be_visible()
    for column in ("stage", "version", "test_roc_auc", "test_brier"):
        expect(page.get_by_role("columnheader", name=column).first).to_be_visible()
    page.goto("about:blank")  # an address that differs behind the # loads nothing
    page.goto(search)
    # Of the two hundred MLflow shows the first hundred, sorted by score.
    expect(page.get_by_text("matching runs")).to_have_text("100 matching runs", timeout=PATIENCE_MS)
    expect(page.get_by_text("Parallel Coordinates")).to_be_visible()
