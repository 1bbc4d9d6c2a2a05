"""The trial of a version: whatever its graph does, the follower goes on."""

import resource
import signal
import time
from hashlib import sha256

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from serving.following import trial
from serving.following.trial import Limits, _judge, run
from serving.model.version_files import ModelError
from tests.serving.small_model import CONTRACT, graph, write, write_endless

USUAL = Limits(2 * 1024**3, 30.0)


def test_a_good_version_passes(tmp_path):
    run(tmp_path, write(tmp_path, CONTRACT), USUAL)


def test_a_bad_version_is_refused_with_the_reason(tmp_path):
    write(tmp_path, CONTRACT)
    with pytest.raises(ModelError, match="the registry says 0000"):
        run(tmp_path, "0" * 64, USUAL)


def test_a_graph_that_never_ends_is_refused_in_time(tmp_path):
    digest = write_endless(tmp_path, above=0.0)
    started = time.monotonic()
    with pytest.raises(ModelError, match=r"within 1\.5 seconds \(SERVING_LOAD_TIMEOUT\)"):
        run(tmp_path, digest, Limits(USUAL.memory, 1.5))
    assert time.monotonic() - started < 2.5


def write_greedy(directory, number: int) -> str:
    """Write a version that fills a tensor of `number` doubles at each run."""
    write(directory, CONTRACT)
    model = graph(sha256(CONTRACT.to_json()).hexdigest())
    shape = numpy_helper.from_array(np.array([number]), "shape")
    model.graph.initializer.append(shape)
    one = helper.make_tensor("value", TensorProto.DOUBLE, [1], [0.0])
    # Of the rows, so that it is not computed once and for all when the graph is opened.
    for node in reversed(
        [
            helper.make_node("Shape", ["features"], ["any"]),
            helper.make_node("Slice", ["any", "nil", "one"], ["few"]),
            helper.make_node("Mul", ["few", "shape"], ["many"]),
            helper.make_node("ConstantOfShape", ["many"], ["zeros"], value=one),
            helper.make_node("ReduceSum", ["zeros"], ["zero"], keepdims=0),
            helper.make_node("Add", ["features", "zero"], ["same"]),
        ]
    ):
        model.graph.node.insert(0, node)
    for value, name in (([0], "nil"), ([1], "one")):
        model.graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    for node in list(model.graph.node)[6:]:
        node.input[:] = ["same" if name == "features" else name for name in node.input]
    content = model.SerializeToString()
    (directory / "model.onnx").write_bytes(content)
    return sha256(content).hexdigest()


def test_a_graph_that_takes_too_much_memory_is_refused(tmp_path):
    digest = write_greedy(tmp_path, 20_000_000)  # 640 MB for the four golden rows
    run(tmp_path, digest, USUAL)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert before > 600_000
    with pytest.raises(ModelError, match=r"cannot answer the rows of golden\.json"):
        run(tmp_path, digest, Limits(400 * 1024**2, 30.0))


@pytest.mark.parametrize(
    ("hard", "expected"), [(resource.RLIM_INFINITY, (100, 110)), (500, (100, 110)), (60, (60, 60))]
)
def test_a_limit_that_the_machine_sets_already_is_kept(monkeypatch, hard, expected):
    """Only root may raise it; a trial that cannot start would keep out every version."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (hard, hard))
    kept = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: kept.append(limits))
    trial.limit(resource.RLIMIT_CPU, 100, 110)
    assert kept == [expected]


def test_files_that_were_found_good_are_not_tried_again_until_they_change(tmp_path, monkeypatch):
    digest = write(tmp_path, CONTRACT)
    tried = []
    monkeypatch.setattr(trial, "run", lambda *asked: tried.append(asked))
    monkeypatch.setattr(trial, "_good", set())
    for _ in range(3):
        trial.check(tmp_path, digest, USUAL)
    assert tried == [(tmp_path, digest, USUAL)]
    golden = tmp_path / "golden.json"
    golden.write_bytes(golden.read_bytes() + b" ")
    trial.check(tmp_path, digest, USUAL)
    assert len(tried) == 2
    golden.unlink()
    trial.check(tmp_path, digest, USUAL)
    assert len(tried) == 3


@pytest.mark.parametrize(
    ("code", "kind", "sentence"),
    [
        (trial.REFUSED, ModelError, "the reason"),
        (trial.UNREADABLE, OSError, "the reason"),
        (-signal.SIGXCPU, ModelError, "within 30 seconds"),
        (-signal.SIGSEGV, ModelError, r"it ends the process that loads it \(SIGSEGV\)"),
        (1, RuntimeError, "could not be tried: a trace"),
    ],
)
def test_what_ends_a_trial_says_whose_fault_it_is(code, kind, sentence):
    with pytest.raises(kind, match=sentence):
        _judge(code, "the reason", "a trace", USUAL)
