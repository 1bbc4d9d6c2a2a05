"""What every request passes: its id, CORS, host, key, capacity, log line; and the shortcut."""

import gzip
import io
import json
import re
import threading
import time
from contextlib import contextmanager

import pytest

from serving import log
from serving.web.app import SHORTCUTS, create_app
from serving.web.keys import Role, new_key
from serving.web.metrics import Metrics
from serving.web.middleware import Middleware
from serving.web.worker_state import State
from tests.serving.calling import (
    BODY,
    ORIGIN,
    ROW,
    begin,
    call,
    environ,
    get,
    post,
    preflight,
)

SECRET, KEY = new_key("frontend", [Role.PREDICT])


@pytest.fixture
def capfd(capfd):
    """What is written from now on: lines of earlier tests may wait in the queue."""
    log.flush()
    capfd.readouterr()
    return capfd


class Broken(io.BytesIO):
    """A body on which the server fails in a way that nobody foresaw."""

    def read(self, _=-1):
        raise RuntimeError("the secret reason")


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ('/a%41"', '/a%41"'),
        ("/\xc2\x85x", "/%C2%85x"),
        ("/\xe2\x80\xa8", "/%E2%80%A8"),
        ("/a\nb\x1b[0m", "/a%0Ab%1B%5B0m"),
        ("/\xff", "/%FF"),
    ],
)
def test_path_is_logged_as_printable_ascii(app, capfdbinary, path, logged):
    assert get(app, path).status == 404
    log.flush()
    line = capfdbinary.readouterr().out.splitlines()[-1]
    assert json.loads(line)["path"] == logged
    assert line.isascii()


def broken():
    asked = environ("POST", "/predict", BODY, Content_Type="application/json")
    return {**asked, "wsgi.input": Broken()}


# The request's id


@pytest.mark.parametrize("given", ["a", "abc-1", "0a:B/c+d=e@f._", "x" * 128])
def test_a_requests_id_is_taken_over(app, given):
    assert post(app, X_Request_ID=given).headers["X-Request-ID"] == given


@pytest.mark.parametrize(
    "given", ["", " ", "a b", "x" * 129, "a\r\nX-Evil: 1", "a\n", "\n", "é", '"}', "<b>", "a\0"]
)
def test_a_bad_id_is_replaced_by_one_of_ours(app, given):
    headers = post(app, X_Request_ID=given).headers
    assert re.fullmatch("[0-9a-f]{32}", headers["X-Request-ID"])
    assert "X-Evil" not in headers


def test_without_one_each_request_gets_an_id_of_its_own(app):
    assert len({post(app).headers["X-Request-ID"] for _ in range(20)}) == 20


ANSWERS = {
    200: lambda app: post(app, X_Request_ID="abc-1"),
    400: lambda app: post(app, body=b"{", X_Request_ID="abc-1"),
    404: lambda app: get(app, "/nothing", X_Request_ID="abc-1"),
    405: lambda app: get(app, "/predict", X_Request_ID="abc-1"),
    415: lambda app: post(app, Content_Type="a/b", X_Request_ID="abc-1"),
    422: lambda app: post(app, body=b"{}", X_Request_ID="abc-1"),
    500: lambda app: call(app, {**broken(), "HTTP_X_REQUEST_ID": "abc-1"}),
}


@pytest.mark.parametrize("status", ANSWERS)
def test_every_answer_has_its_id_once(app, status):
    answer = ANSWERS[status](app)
    assert answer.status == status
    assert [value for name, value in answer.items if name == "X-Request-ID"] == ["abc-1"]


def test_answers_of_the_front_itself_have_an_id_too(make_app):
    guarded = make_app(keys=(KEY,), trusted_hosts=("example.org",))
    refused = [get(guarded, "/version"), get(guarded, "/version", Host="example.org")]
    assert [answer.status for answer in refused] == [400, 401]
    assert all(answer.headers["X-Request-ID"] for answer in refused)


@pytest.mark.parametrize("status", ANSWERS)
def test_errors_may_be_read_from_an_allowed_origin_too(make_app, status):
    asked = ANSWERS[status]
    app = make_app(cors_origins=(ORIGIN,))
    answer = asked(lambda asked, start: app({**asked, "HTTP_ORIGIN": ORIGIN}, start))
    assert answer.status == status
    allowed = [value for name, value in answer.items if name == "Access-Control-Allow-Origin"]
    assert allowed == [ORIGIN]


def test_who_lacks_a_key_may_read_that_from_an_allowed_origin(make_app):
    answer = post(make_app(keys=(KEY,), cors_origins=(ORIGIN,)), Origin=ORIGIN)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (401, ORIGIN)


# Hosts

HOSTS = ("Example.ORG", ".models.example.org", "192.0.2.1", "::1", "[2001:DB8::1]")


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "EXAMPLE.org",
        "example.org:8000",
        "example.org:",
        "models.example.org",
        "a.models.example.org",
        "a.b.Models.Example.org:443",
        "192.0.2.1:80",
        "[::1]",
        "[::1]:8000",
        "[2001:db8::1]",
    ],
)
def test_a_trusted_host_is_answered(make_app, host):
    assert post(make_app(trusted_hosts=HOSTS), Host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.org",
        "a.example.org",
        "example.org.evil.org",
        "evilmodels.example.org",
        "example.org@evil.org",
        "evil.org@example.org",
        "example.org/evil",
        "example.org#evil.org",
        "example.org?",
        "example.org:80:80",
        "example.org:evil",
        "example.org evil.org",
        "example.org, evil.org",
        "example.org.",
        ".models.example.org",
        "192.0.2.11",
        "[::1",
        "::1]",
        "[::1]evil.org",
        "[]",
        "℀.org",
        "\xff",
        "a" * 5000,
    ],
)
def test_another_host_or_none_at_all_is_refused(make_app, caplog, host):
    answer = post(make_app(trusted_hosts=HOSTS), Host=host)
    assert answer.status == 400
    assert "Host" in answer.json()["detail"]
    assert caplog.records == []


def test_a_request_that_names_no_host_is_refused(make_app):
    asked = environ("GET", "/version")
    del asked["HTTP_HOST"]
    assert call(make_app(trusted_hosts=HOSTS), asked).status == 400


@pytest.mark.parametrize(
    "path", ["/livez", "/readyz", "/v2/health/ready", "/v2/models/heart/ready"]
)
def test_a_probe_may_name_the_process_by_any_address(make_app, path):
    assert get(make_app(trusted_hosts=HOSTS), path, Host="10.0.0.7:8000").status == 200


def test_without_the_setting_any_host_is_answered(app):
    assert post(app, Host="whatever").status == 200


# Keys


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {SECRET}"},
        {"Authorization": f"bearer  {SECRET} "},
        {"X_API_Key": SECRET},
        {"X_API_Key": SECRET, "Authorization": "Basic dTpw"},
    ],
)
def test_a_key_comes_in_either_header(make_app, headers):
    assert post(make_app(keys=(KEY,)), **headers).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": SECRET},
        {"Authorization": f"Basic {SECRET}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer ", "X_API_Key": SECRET},
        {"Authorization": "Bearer wrong", "X_API_Key": SECRET},
        {"Authorization": f"Bearer {SECRET},Bearer {SECRET}"},
        {"Authorization": "Bearer \xff\xfe"},
        {"Authorization": f"Bearer {KEY.sha256}"},
        {"X_API_Key": SECRET[:-1]},
        {"Cookie": f"key={SECRET}"},
    ],
)
def test_anything_else_is_no_key(make_app, headers):
    answer = post(make_app(keys=(KEY,)), **headers)
    assert answer.status == 401
    assert SECRET not in answer.body.decode()


def test_a_key_in_the_address_is_no_key(make_app):
    asked = environ(
        "POST", "/predict", BODY, query=f"api_key={SECRET}", Content_Type="application/json"
    )
    assert call(make_app(keys=(KEY,)), asked).status == 401


def test_with_a_keys_file_that_names_nobody_nobody_is_let_in(make_app):
    assert post(make_app(keys=()), X_API_Key=SECRET).status == 401


def test_a_key_without_the_role_is_told_which_one_it_takes(make_app):
    answer = get(make_app(keys=(KEY,)), "/metrics", X_API_Key=SECRET)
    assert answer.status == 403
    assert answer.json()["detail"] == (
        "The key `frontend` is not for this; a key with the role `metrics` is."
    )


# Capacity


class Held(io.BytesIO):
    """A body that does not come until it is let go."""

    def __init__(self) -> None:
        super().__init__(BODY)
        self.is_read = threading.Event()
        self.comes = threading.Event()

    def read(self, size=-1):
        self.is_read.set()
        assert self.comes.wait(10)
        return super().read(size)


@contextmanager
def held(app, count: int):
    """Hold requests while the block runs; gives what they are answered."""
    bodies = [Held() for _ in range(count)]
    statuses: list[int] = []

    def ask(body: Held) -> None:
        asked = environ("POST", "/predict", BODY, Content_Type="application/json")
        statuses.append(call(app, {**asked, "wsgi.input": body}).status)

    threads = [threading.Thread(target=ask, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    try:
        assert all(body.is_read.wait(10) for body in bodies)
        yield statuses
    finally:
        for body in bodies:
            body.comes.set()
        for thread in threads:
            thread.join(10)


def test_one_request_too_many_is_refused_at_once_and_the_others_are_answered(make_app):
    app = make_app(concurrency=3)
    with held(app, 3) as statuses:
        started = time.perf_counter()
        refused = post(app)
        assert time.perf_counter() - started < 1
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert "Too many requests" in refused.json()["detail"]
        assert post(app, "/invocations").json()["error_code"] == "TEMPORARILY_UNAVAILABLE"
        assert set(post(app, "/v2/models/heart/infer").json()) == {"error"}
        assert statuses == []
    assert statuses == [200] * 3
    assert post(app).status == 200


def test_whatever_is_no_prediction_is_answered_meanwhile(make_app):
    app = make_app(concurrency=1)
    with held(app, 1):
        for path in ("/livez", "/readyz", "/metrics", "/version", "/openapi.json"):
            assert get(app, path).status == 200
        assert get(app, "/predict").status == 405


def test_who_may_not_ask_is_told_that_and_takes_no_place(make_app):
    app = make_app(concurrency=1, keys=(KEY,), trusted_hosts=("127.0.0.1",))
    for _ in range(3):
        assert post(app).status == 401
        assert post(app, Host="evil.org").status == 400
    assert post(app, X_API_Key=SECRET).status == 200


@pytest.mark.parametrize("status", ANSWERS)
def test_a_place_comes_back_whatever_the_answer(make_app, status):
    app = make_app(concurrency=1)
    for _ in range(3):
        assert ANSWERS[status](app).status == status
    assert post(app).status == 200


def test_a_place_is_held_until_the_answer_is_sent_or_given_up(make_app):
    """Also where the shortcut answers: a large answer to a slow client is memory."""
    app = make_app(concurrency=1)
    for kind in ("application/json", "text/csv"):
        body = BODY if kind == "application/json" else b"Glucose,Age,Smoker\n148,50,1\n"
        asked = environ("POST", "/predict", body, Content_Type=kind)
        started, answer = begin(app, asked)
        assert started[0] == 200
        assert post(app).status == 503
        assert next(iter(answer))
        assert post(app).status == 503, "a part of it may be on its way still"
        answer.close()  # what a server does when the client has gone
        assert post(app).status == 200


def test_an_answer_that_is_sent_and_then_closed_gives_back_one_place(make_app):
    app = make_app(concurrency=1)
    for _ in range(2):
        _, answer = begin(app, environ("POST", "/predict", BODY, Content_Type="application/json"))
        list(answer)
        answer.close()
        answer.close()
    with held(app, 1):
        assert post(app).status == 503


class Server:
    """A server's `start_response` that refuses headers, `refusals` times."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.status = ""

    def __call__(self, status, _headers, exc_info=None):
        assert not self.status or exc_info, "an answer begins once"
        self.status = status
        self.refusals -= 1
        if self.refusals >= 0:
            raise ValueError("a header cannot be sent")


@pytest.mark.parametrize("body", [BODY, b"{"])
def test_a_header_that_cannot_be_sent_is_a_counted_500_and_takes_no_place(make_app, capfd, body):
    app = make_app(concurrency=1)
    for _ in range(3):
        asked = environ("POST", "/predict", body, Content_Type="application/json")
        server = Server(refusals=1)
        answer = app(asked, server)
        assert json.loads(b"".join(answer))["status"] == int(server.status[:3]) == 500
        answer.close()
    assert post(app).status == 200
    assert [line["status"] for line in lines(capfd)] == [500, 500, 500, 200]


def test_an_answer_that_cannot_be_sent_at_all_is_counted_and_takes_no_place(make_app, capfd):
    app = make_app(concurrency=1)
    for _ in range(3):
        asked = environ("POST", "/predict", BODY, Content_Type="application/json")
        with pytest.raises(ValueError, match="a header cannot be sent"):
            app(asked, Server(refusals=2))
    assert post(app).status == 200
    assert len(lines(capfd)) == 4


# What nobody foresaw


def test_an_unforeseen_failure_says_nothing_internal_and_is_logged(app, caplog):
    answer = call(app, {**broken(), "HTTP_X_REQUEST_ID": "abc-1"})
    assert answer.status == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "The service failed to answer this request; its log says why.",
    }
    assert "the secret reason" in caplog.text
    assert "abc-1" in caplog.text
    assert "Traceback" in caplog.text


def test_a_refusal_of_a_head_request_has_no_body(make_app):
    answer = call(make_app(keys=(KEY,)), environ("HEAD", "/version"))
    assert (answer.status, answer.body) == (401, b"")
    assert int(answer.headers["Content-Length"]) > 0


# The shortcut

BATCH = json.dumps({"rows": [ROW, {**ROW, "Glucose": 500}]}).encode()
BODIES = {
    "a row": (BODY, {}),
    "a row that is warned of": (json.dumps({**ROW, "Glucose": 500}).encode(), {}),
    "a batch": (BATCH, {}),
    "a charset": (BODY, {"Content_Type": "application/JSON; charset=utf-8"}),
    "gzip": (gzip.compress(BATCH), {"Content_Encoding": "gzip"}),
    "half a gzip": (gzip.compress(BATCH)[:-9], {"Content_Encoding": "gzip"}),
    "an unknown encoding": (BODY, {"Content_Encoding": "br"}),
    "no JSON": (b"{", {}),
    "no body": (b"", {}),
    "a refused row": (b'{"rows": [{}, {}]}', {}),
    "too many rows": (json.dumps({"rows": [ROW] * 21}).encode(), {}),
    "too large": (b" " * 100_001, {}),
    "cut short": (BODY, {"Content_Length": "500"}),
    "a table": (b"Glucose,Age,Smoker\n148,50,1\n", {"Content_Type": "text/csv"}),
    "another type": (BODY, {"Content_Type": "text/plain"}),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("with_model", [True, False])
def test_the_shortcut_and_flasks_own_view_answer_alike(app, settings, served, name, with_model):
    """Byte for byte, with the same headers."""
    state = State(settings, served if with_model else None, None, Metrics())
    flask = type(app).wsgi_app.__get__(create_app(state))
    body, headers = BODIES[name]
    quick, slow = (
        post(Middleware(flask, state, shortcuts), body=body, X_Request_ID="abc-1", **headers)
        for shortcuts in (SHORTCUTS, {})
    )
    assert quick.status == slow.status
    assert quick.body == slow.body
    assert sorted(quick.items) == sorted(slow.items)


def test_the_shortcut_is_taken(settings, served):
    """Else the two would be alike, and both slow."""
    state = State(settings, served, None, Metrics())

    def flask(environ, start_response):
        raise AssertionError("Flask was asked")

    assert post(Middleware(flask, state, SHORTCUTS)).status == 200
    assert post(Middleware(flask, state, SHORTCUTS), Content_Type="text/csv").status == 500


# The log


def lines(capfd) -> list[dict]:
    log.flush()
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_a_request_is_one_line_of_json(app, capfd):
    post(app, X_Request_ID="abc-1")
    (line,) = lines(capfd)
    assert set(line) == {
        *("time", "level", "message", "request_id", "method", "path", "status", "milliseconds"),
        *("client", "rows", "version"),
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("time"))
    assert 0 < line.pop("milliseconds") < 10_000
    assert line == {
        "level": "INFO",
        "message": "request",
        "request_id": "abc-1",
        "method": "POST",
        "path": "/predict",
        "status": 200,
        "client": "192.0.2.7",
        "rows": 1,
        "version": "1",
    }


@pytest.mark.parametrize(
    ("trusted", "told", "logged"),
    [
        ((), "203.0.113.9", "192.0.2.7"),
        (("192.0.2.8",), "203.0.113.9", "192.0.2.7"),
        (("192.0.2.7",), "203.0.113.9", "203.0.113.9"),
        (("10.0.0.0/8", "192.0.2.0/24"), "203.0.113.9", "203.0.113.9"),
        (("192.0.2.7",), "2001:db8::1", "2001:db8::1"),
        # Only the last one is the proxy's own word.
        (("192.0.2.7",), "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (("192.0.2.7",), "203.0.113.9, unknown", "192.0.2.7"),
        (("192.0.2.7",), "", "192.0.2.7"),
    ],
)
def test_the_client_is_who_asks_or_whom_a_trusted_proxy_names(
    make_app, capfd, trusted, told, logged
):
    post(make_app(trusted_proxies=trusted), X_Forwarded_For=told)
    (line,) = lines(capfd)
    assert line["client"] == logged


def test_each_request_has_its_line_whoever_answered_it(make_app, capfd):
    app = make_app(keys=(KEY,), cors_origins=(ORIGIN,))
    get(app, "/livez")
    get(app, "/nothing")
    preflight(app)
    call(app, {**broken(), "HTTP_X_API_KEY": SECRET})
    post(app, body=b"{", X_API_Key=SECRET)
    found = lines(capfd)
    assert [line["status"] for line in found] == [200, 401, 204, 500, 400]
    assert [line["level"] for line in found] == ["INFO"] * 3 + ["ERROR", "INFO"]
    assert all("rows" not in line for line in found)


def test_neither_what_was_asked_nor_what_was_answered_is_logged(app, capfd):
    row = {"Glucose": 147.25, "Age": 51, "Smoker": True}
    body = json.dumps(row).encode()
    asked = environ("POST", "/predict", body, query="patient=Jane", Content_Type="application/json")
    probability = call(app, asked).json()["predictions"][0]["probability"]
    post(app, body=body.replace(b"147.25", b'"147.25"'))
    post(app, body=body.replace(b"51", b"5100"))
    log.flush()
    text = capfd.readouterr().out
    assert text.count("\n") == 3
    for value in ("147.25", "51", "Jane", "patient", str(probability), "Glucose"):
        assert value not in re.sub(r'"(time|milliseconds|request_id)":[^,]*', "", text)


def test_the_keys_name_is_logged_and_never_the_key(make_app, capfd):
    app = make_app(keys=(KEY,))
    post(app, X_API_Key=SECRET)
    get(app, "/metrics", Authorization=f"Bearer {SECRET}")
    post(app, X_API_Key="a wrong one")
    log.flush()
    text = capfd.readouterr().out
    assert [json.loads(line).get("key") for line in text.splitlines()] == [
        "frontend",
        "frontend",
        None,
    ]
    assert SECRET not in text
    assert "a wrong one" not in text


def test_whatever_is_in_the_path_a_line_stays_one_line(app, capfd):
    for path in ("/a\nb", '/"}', "/\xff\xe9", "/" + "a" * 10_000, "/\u2028"):
        get(app, path)
    call(app, environ("M" * 5000, "/"))
    log.flush()
    text = capfd.readouterr().out
    assert text.count("\n") == 6
    assert max(map(len, text.splitlines())) < 1000
    assert json.loads(text.splitlines()[0])["path"] == "/a%0Ab"
