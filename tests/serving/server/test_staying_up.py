"""The running service among large bodies, slow clients, restarts and those who may not ask."""

import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import requests

from serving.web.keys import Role, new_key, write_keys
from tests.conftest import ROOT, free_port
from tests.running import ROW, Service, eventually, service

JSON = {"Content-Type": "application/json"}
LIMIT = 100_000


@pytest.fixture
def limits(stored, settings) -> dict[str, str]:
    return {
        "SERVING_STORE": str(settings.store),
        "SERVING_MAX_BODY": str(LIMIT),
        "SERVING_MAX_ROWS": "1000",
        "SERVING_CONCURRENCY": "4",
        "SERVING_DEADLINE": "2",
        "SERVING_GRACE": "10",
    }


@pytest.fixture
def running(limits, tmp_path) -> Iterator[Service]:
    with service(tmp_path, **limits) as found:
        yield found


def post(running: Service, data: bytes, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(f"{running.url}/predict", data=data, headers={**JSON, **named}, timeout=20)


class Raw:
    """A client that sends what it likes, when it likes."""

    opened: ClassVar[list[socket.socket]] = []

    def __init__(self, running: Service) -> None:
        self.socket = socket.create_connection(("127.0.0.1", running.port), timeout=15)
        self.opened.append(self.socket)

    def send(self, data: bytes) -> "Raw":
        self.socket.sendall(data)
        return self

    def head(self, length: int) -> "Raw":
        return self.send(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % length
        )

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one answer: status, headers, body."""
        text = b""
        while b"\r\n\r\n" not in text and (part := self.socket.recv(65536)):
            text += part
        head, _, body = text.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        while len(body) < int(headers.get("Content-Length", 0)):
            body += self.socket.recv(65536)
        return int(first.split()[1]), headers, body

    def is_closed(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True


@pytest.fixture(autouse=True)
def hang_up() -> Iterator[None]:
    yield
    while Raw.opened:
        Raw.opened.pop().close()


def test_what_is_sent_has_its_limits_each_with_its_own_answer(running):
    row = json.dumps(ROW).encode()
    padded = row + b" " * (LIMIT - len(row))
    assert post(running, padded).status_code == 200
    assert post(running, padded + b" ").status_code == 413
    many = json.dumps({"rows": [ROW] * 100_000}).encode()
    assert post(running, many).status_code == 413
    packed = gzip.compress(json.dumps({"rows": [ROW] * 1000}).encode())
    assert len(post(running, packed, Content_Encoding="gzip").json()["predictions"]) == 1000
    over = gzip.compress(json.dumps({"rows": [ROW] * 1001}).encode())
    too_many = post(running, over, Content_Encoding="gzip")
    assert too_many.status_code == 413
    assert too_many.json()["detail"] == "The body has more than 1000 rows, the most taken at once."
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < LIMIT
    refused = post(running, bomb, Content_Encoding="gzip")
    assert refused.status_code == 413
    assert "once decompressed" in refused.json()["detail"]
    assert post(running, b"[" * 990).json()["detail"] == "The body is nested too deeply."
    assert post(running, b'{"Age": "\xff"}').status_code == 400
    assert post(running, row, Content_Type="application/xml").status_code == 415
    streamed = requests.post(f"{running.url}/predict", data=iter([padded, b" "]), headers=JSON)
    assert streamed.status_code == 413
    assert running.predict().status_code == 200


def test_what_gunicorn_refuses_is_a_problem_too(running):
    long_line = Raw(running).send(b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    large_header = Raw(running).send(
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 9000 + b"\r\n\r\n"
    )
    nonsense = Raw(running).send(b"\x16\x03\x01\r\n\r\n")
    for client, expected in ((long_line, 414), (large_header, 431), (nonsense, 400)):
        status, headers, body = client.answer()
        assert (status, headers["Content-Type"]) == (expected, "application/problem+json")
        assert json.loads(body)["status"] == expected
        assert client.is_closed()


POST = b"POST /predict HTTP/1.1\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%s\r\n0\r\n" % (len(json.dumps(ROW)), json.dumps(ROW).encode())
MALFORMED = {
    "trailer Content-Length": (CHUNKED + CHUNK + b"Content-Length: 5\r\n\r\n", 400),
    "trailer without a colon": (CHUNKED + CHUNK + b"nonsense\r\n\r\n", 400),
    "trailers too many": (CHUNKED + CHUNK + b"A: b\r\n" * 101 + b"\r\n", 400),
    "trailers without end": (CHUNKED + CHUNK + b"A: b\r\n" * 5000, 400),
    "no Host": (POST + b"Content-Length: 2\r\n\r\n{}", 400),
    "gzip, chunked": (
        POST + b"Host: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + CHUNK + b"\r\n",
        501,
    ),
    "SCRIPT_NAME": (b"GET /x/metrics HTTP/1.1\r\nHost: x\r\nSCRIPT_NAME: /x\r\n\r\n", 404),
    "PATH_INFO": (b"GET /x HTTP/1.1\r\nHost: x\r\nPATH_INFO: /metrics\r\n\r\n", 404),
}


def test_malformed_http_is_refused_and_logged_without_a_traceback(running):
    for name, (sent, expected) in MALFORMED.items():
        status, headers, _ = Raw(running).send(sent).answer()
        assert (status, headers["Content-Type"]) == (expected, "application/problem+json"), name
    # What follows an answer may be malformed, too: it has been answered.
    client = Raw(running).send(CHUNKED.replace(b"POST /predict", b"GET /livez") + b"nonsense\r\n")
    assert client.answer()[0] == 200
    assert client.is_closed()
    assert Raw(running).send(CHUNKED + CHUNK + b"A: b\r\n\r\n").answer()[0] == 200
    assert "Traceback" not in running.log.read_text()


def test_a_connection_that_will_close_says_so(running):
    length = 70_000
    head = b"Host: x\r\nContent-Length: %d\r\n\r\n" % length
    refused = {
        404: b"POST /nothing HTTP/1.1\r\n",
        405: b"POST /livez HTTP/1.1\r\n",
        413: b"POST /predict HTTP/1.1\r\nContent-Type: application/json\r\n",
        415: b"POST /predict HTTP/1.1\r\n",
    }
    for status, line in refused.items():
        sent = head.replace(b"%d" % length, b"%d" % (LIMIT + 1)) if status == 413 else head
        client = Raw(running).send(line + sent + b"x" * length)
        answered, headers, _ = client.answer()
        assert (answered, headers["Connection"]) == (status, "close")
        assert client.is_closed()
    kept = Raw(running)
    for _ in range(2):
        kept.send(refused[415] + head.replace(b"%d" % length, b"9") + b"x" * 9)
        assert kept.answer()[1]["Connection"] == "keep-alive"


def test_an_answer_that_comes_before_the_body_was_read_leaves_the_connection_usable(running):
    """The rest of the body and the next request may arrive in one piece."""
    body = json.dumps(ROW).encode()
    client = Raw(running)
    for _ in range(20):
        client.send(b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert client.answer()[0] == 405
        client.send(body + b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json")
        client.send(b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        started = time.monotonic()
        assert client.answer()[0] == 200
        assert time.monotonic() - started < 2


@pytest.fixture
def patient(limits, tmp_path) -> Iterator[Service]:
    """A service that gives its clients longer than a busy machine lets a test wait."""
    with service(tmp_path, **limits | {"SERVING_DEADLINE": "6"}) as found:
        yield found


def test_slow_clients_take_their_places_and_no_more(patient):
    """Four places for predictions, twelve clients that dawdle, forty that say nothing."""
    silent = [Raw(patient) for _ in range(40)]
    half = [Raw(patient).send(b"POST /predict HT") for _ in range(4)]
    slow = [Raw(patient).head(500).send(b'{"Age"') for _ in range(8)]
    time.sleep(1)
    busy = patient.predict()
    assert busy.status_code == 503
    assert busy.headers["Retry-After"] == "1"
    assert busy.elapsed.total_seconds() < 0.5
    for path in ("/livez", "/readyz", "/metrics"):
        response = patient.get(path)
        assert response.status_code == 200
        assert response.elapsed.total_seconds() < 0.5
    # Those with a place are told that they were too slow, those without one were refused at once.
    told = sorted(client.answer()[0] for client in slow)
    assert told == [408] * 4 + [503] * 4
    assert all(client.is_closed() for client in [*half, *silent])
    assert patient.predict().status_code == 200


def test_clients_that_never_finish_what_they_say_take_no_thread(running):
    """Many more of each kind than there are threads, and none of them has a key to show."""
    body = b"Content-Length: 100\r\n\r\n{"
    for _ in range(60):
        Raw(running).send(b"GET / HTTP/1.1\r\nHost: x\r\n")
        Raw(running).send(b"POST /version HTTP/1.1\r\nHost: x\r\n" + body)
        Raw(running).send(b"POST /livez HTTP/1.1\r\nHost: x\r\n" + body)
        Raw(running).send(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HT")
    for _ in range(10):
        for path in ("/livez", "/metrics"):
            assert running.get(path).elapsed.total_seconds() < 1
        assert running.predict().status_code == 200
        time.sleep(0.2)
    # Their time is up after five seconds, and they are let go.
    time.sleep(5)
    assert all(_hung_up(client) for client in Raw.opened)


def _hung_up(client: socket.socket) -> bool:
    client.settimeout(2)
    try:
        while client.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


def test_a_client_that_does_not_read_its_answer_is_given_up(stored, settings, tmp_path):
    variables = {
        "SERVING_STORE": str(settings.store),
        "SERVING_CONCURRENCY": "1",
        "SERVING_DEADLINE": "1",
        "SERVING_MAX_ROWS": "200000",
        "SERVING_MAX_BODY": "100000000",
    }
    with service(tmp_path, **variables) as running:
        body = json.dumps({"rows": [ROW] * 150_000}).encode()
        client = Raw(running)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        threading.Thread(target=lambda: client.head(len(body)).send(body), daemon=True).start()
        time.sleep(0.3)  # it has the only place now; asking sooner could take that from it
        eventually(lambda: running.predict().status_code == 503)
        eventually(lambda: running.predict().status_code == 200, within=25)


def test_sigterm_lets_what_is_under_way_finish_and_takes_no_more(running):
    body = json.dumps(ROW).encode()
    under_way = Raw(running).head(len(body)).send(body[:10])
    idle = Raw(running).send(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert idle.answer()[0] == 200
    time.sleep(0.3)
    running.process.send_signal(signal.SIGTERM)
    assert idle.is_closed()
    with pytest.raises(ConnectionRefusedError):
        eventually(lambda: Raw(running).socket.close())
    under_way.send(body[10:])
    assert under_way.answer()[0] == 200
    assert under_way.is_closed()
    stopped = time.monotonic()
    assert running.process.wait(5) == 0
    assert time.monotonic() - stopped < 3


def test_a_restart_under_load_answers_all_that_it_accepted(stored, settings, tmp_path):
    """Each request on a connection of its own: it is answered, or was never accepted."""
    variables = {"SERVING_STORE": str(settings.store), "SERVING_WORKERS": "2"}
    outcomes: list[str] = []
    with service(tmp_path, **variables) as running:

        def ask() -> None:
            while True:
                try:
                    client = Raw(running)
                except ConnectionRefusedError:
                    return
                try:
                    body = json.dumps(ROW).encode()
                    outcomes.append(str(client.head(len(body)).send(body).answer()[0]))
                except Exception as error:
                    outcomes.append(repr(error))
                client.socket.close()

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        running.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(15)
        assert running.process.wait(10) == 0
    assert len(outcomes) > 100
    assert set(outcomes) == {"200"}


ROUTES = {
    "/livez": "nothing",
    "/readyz": "nothing",
    "/healthz": "nothing",
    "/ping": "nothing",
    "/v2/health/live": "nothing",
    "/v2/health/ready": "nothing",
    "/v2/models/heart/ready": "nothing",
    "/": "nothing",
    "/docs": "nothing",
    "/version": "any",
    "/contract": "any",
    "/openapi.json": "any",
    "/v2": "any",
    "/v2/models/heart": "any",
    "/v2/models/..%2f..%2fetc%2fpasswd/versions/..%2f1": "any",
    "/nowhere": "any",
    "/metrics": "metrics",
    "POST /predict": "predict",
    "POST /invocations": "predict",
    "POST /v2/models/heart/infer": "predict",
}


def test_with_keys_every_route_lets_in_whom_it_should(stored, settings, tmp_path):
    path = tmp_path / "keys"
    secrets = {}
    keys = []
    for role in Role:
        secrets[role.value], key = new_key(f"a-{role}", [role])
        keys.append(key)
    write_keys(path, keys)
    variables = {"SERVING_STORE": str(settings.store), "SERVING_API_KEYS_FILE": str(path)}
    with service(tmp_path, **variables, SERVING_HOST="0.0.0.0") as running:
        for route, needs in ROUTES.items():
            method, _, where = route.rpartition(" ")

            def status(secret: str | None, method=method, where=where) -> int:
                headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
                return requests.request(
                    method or "GET", running.url + where, headers=headers, timeout=5
                ).status_code

            refused = needs != "nothing"
            assert (status(None) == 401) == refused, route
            assert (status("wrong") == 401) == refused, route
            for role, secret in secrets.items():
                forbidden = needs not in ("nothing", "any", role)
                assert (status(secret) == 403) == forbidden, (route, role)
                assert status(secret) != 401, (route, role)
        # A key that is taken out of the file is out within a second.
        headers = {"X-API-Key": secrets["predict"]}
        assert running.predict(headers=headers).status_code == 200
        write_keys(path, keys[1:])
        eventually(lambda: running.predict(headers=headers).status_code == 401, within=2)
        log = running.log.read_text()
    assert '"key":"a-predict"' in log
    assert not any(secret in log for secret in secrets.values())


def folder_of_metrics(pid: int) -> Path:
    """Find the folder in which a worker has its metrics in memory."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    return Path(next(line.split()[-1] for line in maps.splitlines() if ".db" in line)).parent


def test_a_worker_starts_after_its_metrics_folder_was_removed(running):
    (first,) = running.workers()
    folder = folder_of_metrics(first)
    shutil.rmtree(folder)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: running.workers() not in ([], [first]))
    eventually(lambda: running.predict().status_code == 200)
    assert running.figure("serving_metrics_ok") == 1
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(10) == 0
    assert not folder.exists()


def test_it_says_where_it_listens_and_what_it_answers_with(running, tmp_path):
    first = running.log.read_text().splitlines()[0]
    assert first == f"{running.url}: heart version 1 (production), from the store"
    eventually(lambda: "serving" in {line.get("logger") for line in running.log_lines()})
    with service(tmp_path) as empty:
        first = empty.log.read_text().splitlines()[0]
        assert first == f"{empty.url}: waiting for a version of heart (production)"


def test_the_log_is_json_and_holds_no_value_of_a_row(running):
    row = {"Glucose": 147.25, "Age": 51, "Smoker": 1}
    running.predict(row, params={"patient": "Jane-Roe"}, headers={"X-Request-ID": "abc-1"})
    running.predict({**row, "Glucose": "147.25"})
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(10)
    text = running.log.read_text()
    lines = [line for line in running.log_lines() if line.get("path") == "/predict"]
    assert [line["status"] for line in lines] == [200, 422]
    assert lines[0].items() >= {"request_id": "abc-1", "rows": 1, "version": "1"}.items()
    assert "147.25" not in text
    assert "Jane" not in text


def run_serving(cwd, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "SERVING_MODEL": "heart"}
    environment["SERVING_PORT"] = str(free_port())  # the default one may be somebody's
    return subprocess.run(
        [sys.executable, "-m", "serving"],
        cwd=cwd,
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_a_service_that_others_can_reach_does_not_start_without_keys(tmp_path):
    done = run_serving(tmp_path, SERVING_HOST="0.0.0.0")
    assert done.returncode == 1
    assert "SERVING_HOST is `0.0.0.0`, which others can reach, and there are no keys" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_keys_file_that_cannot_be_used_stops_the_start(tmp_path):
    (tmp_path / "keys").write_text("frontend predict not-a-hash\n")
    done = run_serving(tmp_path, SERVING_API_KEYS_FILE="keys")
    assert done.returncode == 1
    assert "keys, line 1: expected a name, its roles, and the sha256 of the key" in done.stderr
    assert "not-a-hash" not in done.stderr
    assert "Traceback" not in done.stderr
