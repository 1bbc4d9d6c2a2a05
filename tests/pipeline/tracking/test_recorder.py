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

from pipeline.tracking import recorder
from pipeline.tracking.messages import Begin, End, Finish, Scored
from pipeline.tracking.recorder import Live
from pipeline.tracking.reporter import report_search
from pipeline.tracking.result_runs import record_failure
from tests.running import eventually as wait_for
from tests.running import hear_ctrl_c

CV_RESULTS = (
    b"param_C,param_gamma,split0_test_score,split1_test_score,mean_test_score,median_test_score,"
    b"std_test_score,rank_test_score\n"
    b"10.0,0.1,0.9,0.8,0.85,0.85,0.05,1\n"
    b"1.0,0.1,0.6,0.8,0.7,0.7,0.1,2\n"
    b"1.0,0.5,0.5,0.5,0.5,0.5,0.0,3\n"
)
CURVE = (
    b"rows,train_roc_auc_mean,train_roc_auc_std,cv_roc_auc_mean,cv_roc_auc_std\n"
    b"10,0.9,0.1,0.6,0.1\n20,0.85,0.1,0.7,0.1\n"
)
SCORED = {(10.0, 0.1): (0.9, 0.8), (1.0, 0.1): (0.6, 0.8), (1.0, 0.5): (0.5, 0.5)}
KEY = "k" * 64
# The process that tracks has a low priority: beside six workers of the tests, 30 s were too few.
eventually = partial(wait_for, within=60)
# A stage that reports a search of three candidates and does what the test says in between.
STAGE = """
import os, signal, sys, time
from pathlib import Path
from pipeline.tracking import recorder
from pipeline.errors import PipelineError
from pipeline.tracking.messages import Begin, End, Finish, Scored
from pipeline.tracking.reporter import report_search
from tests.pipeline.tracking.test_recorder import KEY, SCORED, tables, tell

def wait_for(name):
    while not Path(name).exists():
        time.sleep(0.02)

with report_search() as report:
    report.begin("trial", {key!r}, {{"seed": "1"}}, 3)
    tell(report, {first!r})
    wait_for("go")
    {then}
    tell(report, {rest!r})
    report.finish(*tables())
"""


def tables(cv_results: bytes = CV_RESULTS) -> tuple[Path, Path]:
    """Write the search's two tables where the stage writes them, and return their paths."""
    paths = Path("cv_results.csv"), Path("learning_curve.csv")
    for path, content in zip(paths, (cv_results, CURVE), strict=True):
        path.write_bytes(content)
    return paths


def finish_message() -> Finish:
    return Finish(*map(str, tables()))


def tell(report: Any, candidates: Any) -> None:
    for C, gamma in candidates:
        report.candidate(C, gamma, SCORED[C, gamma], 0.25, 0.5, {})


@pytest.fixture(autouse=True)
def folder(store_folder: Path) -> Path:
    return store_folder


@pytest.fixture
def stage(folder: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start a stage as a process of its own, which waits for the file `go`."""
    started: list[subprocess.Popen[str]] = []

    def start(
        then: str = "pass", key: str = KEY, told: int = 2, rest_from: int | None = None
    ) -> "subprocess.Popen[str]":
        candidates = list(SCORED)
        rest = candidates[told if rest_from is None else rest_from :]
        script = STAGE.format(then=then, key=key, first=candidates[:told], rest=rest)
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


def test_a_search_is_seen_from_its_start_and_ranked_at_its_end(stage, folder):
    process = stage(told=0, then="tell(report, list(SCORED)[:2]); wait_for('end')", rest_from=2)
    (running,) = eventually(lambda: runs("search"))
    eventually(lambda: running.info.run_id in shown_search())
    assert running.info.status == "RUNNING"
    assert runs("candidate") == []
    (folder / "go").touch()
    eventually(lambda: len(candidates()) == 2)
    assert process.poll() is None
    assert the_search().info.status == "RUNNING"
    assert the_search().data.params == {"seed": "1"}
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
    assert run.data.params == {"seed": "1", "C": "10.0", "gamma": "0.1"}
    assert run.data.metrics["cv_roc_auc_median"] == 0.85
    assert run.data.tags["search.digest"]
    client = store()
    history = client.get_metric_history(run.info.run_id, "learning_curve_cv_roc_auc")
    assert [(point.step, point.value) for point in history] == [(10, 0.6), (20, 0.7)]


def kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def kill_children(process: "subprocess.Popen[str]") -> None:
    for child in children(process):
        os.kill(child, signal.SIGKILL)


def kill_both(process: "subprocess.Popen[str]") -> None:
    kill_children(process)
    kill(process)


@pytest.mark.parametrize(("end", "status"), [(kill, "KILLED"), (kill_both, "RUNNING")])
def test_a_killed_search_is_gone_on_with_in_the_same_run(stage, folder, end, status):
    process = stage(told=1)
    eventually(lambda: len(candidates()) == 1)
    before = the_search().info.run_id
    end(process)
    eventually(lambda: the_search().info.status == status)
    # As if the kill had come in the middle of a candidate.
    left = store().create_run(
        the_search().info.experiment_id,
        tags={"kind": "candidate", "mlflow.parentRunId": before},
    )
    finish(stage(), folder)
    run = the_search()
    assert (run.info.run_id, run.info.status) == (before, "FINISHED")
    assert "failed.reason" not in run.data.tags
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


def test_after_a_failure_the_run_is_the_stage_s_to_end(stage, folder):
    process = stage(then="raise ValueError('no')")
    eventually(lambda: len(candidates()) == 2)
    finish(process, folder)
    assert process.returncode == 1
    run = the_search()
    assert run.info.status == "RUNNING"
    assert len(run.data.tags["process"]) == 32


def test_another_search_ends_a_leftover_and_leaves_a_living_one_alone(stage, folder):
    dead, alive = stage(key="d" * 64, told=1), stage(key="a" * 64, told=1)
    eventually(
        lambda: (len(candidates()) == 1 and len(runs("candidate")) == 2) or len(runs("search")) == 2
    )
    eventually(lambda: len(runs("candidate")) == 2)
    kill_both(dead)
    third = stage(told=1)
    eventually(lambda: len(runs("search")) == 3)
    status = {run.data.tags["search.key"][0]: run.info.status for run in runs("search")}
    assert status == {"d": "KILLED", "a": "RUNNING", "k": "RUNNING"}
    (folder / "go").touch()
    for process in (alive, third):
        process.communicate(timeout=60)
        assert process.returncode == 0
    status = {run.data.tags["search.key"][0]: run.info.status for run in runs("search")}
    assert status == {"d": "KILLED", "a": "FINISHED", "k": "FINISHED"}


def test_a_store_that_is_away_is_told_once_and_the_search_goes_on(stage, folder, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    process = stage()
    said = finish(process, folder)
    assert process.returncode == 0
    assert said.count("\n") == 1
    assert said.startswith("the search goes on, not tracked meanwhile: the tracking server at ")
    assert "Traceback" not in said


def test_a_store_that_comes_late_has_everything(folder, monkeypatch, capsys):
    late = os.environ["MLFLOW_TRACKING_URI"]
    monkeypatch.setattr(recorder, "RETRY_S", 0.1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    messages = queue.SimpleQueue()
    following = threading.Thread(target=recorder.run, args=(messages,))
    following.start()
    messages.put(Begin("trial", KEY, "p", {}, 3))
    for C, gamma in SCORED:
        messages.put(Scored(C, gamma, SCORED[C, gamma], 0.1, 0.1, {}))
    said = []
    eventually(lambda: said.append(capsys.readouterr().err) or any(said))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", late)
    eventually(lambda: len(candidates()) == 3)
    messages.put(finish_message())
    messages.put(End("done"))
    following.join(30)
    assert the_search().info.status == "FINISHED"
    assert "".join([*said, capsys.readouterr().err]).count("not tracked meanwhile") == 1


def test_halving_says_on_how_many_rows_a_candidate_was_scored(folder):
    with report_search() as report:
        report.begin("trial", KEY, {}, 1)
        report.candidate(1.0, 0.5, (0.5, 0.6), 0.1, 0.1, {"iter": 2, "n_resources": 500})
        table = CV_RESULTS.splitlines()
        one = b"\n".join([table[0] + b",iter,n_resources", table[3] + b",2,500"])
        report.finish(*tables(one))
    (run,) = candidates().values()
    assert (run.data.metrics["iter"], run.data.metrics["n_resources"]) == (2, 500)


def test_a_report_never_waits_for_its_process(folder, monkeypatch):
    monkeypatch.setattr("pipeline.tracking.reporter.LIVE", "import time; time.sleep(2)")
    with report_search() as report:
        report.begin("trial", KEY, {}, 1)
        started = time.monotonic()
        for number in range(20_000):
            report.candidate(float(number), 0.5, (0.5,) * 10, 0.1, 0.1, {})
        assert time.monotonic() - started < 1


def test_the_words_are_json_lines(folder, monkeypatch):
    echo = "import sys; open('said', 'w').write(sys.stdin.read())"
    monkeypatch.setattr("pipeline.tracking.reporter.LIVE", echo)

    def interrupted():
        with report_search() as report:
            report.begin("trial", KEY, {"seed": "1"}, 1)
            report.candidate(1.0, 0.5, (0.5,), 0.1, 0.2, {})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    said = [json.loads(line) for line in (folder / "said").read_text().splitlines()]
    assert [line["type"] for line in said] == ["begin", "candidate", "end"]
    assert said[2]["how"] == "killed"


# The store as it can fail in the middle of things, in this process.


def fail_once(monkeypatch: pytest.MonkeyPatch, name: str, at: int) -> None:
    """Let the `at`-th call of one of the client's methods fail, as of a server that goes away."""
    real, calls = getattr(MlflowClient, name), iter(range(1, 1000))

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == at:
            raise MlflowException("it is away")
        return real(*args, **kwargs)

    monkeypatch.setattr(MlflowClient, name, call)


@pytest.fixture
def told() -> Live:
    """A search of which all candidates are scored, and nothing is logged yet."""
    told = Live(Begin("trial", KEY, "p" * 32, {"seed": "1"}, 3))
    for (C, gamma), scores in SCORED.items():
        told.add(Scored(C, gamma, scores, 0.25, 0.5, {}))
    return told


def test_a_batch_that_is_cut_off_is_gone_on_with_and_not_logged_twice(told, monkeypatch, folder):
    fail_once(monkeypatch, "set_terminated", at=2)
    assert not told.work()
    told.add(finish_message())
    told.end("done")
    assert the_search().info.status == "FINISHED"
    assert candidates().keys() == SCORED.keys()
    assert len(runs("candidate")) == 3


def test_a_run_whose_opening_is_cut_off_is_the_one_that_is_gone_on_with(told, monkeypatch, folder):
    fail_once(monkeypatch, "log_batch", at=1)
    assert not told.work()
    assert told.work()
    assert the_search().data.params == {"seed": "1"}
    assert the_search().data.tags["search.candidates"] == "3"


def test_a_search_that_the_store_did_not_take_whole_says_so(told, monkeypatch, folder):
    assert told.work()
    told.add(finish_message())
    fail_once(monkeypatch, "log_batch", at=4)  # after the ranks of three candidates
    told.end("done")
    run = the_search()
    assert run.info.status == "KILLED"
    assert run.data.tags["failed.reason"] == "the tracking store did not take all of it"


def test_a_store_is_tried_again_however_fast_candidates_come(monkeypatch):
    tried: list[float] = []

    def away(_live: Live) -> bool:
        tried.append(time.monotonic())
        return False

    monkeypatch.setattr(Live, "work", away)
    monkeypatch.setattr(Live, "end", lambda _live, _how: None)
    monkeypatch.setattr(recorder, "RETRY_S", 0.2)
    messages: recorder.Messages = queue.SimpleQueue()
    messages.put(Begin("trial", KEY, "p" * 32, {}, 100))
    following = threading.Thread(target=recorder.run, args=(messages,))
    started = time.monotonic()
    following.start()
    for _ in range(40):
        messages.put(Scored(1.0, 0.1, (0.5,), 0.1, 0.1, {}))
        time.sleep(0.05)
    messages.put(None)
    following.join()
    took = time.monotonic() - started  # two seconds, and more on a busy machine
    assert 4 <= len(tried) <= 1 + took / 0.2


def test_nothing_of_an_interruption_is_left_on_the_run_that_went_on(stage, folder):
    process = stage(told=1)
    eventually(lambda: len(candidates()) == 1)
    kill(process)
    killed = eventually(lambda: the_search().info.status == "KILLED" and the_search())
    # as the command line does it
    record_failure(
        "trial",
        stage="grid_search",
        process=killed.data.tags["process"],
        status="KILLED",
        reason="interrupted",
        details="",
        params={},
    )
    assert the_search().data.tags["failed.stage"] == "grid_search"
    finish(stage(), folder)
    run = the_search()
    assert run.info.status == "FINISHED"
    assert not run.data.tags.keys() & {"failed.reason", "failed.stage", "mlflow.note.content"}


def test_a_tracking_process_that_is_killed_is_told_in_a_line(stage, folder):
    process = stage()
    eventually(lambda: len(candidates()) == 2)
    kill_children(process)
    said = finish(process, folder)
    assert process.returncode == 0
    assert said.count("\n") == 1
    assert said.startswith("the search goes on, not tracked any more: its process ")


def test_a_tracking_process_that_hangs_holds_nobody_up_for_ever(stage, folder):
    shorter = "from pipeline.tracking import reporter; reporter.PATIENCE_S = 1.0"
    process = stage(then=shorter)
    eventually(lambda: len(candidates()) == 2)
    for child in children(process):
        os.kill(child, signal.SIGSTOP)
    said = finish(process, folder)
    assert process.returncode == 0
    assert said.count("\n") == 1
    assert "its process did not come to an end" in said


def test_a_search_goes_on_where_no_process_can_be_started(folder, monkeypatch, capsys):
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise OSError("no memory")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with report_search() as report:
        report.begin("trial", KEY, {}, 1)
        tell(report, SCORED)
        report.finish(*tables())
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "its process cannot be started (no memory)" in said
