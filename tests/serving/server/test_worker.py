"""gunicorn's worker, as far as it is ours: turns, and what is refused before Flask sees it."""

import errno
import json
import logging
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.arbiter import Arbiter
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker
from werkzeug.http import HTTP_STATUS_CODES

from serving.model import runs
from serving.server import worker as module
from serving.server.worker import PATIENCE, RUNNING, Worker
from tests.running import eventually

soon = partial(eventually, within=10, every=0.001)


class Queue(Worker):
    """A worker without sockets: a connection is a function, called when its turn has come."""

    def __init__(self, threads: int = 30) -> None:
        self.tpool = ThreadPoolExecutor(threads)
        self.finished: list[tuple[Any, Any]] = []
        self.method_queue = SimpleNamespace(
            defer=lambda _, conn, done: self.finished.append((conn, done.result()))
        )
        self.log = logging.getLogger("test.worker")
        self._waiting: deque[Any] = deque()
        self._turns = RUNNING
        self._lock = threading.Lock()
        self._here = threading.local()

    def handle(self, conn: Any) -> Any:
        return conn()


class Asking:
    """What stands for a connection: it is busy until it is let go."""

    since = 0.0

    def __init__(self, begun: list["Asking"]) -> None:
        self.begun = begun
        self.may_end = threading.Event()

    def __call__(self) -> bool:
        self.begun.append(self)
        assert self.may_end.wait(10)
        return True


class Doing(partial):
    """What stands for a connection whose request does this."""

    since = 0.0


@pytest.fixture
def queue() -> Iterator[Queue]:
    made = Queue()
    yield made
    made.tpool.shutdown()


def ask(queue: Queue, count: int) -> tuple[list[Asking], list[Asking]]:
    """Enqueue connections; gives them, and those that have begun."""
    begun: list[Asking] = []
    asking = [Asking(begun) for _ in range(count)]
    for each in asking:
        queue._dispatch(each)
    return asking, begun


def test_turns_come_in_order_and_few_at_a_time(queue):
    asking, begun = ask(queue, 10)
    for number, each in enumerate(asking):
        soon(lambda number=number: len(begun) == min(number + RUNNING, 10))
        time.sleep(0.002)
        assert len(begun) == min(number + RUNNING, 10)
        each.may_end.set()
        # Of the last two both have begun: let to end together, either could be first.
        soon(lambda number=number: len(queue.finished) == number + 1)
    # The first ones begin together.
    assert set(begun[:RUNNING]) == set(asking[:RUNNING])
    assert begun[RUNNING:] == asking[RUNNING:]
    assert queue.finished == [(each, True) for each in asking]


def test_long_waiting_connection_is_let_in(queue):
    asking, begun = ask(queue, 5)
    soon(lambda: len(begun) == RUNNING)
    queue._let_in_the_impatient(time.monotonic())
    time.sleep(0.005)
    assert len(begun) == RUNNING, "nobody has waited for long"
    time.sleep(PATIENCE)
    queue._let_in_the_impatient(time.monotonic())
    soon(lambda: len(begun) == 5)
    for each in asking:
        each.may_end.set()
    soon(lambda: len(queue.finished) == 5)
    assert queue._turns == RUNNING, "who had no turn gives none back"


def test_request_that_waits_gives_its_turn_away(queue):
    """Twice from each of two, which is once: their turns go to those who come after them."""
    begun: list[Asking] = []
    waiting = [Asking(begun) for _ in range(RUNNING)]

    def step_aside(each: Asking) -> bool:
        queue._give_turn_away()
        queue._give_turn_away()
        return each()

    for each in waiting:
        queue._dispatch(Doing(step_aside, each))
    soon(lambda: len(begun) == RUNNING)
    others = [Asking(begun) for _ in range(RUNNING + 1)]
    for each in others:
        queue._dispatch(each)
    soon(lambda: len(begun) == 2 * RUNNING)
    time.sleep(0.005)
    assert len(begun) == 2 * RUNNING, "no more work at a time than there are turns"
    for each in (*waiting, *others):
        each.may_end.set()
    soon(lambda: len(queue.finished) == 2 * RUNNING + 1)
    soon(lambda: queue._turns == RUNNING)


def test_turn_that_is_given_away_goes_to_whoever_waits(queue):
    begun: list[Asking] = []
    first, may_step = Asking(begun), threading.Event()

    def late(each: Asking) -> bool:
        assert may_step.wait(10)
        queue._give_turn_away()
        return each()

    others = [Asking(begun) for _ in range(RUNNING)]
    for each in (Doing(late, first), *others):
        queue._dispatch(each)
    soon(lambda: len(begun) == RUNNING - 1)
    may_step.set()
    soon(lambda: len(begun) == RUNNING + 1)
    for each in (first, *others):
        each.may_end.set()
    soon(lambda: len(queue.finished) == RUNNING + 1)
    soon(lambda: queue._turns == RUNNING)


def test_failing_connection_gives_its_turn_back(queue, caplog):
    def fail() -> None:
        raise RuntimeError("the reason")

    for _ in range(2 * RUNNING):
        queue._dispatch(fail)
    soon(lambda: len(queue.finished) == 2 * RUNNING)
    soon(lambda: queue._turns == RUNNING)
    assert queue.finished == [(fail, False)] * 2 * RUNNING
    assert caplog.text.count("RuntimeError: the reason") == 2 * RUNNING


def test_under_stress_no_turn_is_lost(queue):
    lock = threading.Lock()
    now = most = 0

    class Quick:
        since = 0.0

        def __init__(self, seconds: float) -> None:
            self.seconds = seconds

        def __call__(self) -> bool:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(self.seconds)
            with lock:
                now -= 1
            return True

    chance = random.Random(0)
    asking = [Quick(chance.choice([0, 0, 0.0002])) for _ in range(4000)]

    def enqueue(mine: list[Quick]) -> None:
        for each in mine:
            queue._dispatch(each)
            time.sleep(0.00001)

    threads = [threading.Thread(target=enqueue, args=(asking[n::20],)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    soon(lambda: len(queue.finished) == 4000)
    soon(lambda: queue._turns == RUNNING)
    assert {id(conn) for conn, _ in queue.finished} == {id(each) for each in asking}
    assert most == RUNNING


@pytest.fixture
def worker():
    """A worker without its sockets and its pool."""
    made = Worker.__new__(Worker)
    made.log = logging.getLogger("test.worker")
    return made


def refused(worker, error, path=None) -> tuple[int, dict[str, str], bytes]:
    """Let a worker refuse; gives what the client reads until the connection's end."""
    ours, clients = socket.socketpair()
    with ours, clients:
        request = None if path is None else SimpleNamespace(path=path)
        worker.handle_error(request, ours, ("192.0.2.7", 1), error)
        ours.shutdown(socket.SHUT_WR)
        text = b"".join(iter(lambda: clients.recv(65536), b""))
    head, _, body = text.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    version, status, phrase = first.split(" ", 2)
    assert (version, phrase) == ("HTTP/1.1", HTTP_STATUS_CODES[int(status)])
    return int(status), dict(line.split(": ", 1) for line in lines), body


def test_what_is_no_request_is_refused_in_our_shape(worker, caplog):
    status, headers, body = refused(worker, errors.InvalidHeader("X: <script>"), "/predict")
    assert status == json.loads(body)["status"] == 400
    assert headers["Content-Type"] == "application/problem+json"
    assert b"script" not in body
    (told,) = caplog.records
    assert told.levelname == "WARNING"
    assert told.getMessage().endswith("was refused by gunicorn: 400")


def test_worker_without_file_descriptors_lives_on(worker, caplog):
    def accept():
        raise OSError(errno.EMFILE, "Too many open files")

    worker.accept(SimpleNamespace(accept=accept))
    assert caplog.messages == ["no connection can be accepted: Too many open files"]


def test_failure_in_gunicorn_is_logged_and_not_told(worker, caplog):
    status, _, body = refused(worker, RuntimeError("the secret reason"), "/predict")
    assert status == 500
    assert b"secret" not in body
    assert "failed in gunicorn" in caplog.text


def test_client_that_has_gone_away_is_no_trouble(worker, caplog):
    ours, clients = socket.socketpair()
    with ours:
        clients.close()
        for _ in range(2):
            worker.handle_error(None, ours, None, errors.InvalidRequestLine("x"))
    assert not [r for r in caplog.records if r.levelname == "ERROR"]


class Runs(list):
    """Runs under way, as pairs."""

    def items(self) -> "Runs":
        return self


class Starting(Worker):
    """A worker whose start ends as it is told to."""

    def __init__(self, age: int, error: BaseException) -> None:
        self.age, self.error = age, error
        self.cfg = SimpleNamespace(workers=2)
        self.log = logging.getLogger("test.worker")
        self.booted = False
        self.pid = 7

    def load(self) -> None:
        raise self.error


def start(worker: Starting, monkeypatch) -> None:
    monkeypatch.setattr(ThreadWorker, "init_process", lambda self: self.load())
    monkeypatch.setattr(module, "BOOT_PAUSE", 0.0)
    worker.init_process()


def test_worker_that_replaces_another_and_cannot_start_ends_alone(monkeypatch, caplog):
    """Gunicorn would take its exit code, 3, for a reason to end the service."""
    with pytest.raises(SystemExit) as ended:
        start(Starting(3, ImportError("no flask any more")), monkeypatch)
    assert ended.value.code not in (0, Arbiter.WORKER_BOOT_ERROR, Arbiter.APP_LOAD_ERROR)
    assert "no flask any more" in caplog.text


@pytest.mark.parametrize("age", [1, 2])
def test_service_whose_first_workers_cannot_start_ends(monkeypatch, age):
    with pytest.raises(ImportError):
        start(Starting(age, ImportError("no flask")), monkeypatch)


def test_worker_that_fails_later_is_gunicorns_to_judge(monkeypatch):
    worker = Starting(3, OSError("in its loop"))
    worker.booted = True
    with pytest.raises(OSError, match="in its loop"):
        start(worker, monkeypatch)


def test_worker_ends_the_runs_of_the_model_whose_time_is_up(worker, monkeypatch):
    late, early = SimpleNamespace(terminate=False), SimpleNamespace(terminate=False)
    now = time.perf_counter()
    monkeypatch.setattr(runs, "under_way", Runs([(late, now - 0.1), (early, now + 60)]))
    worker._busy = set()
    worker._cut_off_late()
    assert (late.terminate, early.terminate) == (True, False)
