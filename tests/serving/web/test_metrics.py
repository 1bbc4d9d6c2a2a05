"""Figures: counted in bulk, right across the workers."""

import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from serving.web.app import create_app
from serving.web.figures import PROBABILITIES, BulkHistogram, PredictionsNote, RequestNote
from serving.web.metrics import Metrics
from serving.web.worker_state import State
from tests.conftest import ROOT
from tests.serving.calling import call, environ, get, post
from tests.serving.explained_model import write_svm

BOUNDS = (0.125, 0.25, 0.5, 1, 4)  # exact in binary, and so are sums of eighths


def figures(text: bytes) -> dict[str, float]:
    """Give every sample of an exposition by its name and labels, as they stand there."""
    families = text_string_to_metric_families(text.decode())
    samples = [sample for family in families for sample in family.samples]
    found = {
        f"{s.name}{sorted(s.labels.items())}" if s.labels else s.name: s.value for s in samples
    }
    assert len(found) == len(samples), "a sample is given twice"
    return found


def named(name: str, **labels: str) -> str:
    return f"{name}{sorted(labels.items())}"


def exposed(kind: type[Histogram], values: list[list[float]], *, bulk: bool) -> bytes:
    registry = CollectorRegistry()
    histogram = kind("x", "An x", ["route"], buckets=BOUNDS, registry=registry)
    plain = kind("y", "A y", buckets=BOUNDS, registry=registry)
    for each in values:
        for target in (histogram.labels("/a"), plain):
            if bulk:
                target.observe_all(iter(each))
            else:
                for value in each:
                    target.observe(value)
    lines = generate_latest(registry).splitlines(keepends=True)
    return b"".join(line for line in lines if b"_created" not in line)


eighths = st.integers(-16, 80).map(lambda n: n / 8)


@given(st.lists(st.lists(eighths | st.sampled_from(BOUNDS), max_size=20), max_size=3))
def test_many_observations_at_once_are_as_many_one_by_one(values):
    assert exposed(BulkHistogram, values, bulk=True) == exposed(Histogram, values, bulk=False)


def test_the_bounds_themselves_and_what_lies_beyond_them_are_counted():
    values = [[*BOUNDS, -1, 5, float("inf")]]
    assert exposed(BulkHistogram, values, bulk=True) == exposed(Histogram, values, bulk=False)


def test_a_request_is_counted_by_route_method_and_status_once_it_is_flushed():
    metrics = Metrics()
    for status, seconds in (("200", 0.001), ("200", 0.3), ("422", 40.0)):
        metrics.request(RequestNote("/predict", "POST", status, seconds))
    metrics.request(RequestNote("/livez", "GET", "200", 0.25))
    before = figures(generate_latest(metrics.registry))
    assert not [name for name in before if name.startswith("serving_request")]
    metrics.flush()
    after = figures(generate_latest(metrics.registry))
    counted = {"route": "/predict", "method": "POST"}
    assert after[named("serving_requests_total", **counted, status="200")] == 2
    assert after[named("serving_requests_total", **counted, status="422")] == 1
    seconds = "serving_request_seconds_bucket"
    assert after[named(seconds, route="/predict", le="0.001")] == 1
    assert after[named(seconds, route="/predict", le="30.0")] == 2
    assert after[named(seconds, route="/predict", le="+Inf")] == 3
    total = after[named("serving_request_seconds_sum", route="/predict")]
    assert total == pytest.approx(40.301)
    assert after[named("serving_request_seconds_sum", route="/livez")] == 0.25
    assert after[named("serving_requests_total", route="/livez", method="GET", status="200")] == 1


def test_predictions_are_counted_by_label_and_probability_and_what_is_out_of_range_by_feature():
    metrics = Metrics()
    metrics.predictions(
        PredictionsNote("/predict", ("no", 7), [1, 0, 1], [0.9, 0.05, 0.55], {"Age": 2})
    )
    metrics.predictions(
        PredictionsNote("/invocations", ("no", 7), [1], [1.0], {"Age": 1, "Glucose": 1})
    )
    found = figures(metrics.exposition())
    assert found[named("serving_rows_total", route="/predict")] == 3
    assert found[named("serving_rows_total", route="/invocations")] == 1
    assert found[named("serving_predictions_total", label="7")] == 3
    assert found[named("serving_predictions_total", label="no")] == 1
    assert found[named("serving_out_of_range_total", feature="Age")] == 3
    assert found[named("serving_out_of_range_total", feature="Glucose")] == 1
    buckets = [named("serving_probability_bucket", le=str(p)) for p in PROBABILITIES]
    assert [found[bucket] for bucket in buckets] == [1, 1, 1, 1, 1, 2, 2, 2, 3]
    assert found[named("serving_probability_bucket", le="+Inf")] == 4
    assert found["serving_probability_sum"] == pytest.approx(2.5)


def test_flushing_again_counts_nothing_twice():
    metrics = Metrics()
    metrics.request(RequestNote("/predict", "POST", "200", 0.125))
    metrics.predictions(PredictionsNote("/predict", (0, 1), [1], [0.5], {}))
    first = metrics.exposition()
    metrics.flush()
    assert metrics.exposition() == first


def test_dropped_lines_of_the_log_are_counted(monkeypatch):
    metrics = Metrics()
    for dropped in (0, 3, 3, 5):
        monkeypatch.setattr("serving.log.dropped", lambda dropped=dropped: dropped)
        assert figures(metrics.exposition())["serving_log_lines_dropped_total"] == dropped


def test_a_worker_answers_with_one_version():
    metrics = Metrics()
    metrics.model("1", "a" * 64)
    metrics.model("2", "b" * 64)
    found = figures(metrics.exposition())
    assert found[named("serving_model_workers", version="1", digest="a" * 64)] == 0
    assert found[named("serving_model_workers", version="2", digest="b" * 64)] == 1


def test_notes_of_many_threads_are_all_counted_while_others_flush():
    metrics = Metrics()
    done = threading.Event()

    def note() -> None:
        for _ in range(1000):
            metrics.request(RequestNote("/predict", "POST", "200", 0.125))
            metrics.predictions(PredictionsNote("/predict", (0, 1), [1], [0.5], {"Age": 1}))

    def flush() -> None:
        while not done.is_set():
            metrics.flush()

    flushing = [threading.Thread(target=flush) for _ in range(3)]
    noting = [threading.Thread(target=note) for _ in range(8)]
    for thread in [*flushing, *noting]:
        thread.start()
    for thread in noting:
        thread.join()
    done.set()
    for thread in flushing:
        thread.join()
    found = figures(metrics.exposition())
    count = {"route": "/predict", "method": "POST", "status": "200"}
    assert found[named("serving_requests_total", **count)] == 8000
    assert found[named("serving_request_seconds_count", route="/predict")] == 8000
    assert found["serving_request_seconds_sum" + "[('route', '/predict')]"] == 1000
    assert found[named("serving_predictions_total", label="1")] == 8000
    assert found[named("serving_out_of_range_total", feature="Age")] == 8000


def test_whatever_is_asked_the_labels_stay_few(settings, served):
    app = create_app(State(settings, served, None, Metrics()))
    for n in range(30):
        call(app, environ(f"METHOD{n}", "/predict"))
        get(app, f"/nothing/{n}")
        get(app, f"/static/{n}")
        get(app, f"/v2/models/{n}/versions/{n}/ready")
        post(app, f"/v2/models/{n}/infer")
        post(app, body=f'{{"{n}": 1}}'.encode())
    for method in ("GET", "HEAD", "OPTIONS", "get", "PUT"):
        call(app, environ(method, "/predict"))
    found = figures(get(app, "/metrics").body)
    asked = [name for name in found if name.startswith("serving_requests_total")]
    routes = {"/predict", "elsewhere", "/static", "/v2/models/{name}/ready"}
    assert {name.split("'route', '")[1].split("'")[0] for name in asked} == {
        *routes,
        "/v2/models/{name}/infer",
    }
    methods = {name.split("'method', '")[1].split("'")[0] for name in asked}
    assert methods == {"GET", "HEAD", "OPTIONS", "POST", "other"}
    assert len(found) < 150


def test_a_request_is_counted_when_it_was_answered_and_so_is_what_it_predicted(app):
    post(app)
    post(app, body=b"{}")
    found = figures(get(app, "/metrics").body)
    count = {"route": "/predict", "method": "POST"}
    assert found[named("serving_requests_total", **count, status="200")] == 1
    assert found[named("serving_requests_total", **count, status="422")] == 1
    assert found[named("serving_rows_total", route="/predict")] == 1


class TestExplanations:
    @pytest.fixture
    def make_model(self, contract):
        return lambda directory: write_svm(directory, contract)

    def test_they_are_counted_under_a_route_of_their_own(self, app):
        post(app, "/explain")
        post(app, "/explain", b"{}")
        found = figures(get(app, "/metrics").body)
        count = {"route": "/explain", "method": "POST"}
        assert found[named("serving_requests_total", **count, status="200")] == 1
        assert found[named("serving_requests_total", **count, status="422")] == 1
        assert found[named("serving_request_seconds_count", route="/explain")] == 2
        assert found[named("serving_rows_total", route="/explain")] == 1


WORKERS = """
import os, sys

def work(version, requests):
    # Imported by each worker, as under gunicorn: figures go to a file of the process.
    from serving.web.figures import PredictionsNote, RequestNote
    from serving.web.metrics import Metrics
    metrics = Metrics()
    metrics.model(version, "d")
    for _ in range(requests):
        metrics.request(RequestNote("/predict", "POST", "200", 0.25))
        metrics.predictions(PredictionsNote("/predict", (0, 1), [1, 0], [0.25, 0.75], {"Age": 1}))
    metrics.flush()
    return metrics

def fork(version, requests):
    done, say_done = os.pipe()
    ends, let_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(let_end)
        work(version, requests)
        os.write(say_done, b"x")
        os.read(ends, 1)
        os._exit(0)
    os.close(ends)
    os.read(done, 1)
    return pid, let_end

workers = [fork("1", 2), fork("1", 3)]
here = work("2", 4)
sys.stdout.write(here.exposition().decode() + "=" * 9)
pid, let_end = workers[0]
os.write(let_end, b"x")
os.waitpid(pid, 0)
from prometheus_client.multiprocess import mark_process_dead
mark_process_dead(pid)
sys.stdout.write(here.exposition().decode())
pid, let_end = workers[1]
os.write(let_end, b"x")
os.waitpid(pid, 0)
"""


def test_figures_of_workers_add_up_and_a_dead_ones_gauges_are_forgotten(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WORKERS],
        cwd=ROOT,
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    all_three, two = (figures(text.encode()) for text in done.stdout.split("=" * 9))
    for found in (all_three, two):
        count = {"route": "/predict", "method": "POST", "status": "200"}
        assert found[named("serving_requests_total", **count)] == 9
        assert found[named("serving_request_seconds_bucket", route="/predict", le="0.25")] == 9
        assert found[named("serving_request_seconds_sum", route="/predict")] == 2.25
        assert found[named("serving_predictions_total", label="0")] == 9
        assert found["serving_probability_sum"] == 9
        assert found[named("serving_out_of_range_total", feature="Age")] == 9
        assert found[named("serving_model_workers", version="2", digest="d")] == 1
    first = named("serving_model_workers", version="1", digest="d")
    assert all_three[first] == 2
    assert two[first] == 1


TROUBLES = """
import os, shutil, sys, logging
from pathlib import Path
from serving.web import metrics_folder
from serving.web.figures import RequestNote
from serving.web.metrics import Metrics

folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
logging.basicConfig(format="%(message)s", stream=sys.stderr)

def told():
    lines = metrics.exposition().decode().splitlines()
    figures = dict(line.rsplit(" ", 1) for line in lines if line[0] != "#")
    ours = {name.split("{")[0]: value for name, value in figures.items()}
    names = ("metrics_ok", "requests_total", "model_workers")
    return [ours.get(f"serving_{name}") for name in names]

def ask(count):
    for _ in range(count):
        metrics.request(RequestNote("/predict", "POST", "200", 0.25))

full = False
metrics_folder.has_room = lambda _: not full
metrics = Metrics()  # the folder is not there yet
metrics.model("1", "d")
ask(1)
print("first", *told())
for what in ("removed", "removed again"):
    shutil.rmtree(folder)
    ask(2)
    print(what, *told())
for path in folder.glob("counter_*.db"):
    path.unlink()
ask(3)
print("one file removed", *told())
full = True
ask(4)
before = {path.name: path.read_bytes() for path in folder.iterdir()}
print("full", *told())
assert before == {path.name: path.read_bytes() for path in folder.iterdir()}, "written to"
shutil.rmtree(folder)
print("full and removed", *told())
late = Metrics()
assert not list(folder.iterdir()), "a worker that starts writes nothing"
full = False
ask(5)
print("room again", *told())
"""


def test_a_worker_goes_on_without_its_metrics_and_keeps_them_again_when_it_can(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", TROUBLES],
        cwd=ROOT,
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics")},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.stdout.splitlines() == [
        "first 1.0 1.0 1.0",
        "removed 1.0 2.0 1.0",
        "removed again 1.0 2.0 1.0",
        "one file removed 1.0 3.0 1.0",
        "full 0.0 3.0 1.0",
        "full and removed 0.0 None None",
        "room again 1.0 5.0 1.0",
    ], done.stderr
    complaint = f"no metrics are kept in {tmp_path}/metrics: No space left on device"
    assert done.stderr.splitlines() == [complaint] * 2, "said once by each worker"
