"""A tracking store as the end-to-end tests ask for it, and the browser that some of them drive."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.e2e.browsing import CHROMIUM, NO_ANSWER

NAME = "pima-diabetes"


@dataclass(frozen=True)
class Store:
    """A tracking store and registry, seen through MLflow's own client."""

    client: MlflowClient

    def runs(self) -> list[Run]:
        """Return all runs: results, searches with their candidates, failures, the ledger."""
        return [*self.results(), *self.other_runs()]

    def results(self) -> list[Run]:
        """Return the runs of the experiment of results, whatever they are."""
        return self._runs_in(NAME)

    def other_runs(self, status: str = "") -> list[Run]:
        """Return the runs of the experiment of searches that are no candidates."""
        return [
            run
            for run in self._runs_in(f"{NAME}-search")
            if "mlflow.parentRunId" not in run.data.tags and status in ("", run.info.status)
        ]

    def candidates(self, result: Run) -> list[Run]:
        """Return the candidates of a result's search."""
        parent, key = result.data.tags["search.run_id"], "mlflow.parentRunId"
        return [run for run in self._runs_in(f"{NAME}-search") if run.data.tags.get(key) == parent]

    def _runs_in(self, name: str) -> list[Run]:
        experiment = self.client.get_experiment_by_name(name)
        assert experiment is not None
        return list(self.client.search_runs([experiment.experiment_id], max_results=5000))

    def versions(self) -> dict[str, set[str]]:
        """Give each version's stages."""
        found = self.client.search_model_versions(f"name = '{NAME}'")
        return {
            str(version.version): set(
                self.client.get_model_version(NAME, str(version.version)).aliases
            )
            for version in found
        }


def open_store(uri: str) -> Store:
    return Store(MlflowClient(uri))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Open a window of its own; what goes wrong in it, or leaves this machine, is an error."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(5000)
    said: list[str] = []
    context.on("console", lambda message: said.append(message.text))
    context.on("weberror", lambda error: said.append(str(error.error)))
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    yield context
    context.close()
    assert [text for text in said if not text.startswith(NO_ANSWER)] == []
    assert {urlsplit(url).hostname for url in asked if not url.startswith("blob:")} <= {"127.0.0.1"}
