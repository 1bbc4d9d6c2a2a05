"""The application as a server calls it: any path and header as it comes over the wire."""

import io
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

ROW = {"Glucose": 148, "Age": 50, "Smoker": True}
BODY = json.dumps(ROW).encode()


class Called(NamedTuple):
    """One answer; headers as they were given, so that one given twice shows."""

    status: int
    items: list[tuple[str, str]]
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.items)

    def json(self) -> Any:
        return json.loads(self.body)


def environ(
    method: str, path: str, body: bytes = b"", /, query: str = "", **headers: str
) -> dict[str, Any]:
    """Make what gunicorn makes of a request; headers are written `Content_Type`."""
    found: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "REMOTE_ADDR": "192.0.2.7",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    for name, value in headers.items():
        key = name.upper()
        found[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return found


def begin(app: Any, asked: dict[str, Any]) -> tuple[list[Any], Iterable[bytes]]:
    """Call the application and leave the answer unsent; gives status and headers, and the body."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        assert not started, "an answer begins once"
        started.extend([int(status[:3]), headers])

    return started, app(asked, start_response)


def call(app: Any, asked: dict[str, Any]) -> Called:
    """Call the application, and send its answer to the end."""
    started, answer = begin(app, asked)
    try:
        body = b"".join(answer)
    finally:
        answer.close()  # type: ignore[attr-defined]
    return Called(*started, body)


def get(app: Any, path: str, **headers: str) -> Called:
    return call(app, environ("GET", path, **headers))


def post(app: Any, path: str = "/predict", body: bytes = BODY, **headers: str) -> Called:
    return call(app, environ("POST", path, body, **{"Content_Type": "application/json", **headers}))


ORIGIN = "https://shop.example.org"


def preflight(app, path="/predict", origin=ORIGIN):
    return call(
        app,
        environ("OPTIONS", path, Origin=origin, Access_Control_Request_Method="POST"),
    )
