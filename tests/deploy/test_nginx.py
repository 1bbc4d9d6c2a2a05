"""The shipped deploy/nginx.conf in a real nginx, before the real service.

Only ports and folders are replaced, text by text, each of which has to be there (conftest.py).
"""

import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest
import requests

from serving.config import Settings
from serving.server.worker import HEAD, LATE
from serving.web.middleware import REQUEST_ID
from tests.conftest import ROOT, free_port
from tests.deploy.conftest import Nginx, nginx
from tests.running import ROW, Service, eventually, service

CONF = (ROOT / "deploy/nginx.conf").read_text()
DEFAULTS = Settings(model="-")


@pytest.fixture
def variables(model_store) -> dict[str, str]:
    return {
        "SERVING_STORE": str(model_store),
        "SERVING_TRUSTED_PROXIES": "127.0.0.1",
        "SERVING_CONCURRENCY": "2",
    }


@pytest.fixture
def running(tmp_path, variables) -> Iterator[Service]:
    with service(tmp_path, **variables) as found:
        yield found


@pytest.fixture
def front(running, tmp_path) -> Iterator[Nginx]:
    with nginx(running.port, tmp_path / "nginx") as found:
        yield found


def value(directive: str) -> str:
    """Give a directive's value, which it has once in the file."""
    (found,) = re.findall(rf"^\s*{directive}\s+([^;]+);", CONF, re.MULTILINE)
    return found


def seconds(directive: str) -> float:
    return float(value(directive).removesuffix("s"))


def test_its_limits_are_the_defaults_of_the_service():
    assert value("client_max_body_size") == "16m"
    assert DEFAULTS.max_body == 16 * 1024 * 1024
    assert f"larger than {DEFAULTS.max_body} bytes" in CONF
    assert value("client_body_buffer_size") == value("client_max_body_size")
    assert int(value("keepalive")) == DEFAULTS.workers * DEFAULTS.concurrency
    assert seconds("client_header_timeout") == HEAD
    assert seconds("client_body_timeout") == seconds("send_timeout") == DEFAULTS.deadline
    for timeout in ("proxy_read_timeout", "proxy_send_timeout"):
        assert seconds(timeout) > DEFAULTS.deadline + LATE


def test_it_lets_go_of_an_idle_connection_before_the_service_does():
    """Else a request may meet a connection that is just being closed."""
    script = "import runpy; print(runpy.run_path('serving/server/gunicorn.conf.py')['keepalive'])"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert seconds("keepalive_timeout") < int(done.stdout)


def test_it_takes_the_request_ids_that_the_service_takes():
    assert f'"~^{REQUEST_ID.pattern}$" $http_x_request_id;' in CONF


def test_a_prediction_over_tls_is_the_service_s_own_answer(running, front):
    ours = running.predict()
    through = front.post("/predict", json=ROW)
    assert (through.status_code, through.content) == (200, ours.content)
    assert through.headers["X-Model-Version"] == "1"
    wrong = front.post("/predict", json={**ROW, "Age": 5000})
    assert wrong.status_code == 422
    assert wrong.content == running.predict({**ROW, "Age": 5000}).content


def test_plain_http_is_sent_on_to_https_and_a_post_stays_one(front):
    url = f"http://127.0.0.1:{front.http}/predict?a=b"
    for host in ("predict.example.org", "evil.example", "127.0.0.1"):
        headers = {"Host": host}
        answer = requests.post(url, json=ROW, headers=headers, timeout=5, allow_redirects=False)
        assert answer.status_code == 308
        assert answer.headers["Location"] == "https://predict.example.org/predict?a=b"


def test_only_tls_of_today_is_spoken(front):
    context = ssl.create_default_context(cafile=str(front.certificate))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    assert _handshake(front, context) in ("TLSv1.2", "TLSv1.3")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        _handshake(front, context)


def _handshake(front: Nginx, context: ssl.SSLContext) -> str | None:
    plain = socket.create_connection(("127.0.0.1", front.https), timeout=5)
    with context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped:
        return wrapped.version()


def test_too_large_a_body_is_refused_in_the_service_s_words(running, front):
    largest = json.dumps(ROW).encode().ljust(DEFAULTS.max_body)
    headers = {"Content-Type": "application/json"}
    assert front.post("/predict", data=largest, headers=headers).status_code == 200
    refused = front.post("/predict", data=largest + b" ", headers=headers)
    ours = requests.post(f"{running.url}/predict", data=largest + b" ", headers=headers, timeout=9)
    assert refused.status_code == ours.status_code == 413
    assert refused.headers["Content-Type"] == ours.headers["Content-Type"]
    assert refused.json() == ours.json()
    assert REQUEST_ID.fullmatch(refused.headers["X-Request-ID"])
    assert "Retry-After" not in refused.headers


def test_no_row_comes_to_lie_on_the_disk(front):
    """With its folders for temporary files gone nginx fails where it would write one.

    There is one left, which is memory: /dev/shm in the file, where it has no other name.
    """
    assert value("client_body_temp_path").startswith("/dev/shm/")
    shutil.rmtree(front.folder / "temporary")
    rows = {"rows": [ROW] * DEFAULTS.max_rows}
    body = json.dumps(rows).encode().ljust(DEFAULTS.max_body)
    headers = {"Content-Type": "application/json"}
    answer = front.post("/predict", data=body, headers=headers)
    assert len(answer.json()["predictions"]) == DEFAULTS.max_rows
    chunked = front.post("/predict", data=iter([body[:1000], body[1000:]]), headers=headers)
    assert chunked.content == answer.content
    # A large answer to a client that does not read at once: it has to wait somewhere.
    table = b"Glucose,Age,Smoker,note\n" + (b"148,50,1," + b"x" * 1500 + b"\n") * 10_000
    context = ssl.create_default_context(cafile=str(front.certificate))
    plain = socket.create_connection(("127.0.0.1", front.https), timeout=20)
    with context.wrap_socket(plain, server_hostname="127.0.0.1") as slow:
        slow.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n")
        slow.sendall(b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(table) + table)
        time.sleep(1.5)
        received = b"".join(iter(lambda: slow.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.count(b"x" * 1500) == 10_000
    assert "temporary" not in (front.folder / "error.log").read_text()


def test_its_connections_to_the_service_are_kept(running, front):
    def ports() -> set[int]:
        (worker,) = psutil.Process(front.process.pid).children()
        return {
            each.laddr.port
            for each in worker.net_connections("tcp")
            if each.raddr and each.raddr.port == running.port and each.status == "ESTABLISHED"
        }

    front.post("/predict", json=ROW)
    first = ports()
    assert len(first) == 1
    for _ in range(10):  # each on a connection of the client's own
        assert front.post("/predict", json=ROW).status_code == 200
    assert ports() == first


def test_slow_clients_take_no_place_of_the_service(front):
    """There are two places, and without nginx they would be these clients' until the deadline."""
    context = ssl.create_default_context(cafile=str(front.certificate))
    body = json.dumps(ROW).encode()
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with ExitStack() as stack:
        slow = []
        for _ in range(2):
            plain = socket.create_connection(("127.0.0.1", front.https), timeout=10)
            wrapped = context.wrap_socket(plain, server_hostname="127.0.0.1")
            slow.append(stack.enter_context(wrapped))
            wrapped.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body[:5])
        for _ in range(3):
            assert front.post("/predict", json=ROW).status_code == 200
        for each in slow:
            each.sendall(body[5:])
            assert each.recv(100).startswith(b"HTTP/1.1 200 ")


def test_the_probes_say_what_the_service_says(front, tmp_path):
    assert front.get("/livez").status_code == front.get("/readyz").status_code == 200
    (tmp_path / "empty").mkdir()
    with service(tmp_path / "empty") as empty, nginx(empty.port, tmp_path / "nginx2") as before:
        assert before.get("/livez").status_code == 200
        not_ready = before.get("/readyz")
        assert not_ready.status_code == 503
        assert not_ready.content == empty.get("/readyz").content
        refused = before.post("/predict", json=ROW)
        assert refused.status_code == 503
        assert "is in stage" in refused.json()["detail"]


def test_while_the_service_restarts_clients_are_told_to_come_back(tmp_path, variables):
    port = free_port()
    with nginx(port, tmp_path / "nginx") as front:
        for _ in range(2):
            with service(tmp_path, **variables, SERVING_PORT=str(port)) as running:
                assert front.post("/predict", json=ROW).status_code == 200
                running.process.send_signal(signal.SIGTERM)
                assert running.process.wait(10) == 0
            away = front.post("/predict", json=ROW, headers={"X-Request-ID": "abc-1"})
            assert away.status_code == 503
            assert away.headers["Content-Type"] == "application/problem+json"
            assert away.headers["Retry-After"] == "5"
            assert away.headers["X-Request-ID"] == "abc-1"
            assert (away.json()["status"], away.json()["title"]) == (503, "Service Unavailable")
            assert front.get("/readyz").status_code == 503


@pytest.mark.parametrize(
    "path", ["/metrics", "//metrics", "/%6detrics", "/./metrics", "/a/../metrics", "/metrics?a=b"]
)
def test_the_metrics_are_not_for_those_outside(running, front, path):
    asked = requests.Request("GET", front.url).prepare()
    asked.url = front.url + path  # as it stands here, not as requests would tidy it
    with requests.Session() as session:
        answer = session.send(asked, verify=str(front.certificate), timeout=5)
    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is nothing at this address."
    assert running.get("/metrics").status_code == 200


def test_headers_that_steer_the_server_stay_outside(running, front):
    """Of a proxy on its own machine, which nginx is, gunicorn would take this one by default."""
    steering = {"SCRIPT_NAME": "/livez"}
    expected = running.get("/livez").content
    assert running.get("/livez", headers=steering).content == expected
    assert front.get("/livez", headers=steering).content == expected


def test_the_log_names_the_client_whom_nginx_saw(running, front):
    claimed = {"X-Forwarded-For": "203.0.113.9"}
    front.get("/contract", headers=claimed)
    # Who asks the service itself is of this machine too, and so a proxy that is trusted.
    running.get("/version", headers=claimed)
    assert [line["client"] for line in _asked(running, "/contract")] == ["127.0.0.1"]
    assert [line["client"] for line in _asked(running, "/version")] == ["203.0.113.9"]


def test_a_request_has_one_id_in_both_logs_and_no_query_is_in_either(running, front):
    front.get("/contract?patient=Jane", headers={"X-Request-ID": "abc-1"})
    given = front.get("/contract").headers["X-Request-ID"]
    replaced = front.get("/contract", headers={"X-Request-ID": "a b"}).headers["X-Request-ID"]
    ids = ["abc-1", given, replaced]
    assert [line["request_id"] for line in _asked(running, "/contract", len(ids))] == ids
    # nginx writes its line when the client has the answer.
    eventually(lambda: len(front.log.read_text().splitlines()) == len(ids))
    lines = [json.loads(line) for line in front.log.read_text().splitlines()]
    assert [line["request_id"] for line in lines] == ids
    assert {line["status"] for line in lines} == {200}
    assert {line["upstream"] for line in lines} == {f"127.0.0.1:{running.port}"}
    assert "Jane" not in front.log.read_text() + running.log.read_text()


def _asked(running: Service, path: str, times: int = 1) -> list[dict]:
    """Give what the service logged of a path, which it writes once the client has its answer."""

    def found() -> list[dict]:
        return [line for line in running.log_lines() if line.get("path") == path]

    eventually(lambda: len(found()) >= times)
    return found()
