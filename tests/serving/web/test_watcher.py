"""A worker's housekeeping: it takes up what is new and good, and keeps what it has else."""

import os
import threading
import time

import msgspec
import pytest

from serving.store import versions
from serving.store.versions import Version
from serving.web import watcher
from serving.web.figures import RequestNote
from serving.web.keys import Role, new_key, write_keys
from serving.web.metrics import Metrics
from serving.web.watcher import Watched, Watcher
from serving.web.worker_state import State
from tests.running import eventually

_, FIRST = new_key("first", [Role.PREDICT])
_, SECOND = new_key("second", [Role.PREDICT])


@pytest.fixture
def promote(settings, make_model, tmp_path):
    """Put a version in the store, and in force, as the follower does."""

    def put(number: int, name: str = "heart") -> Version:
        folder = tmp_path / f"version {number}"
        version = Version(name, str(number), "production", make_model(folder, float(number)))
        versions.adopt(settings.store, folder, version)
        versions.switch(settings.store, version)
        return version

    return put


@pytest.fixture
def state(settings):
    return State(settings, None, None, Metrics())


@pytest.fixture
def at_once(monkeypatch):
    """Try what failed again at the next look."""
    monkeypatch.setattr(watcher, "RETRY", 0.0)


def looks(watching: Watcher, count: int = 3) -> None:
    for _ in range(count):
        watching.refresh()


def complaints(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


def damage(settings, version: Version) -> None:
    (versions.version_dir(settings.store, version.digest) / "model.onnx").write_bytes(b"half a mod")


def test_a_pointer_that_moves_is_followed(state, promote):
    first = promote(1)
    watching = Watcher(state)
    watching.refresh()
    assert state.served.version == first
    second = promote(2)
    assert state.served.version == first
    watching.refresh()
    assert state.served.version == second
    assert state.served.scorer.digest == second.digest


def test_which_version_answers_is_told_in_figures_and_in_the_log(state, promote, caplog):
    caplog.set_level("INFO", "serving")
    promote(1)
    watching = Watcher(state)
    looks(watching)
    second = promote(2)
    looks(watching)
    text = state.metrics.exposition().decode()
    assert f'{{digest="{second.digest}",version="2"}} 1.0' in text
    assert 'version="1"} 0.0' in text
    assert [record.getMessage() for record in caplog.records] == [
        f"heart version {number} (production) answers in worker {os.getpid()}" for number in (1, 2)
    ]


def test_what_has_not_changed_is_not_loaded_again(state, promote):
    promote(1)
    watching = Watcher(state)
    watching.refresh()
    served = state.served
    looks(watching)
    assert state.served is served


def test_a_damaged_pointer_leaves_the_old_version_answering(
    state, settings, promote, at_once, caplog
):
    first = promote(1)
    watching = Watcher(state)
    watching.refresh()
    (settings.store / "current.json").write_bytes(b"{")
    looks(watching)
    assert state.served.version == first
    (complaint,) = complaints(caplog)
    assert "current.json cannot be read as a pointer to a version" in complaint


def test_a_broken_version_leaves_the_old_one_answering_and_is_complained_of_once(
    state, settings, promote, at_once, caplog
):
    first = promote(1)
    watching = Watcher(state)
    watching.refresh()
    damage(settings, promote(2))
    looks(watching)
    assert state.served.version == first
    (complaint,) = complaints(caplog)
    assert complaint.startswith(
        "the store's current version cannot answer: model.onnx has the sha256"
    )


def test_a_broken_version_that_is_mended_is_taken_up(state, settings, promote, at_once, tmp_path):
    promote(1)
    watching = Watcher(state)
    second = promote(2)
    damage(settings, second)
    looks(watching)
    assert state.served is None
    versions.adopt(settings.store, tmp_path / "version 2", second)
    watching.refresh()
    assert state.served.version == second


def test_a_broken_version_is_not_tried_at_each_look(state, settings, promote, tmp_path):
    second = promote(2)
    damage(settings, second)
    watching = Watcher(state)
    watching.refresh()
    versions.adopt(settings.store, tmp_path / "version 2", second)
    looks(watching)
    assert state.served is None
    promote(3)  # but a pointer that moves is another matter
    watching.refresh()
    assert state.served.version.version == "3"


def test_a_version_that_breaks_again_is_complained_of_again(
    state, settings, promote, at_once, caplog
):
    watching = Watcher(state)
    for number in (1, 2):
        damage(settings, promote(1))
        looks(watching)
        assert len(complaints(caplog)) == number
        promote(2)
        watching.refresh()
        assert state.served.version.version == "2"


def test_a_pointer_of_another_model_is_not_followed(state, promote, caplog):
    first = promote(1)
    watching = Watcher(state)
    watching.refresh()
    promote(2, name="lung")
    looks(watching)
    assert state.served.version == first
    assert complaints(caplog) == []


def test_a_pointer_that_is_gone_takes_nothing_away(state, settings, promote, caplog):
    first = promote(1)
    watching = Watcher(state)
    watching.refresh()
    (settings.store / "current.json").unlink()
    looks(watching)
    assert state.served.version == first
    assert complaints(caplog) == []


@pytest.fixture
def guarded(settings, tmp_path):
    """A state that lets in whom the keys file names."""
    path = tmp_path / "keys"
    write_keys(path, [FIRST, SECOND])
    return State(msgspec.structs.replace(settings, api_keys_file=path), None, (), Metrics())


def test_keys_are_read_and_a_revoked_one_is_out(guarded):
    watching = Watcher(guarded)
    watching.refresh()
    assert guarded.keys == (FIRST, SECOND)
    write_keys(guarded.settings.api_keys_file, [SECOND])
    watching.refresh()
    assert guarded.keys == (SECOND,)


@pytest.mark.parametrize("content", [b"first predict\n", b"\xff\xfe", None])
def test_a_malformed_keys_file_keeps_the_keys_as_they_were(guarded, content, at_once, caplog):
    watching = Watcher(guarded)
    watching.refresh()
    path = guarded.settings.api_keys_file
    path.unlink() if content is None else path.write_bytes(content)
    looks(watching)
    assert guarded.keys == (FIRST, SECOND)
    (complaint,) = complaints(caplog)
    assert complaint.endswith("; the keys stay as they were")
    assert str(path) in complaint
    write_keys(path, [FIRST])
    watching.refresh()
    assert guarded.keys == (FIRST,)


def test_a_slip_that_is_repeated_is_complained_of_each_time(guarded, at_once, caplog):
    watching = Watcher(guarded)
    path = guarded.settings.api_keys_file
    for number in (1, 2):
        path.write_text("first predict\n")
        looks(watching)
        assert len(complaints(caplog)) == number
        write_keys(path, [FIRST])
        looks(watching)


def test_two_troubles_at_a_time_are_told_once_each(guarded, promote, at_once, caplog):
    damage(guarded.settings, promote(1))
    guarded.settings.api_keys_file.write_text("first predict\n")
    looks(Watcher(guarded), 5)
    assert len(complaints(caplog)) == 2


@pytest.fixture
def worker(guarded, tmp_path):
    """Start a worker of the guarded service, which shares a folder with the others."""

    def start() -> State:
        state = State(guarded.settings, None, (), Metrics())
        Watcher(state, tmp_path / "shared" / "keys").refresh()
        return state

    return start


def test_worker_that_starts_while_the_keys_are_broken_has_the_last_good_ones(guarded, worker):
    path = guarded.settings.api_keys_file
    assert worker().keys == (FIRST, SECOND)
    write_keys(path, [SECOND])
    assert worker().keys == (SECOND,)
    path.write_text("first predict\n")
    assert worker().keys == (SECOND,)
    path.write_text("")
    assert worker().keys == ()
    path.write_text("first predict\n")
    assert worker().keys == ()


def test_first_worker_with_broken_keys_lets_nobody_in(guarded, worker):
    guarded.settings.api_keys_file.write_text("first predict\n")
    assert worker().keys == ()


def test_while_there_is_nothing_to_read_the_keys_file_lets_nobody_in(guarded):
    guarded.settings.api_keys_file.write_text("first predict\n")
    watching = Watcher(guarded)
    looks(watching)
    assert guarded.keys == ()


def test_each_look_counts_what_requests_left(state):
    state.metrics.request(RequestNote("/predict", "POST", "200", 0.1))
    Watcher(state).refresh()
    found = state.metrics.registry.get_sample_value(
        "serving_requests_total", {"route": "/predict", "method": "POST", "status": "200"}
    )
    assert found == 1


def test_what_fails_in_a_way_that_nobody_foresaw_is_no_reason_to_hurry(tmp_path):
    tried = []

    def fail() -> str:
        tried.append(1)
        raise RuntimeError

    path = tmp_path / "file"
    path.write_text("")
    watched = Watched(path, fail)
    for _ in range(4):
        watched.refresh()
    assert len(tried) == 1


def test_a_failure_that_nobody_foresaw_is_logged_once_with_its_trace(tmp_path, at_once, caplog):
    def fail() -> str:
        raise RuntimeError("the reason")

    watched = Watched(tmp_path / "file", fail)
    (tmp_path / "file").write_text("")
    for _ in range(3):
        watched.refresh()
    (complaint,) = complaints(caplog)
    assert complaint == f"{tmp_path}/file cannot be taken up: RuntimeError: the reason"
    assert "Traceback" in caplog.text


def test_a_worker_starts_without_a_version_that_it_cannot_load(state, promote, monkeypatch):
    """It is not ready, and takes the next one that is good."""

    def fail(_) -> None:
        raise TypeError("no reader for it")

    promote(1)
    with monkeypatch.context() as patched:
        patched.setattr(watcher, "load_served", fail)
        watching = Watcher(state)
        watching.start()
    assert state.served is None
    second = promote(2)
    eventually(lambda: state.served and state.served.version == second)


def test_a_load_that_hangs_does_not_keep_a_worker_from_starting(state, promote, monkeypatch):
    hangs = threading.Event()
    monkeypatch.setattr(watcher, "FIRST_LOOK", 0.1)
    monkeypatch.setattr(watcher, "load_served", lambda _: hangs.wait(5))
    promote(1)
    started = time.monotonic()
    Watcher(state).start()
    assert time.monotonic() - started < 2
    hangs.set()


def test_a_file_that_is_replaced_by_one_of_the_same_size_is_seen(tmp_path):
    taken = []
    path = tmp_path / "file"
    path.write_text("a")
    watched = Watched(path, lambda: taken.append(path.read_text()) or "")
    watched.refresh()
    other = tmp_path / "other"
    other.write_text("b")
    os.utime(other, ns=(0, path.stat().st_mtime_ns))
    other.replace(path)
    watched.refresh()
    watched.refresh()
    assert taken == ["a", "b"]
