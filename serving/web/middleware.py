"""WSGI middleware of every request: host, key and capacity checks; log and metrics.

Around Flask and not in its hooks, since each hook costs, and so that what is refused costs little.
For the same reason the plain case of an endpoint may be answered here, by the function that its
view calls too: Flask takes 100 of the 340 microseconds of such a request (docs/performance.md).
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_address
from threading import BoundedSemaphore
from time import perf_counter
from typing import Any
from urllib.parse import quote

from werkzeug.http import HTTP_STATUS_CODES

from serving import log
from serving.errors import (
    JSON,
    FailedError,
    ForbiddenError,
    Headers,
    NoKeyError,
    OverloadedError,
    ServingError,
    UntrustedHostError,
)
from serving.web.body import media_type
from serving.web.cors import PREFLIGHT_HEADERS, Origins, is_preflight
from serving.web.figures import RequestNote
from serving.web.keys import Key, find
from serving.web.permissions import Needs, Route, route_of
from serving.web.problems import error_answer
from serving.web.request_context import RequestContext
from serving.web.worker_state import State

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]
# Answers the JSON of a POST with JSON.
Shortcut = Callable[[RequestContext, Environ], bytes]

EXCHANGE = "serving.web.request_context"
EXPLANATIONS = 4  # at once: one is worked on, the others wait for it
OTHER_PLACES = 8  # for pages, descriptions and what is not there, each of which may be read slowly
REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")
HOST = re.compile(r"(\[[0-9a-f:.]+\]|(?!\.)[^][:/?#@\s]+)(?::[0-9]*)?")  # and a port


class Answer:
    """A WSGI answer that says, once, when it was sent whole or given up."""

    __slots__ = ("_body", "_finish")

    def __init__(self, body: Iterable[bytes], finish: Callable[[], None]) -> None:
        self._body = body
        self._finish: Callable[[], None] | None = finish

    def __iter__(self) -> Iterator[bytes]:
        yield from self._body
        self._end()

    def close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            self._end()

    def _end(self) -> None:
        finish, self._finish = self._finish, None
        if finish is not None:
            finish()


class Middleware:
    """WSGI middleware; one for each worker."""

    def __init__(self, app: WsgiApp, state: State, shortcuts: Mapping[str, Shortcut]) -> None:
        settings = state.settings
        self._app = app
        self._shortcuts = shortcuts
        self._state = state
        self._places = BoundedSemaphore(settings.concurrency)
        self._explanations = BoundedSemaphore(EXPLANATIONS)
        self._other_places = BoundedSemaphore(OTHER_PLACES)
        self._hosts = frozenset(host.lower().strip("[]") for host in settings.trusted_hosts)
        self._origins = Origins(settings.cors_origins)
        self._proxies = settings.proxies

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        route = route_of(environ["PATH_INFO"])
        exchange = environ[EXCHANGE] = RequestContext(self._state, _request_id(environ), route)
        cors = self._origins.headers(environ)

        def begin(status: str, headers: Headers, exc_info: Any = None) -> Any:
            # A server lets an answer that it would not send begin anew, for an error.
            exc_info = exc_info or (sys.exc_info() if exchange.begun else None)
            exchange.begun = True
            exchange.status = status[:3]
            headers = [*headers, ("X-Request-ID", exchange.request_id), *cors]
            return start_response(status, headers, exc_info)

        places = self._places_for(environ, route)
        taken = False

        def finish() -> None:
            if taken and places is not None:
                places.release()
            self._finish(environ, exchange)

        def respond() -> Iterable[bytes]:
            nonlocal taken
            if cors and is_preflight(environ):
                begin("204 No Content", PREFLIGHT_HEADERS)
                return []
            self._check_host(environ, route)
            self._check_key(environ, exchange)
            taken = places is not None and _take(places)
            return self._respond(environ, exchange, begin)

        try:
            return Answer(_or_refusal(respond, environ, exchange, begin), finish)
        except BaseException:  # not even the refusal could be sent
            finish()
            raise

    def _places_for(self, environ: Environ, route: Route) -> BoundedSemaphore | None:
        """Return what limits how many such requests are answered at once; probes have no limit."""
        if environ["REQUEST_METHOD"] == "POST":
            if route.predicts:
                return self._places
            if route.explains:
                return self._explanations
        if route.probe or route.needs is Needs.METRICS:
            return None
        return self._other_places

    def _respond(
        self, environ: Environ, exchange: RequestContext, begin: StartResponse
    ) -> Iterable[bytes]:
        posted = environ["REQUEST_METHOD"] == "POST"
        answer_json = self._shortcuts.get(environ["PATH_INFO"]) if posted else None
        if answer_json is None or media_type(environ) != JSON:
            return self._app(environ, begin)
        body = answer_json(exchange, environ)
        headers = [
            ("Content-Type", JSON),
            ("X-Model-Version", exchange.version),
            ("Content-Length", str(len(body))),
        ]
        begin("200 OK", headers)
        return [body]

    def _check_host(self, environ: Environ, route: Route) -> None:
        # A probe of an orchestrator names the process by its address.
        if not self._hosts or route.probe:
            return
        found = HOST.fullmatch(environ.get("HTTP_HOST", "").lower())
        host = found[1].strip("[]") if found else ""
        parts = host.split(".")
        # As Flask has it: `.example.org` are example.org and all below it.
        wild = {"." + ".".join(parts[i:]) for i in range(len(parts))}
        if host not in self._hosts and not wild & self._hosts:
            raise UntrustedHostError("The header Host names no host that this service answers for.")

    def _check_key(self, environ: Environ, exchange: RequestContext) -> None:
        keys, needs = self._state.keys, exchange.route.needs
        if keys is None or needs is Needs.NOTHING:
            return
        key = _key_of(environ, keys)
        exchange.key = key.name
        if needs is not Needs.ANY_KEY and needs.value not in key.roles:
            raise ForbiddenError(
                f"The key `{key.name}` is not for this; a key with the role `{needs.value}` is."
            )

    def _client(self, environ: Environ) -> str | None:
        """Return the client's address; behind a trusted proxy the one that this proxy saw.

        That is the last of X-Forwarded-For: what stands before it anyone may have written.
        """
        peer: str | None = environ.get("REMOTE_ADDR")
        if not self._proxies or not peer:
            return peer
        told = environ.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
        try:
            proxy, client = ip_address(peer), ip_address(told)
        except ValueError:
            return peer
        return str(client) if any(proxy in network for network in self._proxies) else peer

    def _finish(self, environ: Environ, exchange: RequestContext) -> None:
        seconds = perf_counter() - exchange.started
        method = environ["REQUEST_METHOD"]
        note = RequestNote(exchange.route.name, _known(method), exchange.status, seconds)
        self._state.metrics.request(note)
        log.write(
            log.RequestLine(
                time=log.now(),
                level="ERROR" if exchange.status >= "500" else "INFO",
                message="request",
                request_id=exchange.request_id,
                method=method[:16],
                path=_printable(environ["PATH_INFO"][:200]),
                status=int(exchange.status),
                milliseconds=round(1000 * seconds, 3),
                client=self._client(environ),
                key=exchange.key,
                rows=exchange.rows,
                version=exchange.version,
            )
        )


def _take(places: BoundedSemaphore) -> bool:
    if not places.acquire(blocking=False):
        raise OverloadedError("Too many requests are being answered already; try again.")
    return True


def _request_id(environ: Environ) -> str:
    given: str = environ.get("HTTP_X_REQUEST_ID", "")
    return given if REQUEST_ID.fullmatch(given) else log.new_request_id()


def _key_of(environ: Environ, keys: tuple[Key, ...]) -> Key:
    secret: str = environ.get("HTTP_X_API_KEY", "")
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        secret = token.strip()
    if not secret:
        raise NoKeyError("A key is needed: send the header Authorization: Bearer <key>.")
    # WSGI hands over header bytes as latin-1.
    key = find(keys, secret.encode("latin-1"))
    if key is None:
        raise NoKeyError("The key is not one of this service's.")
    return key


def _or_refusal(
    respond: Callable[[], Iterable[bytes]],
    environ: Environ,
    exchange: RequestContext,
    begin: StartResponse,
) -> Iterable[bytes]:
    try:
        try:
            return respond()
        except ServingError as error:
            return _refuse(environ, error, begin)
    except Exception:  # Flask answers for what fails in it; this is for what fails here
        log.logger.exception("request %s failed", exchange.request_id)
        return _refuse(environ, FailedError(), begin)


def _refuse(environ: Environ, error: ServingError, begin: StartResponse) -> Iterable[bytes]:
    status, headers, body = error_answer(environ["PATH_INFO"], error)
    phrase = HTTP_STATUS_CODES[status]
    begin(f"{status} {phrase}", [*headers, ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _printable(path: str) -> str:
    """Return a path for the log, percent-encoded where it has more than printable ASCII."""
    if path.isascii() and path.isprintable():
        return path
    return quote(path, encoding="latin-1", errors="replace")  # as WSGI has its bytes


def _known(method: str) -> str:
    """Keep the metrics' labels few, whatever is sent."""
    return method if method in ("GET", "HEAD", "POST", "OPTIONS") else "other"
