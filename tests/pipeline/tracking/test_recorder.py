"""The process that tracks a search: real processes and real stores, killed and left alone."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.search.units import Candidate
from pipeline.tracking import recorder
from pipeline.tracking.messages import Begin, End, Finish, Scored
from pipeline.tracking.recorder import Live
from pipeline.tracking.reporter import report_search
from pipeline.tracking.result_runs import record_failure
from tests.pipeline.tracking.searches import (
    CV_RESULTS,
    KEY,
    SCORED,
    SELECTION,
    SETTINGS,
    STAGE,
    tables,
    tell,
)
from tests.running import eventually as wait_for
from tests.running import hear_ctrl_c

# The process that tracks has a low priority: beside six workers of the tests, 30 s were too few.
eventually = partial(wait_for, within=60)


def finish_message() -> Finish:
    return Finish(*map(str, tables()))


@pytest.fixture(autouse=True)
def folder(store_folder: Path) -> Path:
    return store_folder


@pytest.fixture
def stage(folder: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start a stage as a process of its own, which waits for the file `go`."""
    started: list[subprocess.Popen[str]] = []

    def start(
        then: str = "pass", told: int = 2, rest_from: int | None = None
    ) -> "subprocess.Popen[str]":
        candidates = list(SCORED)
        rest = candidates[told if rest_from is None else rest_from :]
        script = STAGE.format(then=then, first=candidates[:told], rest=rest)
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=hear_ctrl_c,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def store() -> MlflowClient:
    return MlflowClient(os.environ["MLFLOW_TRACKING_URI"])


def runs(kind: str) -> list[Run]:
    client = store()
    experiment = client.get_experiment_by_name("trial-search")
    if experiment is None:
        return []
    return list(client.search_runs([experiment.experiment_id], f"tags.kind = '{kind}'"))


def shown_search() -> str:
    """Return the filter of the view that shows a search."""
    tags = store().get_experiment_by_name("trial-search").tags
    view = json.loads(tags.get("mlflow.sharedViewState.search", "{}"))
    return str(view.get("searchFilter", ""))


def candidates(status: str = "FINISHED") -> dict[tuple[float, float], Run]:
    return {
        (float(run.data.params["C"]), float(run.data.params["gamma"])): run
        for run in runs("candidate")
        if run.info.status == status
    }


def children(process: "subprocess.Popen[str]") -> list[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(word) for word in listed.split()]


def finish(process: "subprocess.Popen[str]", folder: Path) -> str:
    (folder / "go").touch()
    _, said = process.communicate(timeout=60)
    (folder / "go").unlink()
    return said


def the_search() -> Run:
    (run,) = runs("search")
    return run


def test_search_is_seen_at_once_and_ranked_at_its_end(stage, folder):
    process = stage(told=0, then="tell(report, list(SCORED)[:2]); wait_for('end')", rest_from=2)
    (running,) = eventually(lambda: runs("search"))
    eventually(lambda: running.info.run_id in shown_search())
    assert running.info.status == "RUNNING"
    assert runs("candidate") == []
    (folder / "go").touch()
    eventually(lambda: len(candidates()) == 2)
    assert process.poll() is None
    assert the_search().info.status == "RUNNING"
    assert the_search().data.params == SETTINGS
    assert "rank" not in candidates()[10.0, 0.1].data.metrics
    (folder / "end").touch()
    assert finish(process, folder) == ""
    assert process.returncode == 0

    run = the_search()
    assert (run.info.run_id, run.info.status) == (running.info.run_id, "FINISHED")
    assert {name: c.data.metrics["rank"] for name, c in candidates().items()} == {
        (10.0, 0.1): 1,
        (1.0, 0.1): 2,
        (1.0, 0.5): 3,
    }
    best = candidates()[10.0, 0.1]
    assert best.data.tags["mlflow.parentRunId"] == run.info.run_id
    assert best.data.metrics == {
        **{"cv_roc_auc_fold0": 0.9, "cv_roc_auc_fold1": 0.8},
        **{"cv_roc_auc_mean": pytest.approx(0.85), "cv_roc_auc_median": pytest.approx(0.85)},
        **{"cv_roc_auc_std": pytest.approx(0.05), "rank": 1, "fit_time": 0.25, "score_time": 0.5},
    }
    # The parent has what its candidates have: they make one picture of parallel coordinates.
    assert run.data.params == {**SETTINGS, "C": "10.0", "gamma": "0.1", "class_weight": "none"}
    assert run.data.metrics["cv_roc_auc_median"] == 0.85
    assert run.data.tags["search.digest"]
    client = store()
    history = client.get_metric_history(run.info.run_id, "learning_curve_cv_roc_auc")
    assert [(point.step, point.value) for point in history] == [(10, 0.6), (20, 0.7)]


def kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def record_interruption(run: Run) -> None:
    """Record it as the command line does."""
    record_failure(
        "trial",
        stage="grid_search",
        process=run.data.tags["process"],
        status="KILLED",
        reason="interrupted",
        details="",
        params={},
    )


def test_killed_search_is_gone_on_with_in_the_same_run(stage, folder):
    process = stage(told=1)
    eventually(lambda: len(candidates()) == 1)
    before = the_search().info.run_id
    kill(process)
    record_interruption(eventually(lambda: the_search().info.status == "KILLED" and the_search()))
    assert the_search().data.tags["failed.stage"] == "grid_search"
    # The next attempt dies with the process that tracks it.
    process = stage(told=2)
    eventually(lambda: len(candidates()) == 2)
    for child in children(process):
        os.kill(child, signal.SIGKILL)
    kill(process)
    assert the_search().info.status == "RUNNING"
    # As if the kill had come in the middle of a candidate.
    left = store().create_run(
        the_search().info.experiment_id,
        tags={"kind": "candidate", "mlflow.parentRunId": before},
    )
    finish(stage(), folder)
    run = the_search()
    assert (run.info.run_id, run.info.status) == (before, "FINISHED")
    assert not run.data.tags.keys() & {"failed.reason", "failed.stage", "mlflow.note.content"}
    assert len(candidates()) == len(runs("candidate")) == 3
    assert store().get_run(left.info.run_id).info.lifecycle_stage == "deleted"


def test_ctrl_c_ends_the_run_as_killed(stage, folder):
    process = stage(then="time.sleep(60)")
    eventually(lambda: len(candidates()) == 2)
    (folder / "go").touch()
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode != 0
    run = the_search()
    assert run.info.status == "KILLED"
    assert run.data.tags["failed.reason"] == "interrupted"


def test_store_that_is_away_is_told_once(folder, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with report_search() as report:
        report.begin("trial", KEY, SETTINGS, 3, SELECTION)
        tell(report, SCORED)
        report.finish(*tables())
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("the search goes on, not tracked meanwhile: the tracking server at ")


def test_store_that_comes_late_has_everything(folder, monkeypatch, capsys):
    late = os.environ["MLFLOW_TRACKING_URI"]
    monkeypatch.setattr(recorder, "RETRY_S", 0.1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    messages = queue.SimpleQueue()
    following = threading.Thread(target=recorder.run, args=(messages,))
    following.start()
    messages.put(Begin("trial", KEY, "p", SETTINGS, 3, SELECTION))
    for C, gamma in SCORED:
        messages.put(Scored(Candidate(C, gamma), SCORED[C, gamma], 0.1, 0.1, {}))
    said = []
    eventually(lambda: said.append(capsys.readouterr().err) or any(said))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", late)
    eventually(lambda: len(candidates()) == 3)
    messages.put(finish_message())
    messages.put(End("done"))
    following.join(30)
    assert the_search().info.status == "FINISHED"
    assert "".join([*said, capsys.readouterr().err]).count("not tracked meanwhile") == 1


# The store as it can fail in the middle of things, in this process.


def fail_once(monkeypatch: pytest.MonkeyPatch, name: str, at: int) -> None:
    """Let the `at`-th call of one of the client's methods fail, as of a server that goes away."""
    real, calls = getattr(MlflowClient, name), iter(range(1, 1000))

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == at:
            raise MlflowException("it is away")
        return real(*args, **kwargs)

    monkeypatch.setattr(MlflowClient, name, call)


def scored(key: str = KEY) -> Live:
    """Return a search of which all candidates are scored, and nothing is logged yet."""
    live = Live(Begin("trial", key, "p" * 32, SETTINGS, 3, SELECTION))
    for (C, gamma), scores in SCORED.items():
        live.add(Scored(Candidate(C, gamma), scores, 0.25, 0.5, {}))
    return live


@pytest.fixture
def told() -> Live:
    return scored()


def test_failed_search_is_left_to_its_stage_to_end(told):
    assert told.work()
    told.end("failed")
    assert the_search().info.status == "RUNNING"
    assert the_search().data.tags["process"] == "p" * 32


def test_search_ends_a_leftover_and_no_living_one():
    dead, alive = scored("d" * 64), scored("a" * 64)
    assert dead.work()
    assert alive.work()
    del dead  # and its lock with it, as of a process that was killed
    third = scored()
    assert third.work()
    assert statuses() == {"d": "KILLED", "a": "RUNNING", "k": "RUNNING"}
    for live in (alive, third):
        live.add(finish_message())
        live.end("done")
    assert statuses() == {"d": "KILLED", "a": "FINISHED", "k": "FINISHED"}


def statuses() -> dict[str, str]:
    return {run.data.tags["search.key"][0]: run.info.status for run in runs("search")}


def test_halving_logs_rows_and_iteration():
    live = Live(Begin("trial", KEY, "p" * 32, SETTINGS, 1, SELECTION))
    live.add(Scored(Candidate(1.0, 0.5), (0.5, 0.6), 0.1, 0.1, {"iter": 2, "n_resources": 500}))
    assert live.work()
    (run,) = candidates().values()
    assert (run.data.metrics["iter"], run.data.metrics["n_resources"]) == (2, 500)
    header, *_, last = CV_RESULTS.splitlines()
    table = b"\n".join([header + b",iter,n_resources", last + b",2,500"])
    live.add(Finish(*map(str, tables(table))))
    live.end("done")
    assert candidates()[1.0, 0.5].data.metrics["n_resources"] == 500


def test_candidates_left_at_the_end_are_counted_while_they_are_logged(told, monkeypatch, capsys):
    monkeypatch.setattr(recorder, "BATCH", 1)
    monkeypatch.setattr(recorder, "LOGGING", {**recorder.LOGGING, "delay": 0, "mininterval": 0})
    assert told.work()
    told.add(finish_message())
    told.end("done")
    lines = capsys.readouterr().err.replace("\r", "").splitlines()
    assert "logging candidates: 2 of 3, 00:00 left" in [line.strip()[:38] for line in lines]


def test_batch_cut_off_is_not_logged_twice(told, monkeypatch, folder):
    fail_once(monkeypatch, "set_terminated", at=2)
    assert not told.work()
    told.add(finish_message())
    told.end("done")
    assert the_search().info.status == "FINISHED"
    assert candidates().keys() == SCORED.keys()
    assert len(runs("candidate")) == 3


def test_run_cut_off_at_its_opening_is_gone_on_with(told, monkeypatch, folder):
    fail_once(monkeypatch, "log_batch", at=1)
    assert not told.work()
    assert told.work()
    assert the_search().data.params == SETTINGS
    assert the_search().data.tags["search.candidates"] == "3"


def test_search_not_taken_whole_is_killed(told, monkeypatch, folder):
    assert told.work()
    told.add(finish_message())
    fail_once(monkeypatch, "log_batch", at=4)  # after the ranks of three candidates
    told.end("done")
    run = the_search()
    assert run.info.status == "KILLED"
    assert run.data.tags["failed.reason"] == "the tracking store did not take all of it"


def test_store_is_retried_at_its_own_pace(monkeypatch):
    tried: list[float] = []

    def away(_live: Live) -> bool:
        tried.append(time.monotonic())
        return False

    monkeypatch.setattr(Live, "work", away)
    monkeypatch.setattr(Live, "end", lambda _live, _how: None)
    monkeypatch.setattr(recorder, "RETRY_S", 0.2)
    messages: recorder.Messages = queue.SimpleQueue()
    messages.put(Begin("trial", KEY, "p" * 32, SETTINGS, 100, SELECTION))
    following = threading.Thread(target=recorder.run, args=(messages,))
    started = time.monotonic()
    following.start()
    for _ in range(40):
        messages.put(Scored(Candidate(1.0, 0.1), (0.5,), 0.1, 0.1, {}))
        time.sleep(0.05)
    messages.put(None)
    following.join()
    took = time.monotonic() - started  # two seconds, and more on a busy machine
    assert 4 <= len(tried) <= 1 + took / 0.2
