"""docs/operations.md: each metric is explained, alerts ask for what there is, a backup is whole.

The commands are taken from the page and run as they stand there.
"""

import re
import shutil

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from pipeline.__main__ import main
from serving.store.sync_status import Status
from serving.store.versions import Version
from serving.web.api.operations import SyncCollector
from serving.web.figures import PredictionsNote, RequestNote
from serving.web.metrics import Metrics
from tests.conftest import ROOT, Project
from tests.e2e.conftest import open_store

PAGE = (ROOT / "docs/operations.md").read_text()
HISTOGRAM = ("_bucket", "_sum", "_count")


@pytest.fixture(scope="module")
def samples() -> dict[str, set[str]]:
    """Give the name of each sample that /metrics has where all is there, with its labels."""
    metrics = Metrics()
    metrics.request(RequestNote("/predict", "POST", "200", 0.1))
    metrics.predictions(PredictionsNote("/predict", (0, 1), [1], [0.9], {"Age": 1}))
    metrics.model("1", "d")
    version = Version("m", "1", "production", "d")
    status = Status("unchanged", "", checked_at=1.0, reached_at=1.0, desired=version)
    text = metrics.exposition(SyncCollector(status, 60.0)).decode()
    families = text_string_to_metric_families(text)
    return {
        sample.name: {*sample.labels} - {"le"}
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def section(title: str) -> str:
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return found


def commands(title: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", section(title), re.MULTILINE | re.DOTALL)


def test_metrics_are_explained_with_their_labels(samples):
    table = r"^\| `(serving_\w+)` \|(.*?)\| .+ \|$"
    rows = re.findall(table, section("Metrics"), re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    plain = {re.sub(f"({'|'.join(HISTOGRAM)})$", "", name): it for name, it in samples.items()}
    assert told == plain
    assert len(rows) == len(told)


def test_alerts_ask_for_metrics_that_there_are(samples):
    (group,) = YAML(typ="safe", pure=True).load(ROOT / "deploy/alerts.yml")["groups"]
    asked = {rule["alert"]: rule["expr"] for rule in group["rules"]}
    promql = re.findall(r"```promql\n(.*?)```", PAGE, re.DOTALL)
    for expression in [*asked.values(), *promql]:
        names = re.findall(r"\b((?:serving_\w+|up)\b)(?:\{(.*?)\})?", expression)
        assert names
        for name, labels in names:
            if name != "up":
                assert name in samples, expression
                assert set(re.findall(r"(\w+)=", labels)) <= samples[name], expression
    assert all(rule["annotations"]["summary"] for rule in group["rules"])
    assert set(re.findall(r"`(Serving\w+)`", section("Alerts"))) <= set(asked)


@pytest.fixture(scope="module")
def saved(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose result is registered and promoted, backed up as the page says."""
    if shutil.which("sqlite3") is None:
        pytest.skip("there is no sqlite3 here: apt-get install sqlite3")
    project = trained.copy_with_store(tmp_path_factory.mktemp("saved") / "project")
    backup, _ = commands("Back up and restore")
    project.run("bash", "-euc", backup)
    return project


@pytest.fixture
def state(saved, capsys, monkeypatch):
    """Return what the project's store holds, and what the command says of its history."""

    def now() -> tuple:
        store = open_store(saved.store)
        runs = {run.info.run_id: run.info.status for run in store.runs()}
        monkeypatch.chdir(saved.path)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", saved.store)
        assert main(["history", "--json"]) == 0
        return runs, store.versions(), capsys.readouterr().out

    return now


def test_backup_brings_back_runs_versions_and_ledger(saved, state):
    before = state()
    assert before[1] == {"1": {"staging", "production"}}
    assert before[2].count('"what": "dvc repro"') == 2
    _, restore = commands("Back up and restore")

    # Half of it is not enough, and is noticed.
    shutil.rmtree(saved.path / "mlruns")
    doctor = saved.run("python", "-m", "pipeline", "doctor", check=False)
    assert doctor.returncode == 1
    assert "version 1 is not whole" in doctor.stdout + doctor.stderr

    (saved.path / "mlflow.db").unlink()
    restored = saved.run("bash", "-euc", restore)
    assert "✗" not in restored.stdout
    assert "Running stage 'register'" in restored.stdout
    assert "Running stage 'grid_search'" not in restored.stdout
    assert state() == before


def test_database_is_upgraded_by_what_the_page_says(saved, state):
    (upgrade,) = commands("Upgrade and go back")
    before = state()
    saved.run("bash", "-euc", upgrade)
    assert state() == before
