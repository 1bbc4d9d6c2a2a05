"""gunicorn's threaded worker, for a service that must stay up among slow clients and restarts.

What is added to gunicorn's own (26.2):

- A thread is given to a connection only once there is something to read on it, and for no longer
  than the deadline; then reading ends, and a little later writing too.
- Two threads work at a time and take what waits in its order; more join in only where those wait
  for slow clients. Python runs one thread at a time anyway, in no order: with sixteen that were
  ready the p99 was five times as long.
- After SIGTERM idle connections are closed at once instead of waited for, and those already in the
  listener's queue are still answered.
- What gunicorn itself refuses is answered in our shape of an error, not as an HTML page.
"""

import os
import socket
import time
from collections import deque
from functools import partial
from threading import Lock
from typing import Any, NamedTuple

from gunicorn import glogging, util
from gunicorn.http import errors as http_errors
from gunicorn.workers.gthread import TConn, ThreadWorker
from werkzeug.http import HTTP_STATUS_CODES

from serving.config import read_settings
from serving.errors import DETAILS, plain_answer

RUNNING = 2  # threads at work at a time; with 3 the p99 is a third longer, and no more is answered
PATIENCE = 0.05  # seconds that a connection waits for its turn, which slow clients may hold
FIRST_BYTES = 5.0  # seconds that a new connection may stay silent
LAST_BYTES = 1.0  # the same, after SIGTERM
LATE = 5.0  # seconds after the deadline, until a client that does not read is given up
WAKE = 0.2  # seconds between looks at the clock after SIGTERM


class ErrorLog(glogging.Logger):  # type: ignore[misc]
    """gunicorn's log without its access log, which the front writes."""

    def access(self, *_: Any) -> None:
        """Write nothing: gunicorn would put a line together for any `logconfig_dict`."""


class Connection(TConn):  # type: ignore[misc]
    """A connection that a pool thread may close gracefully, which takes time."""

    closed = False
    since = 0.0  # when it began to wait for a turn
    ends = 0.0  # when the request under way has to be answered

    def close(self, graceful: bool = False) -> None:
        if not self.closed:
            self.closed = True
            super().close(graceful)


class Done(NamedTuple):
    """Whether a connection is to be kept, in the form of the future that gunicorn asks."""

    value: Any

    def cancelled(self) -> bool:
        return False

    def result(self) -> Any:
        return self.value


class Worker(ThreadWorker):  # type: ignore[misc]
    """Serves with threads; see the module."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline = read_settings().deadline
        self._busy: set[Connection] = set()
        # Connections that have something to say and wait for their turn, the oldest first.
        self._waiting: deque[Connection] = deque()
        self._turns = RUNNING
        self._lock = Lock()

    def accept(self, listener: socket.socket) -> None:
        """Take a new connection, and wait for its first bytes without a thread."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        self.nr_conns += 1
        connection = Connection(self.cfg, client, address, listener.getsockname())
        connection.timeout = time.monotonic() + (FIRST_BYTES if self.alive else LAST_BYTES)
        self.pending_conns.append(connection)
        readable = partial(self.on_pending_socket_readable, connection)
        self.poller.register(client, 1, readable)

    def enqueue_req(self, conn: Connection) -> None:
        """Give a connection that has something to say a thread, or a place in the queue."""
        with self._lock:
            if not self._turns:
                conn.since = time.monotonic()
                self._waiting.append(conn)
                return
            self._turns -= 1
        self.tpool.submit(self._work, conn, has_turn=True)

    def handle(self, conn: Connection) -> Any:
        self._busy.add(conn)
        try:
            keep = self._answer(conn)
            while keep is True and self.alive and _has_buffered(conn):
                keep = self._answer(conn)
        finally:
            self._busy.discard(conn)
        if not keep:
            conn.close(graceful=True)
        return keep

    def _work(self, conn: Connection | None, *, has_turn: bool) -> None:
        """Answer one connection after the other, while there are any; runs in a thread."""
        while conn is not None:
            keep: Any = False
            try:
                keep = self.handle(conn)
            except Exception:  # the turn would be lost with it, and nobody asks the future
                self.log.exception("a connection failed in gunicorn")
            finally:
                self.method_queue.defer(self.finish_request, conn, Done(keep))
            conn = self._next() if has_turn else None

    def _next(self) -> Connection | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._turns += 1
        return None

    def _let_in_the_impatient(self) -> None:
        """Answer those without a turn for whom slow clients have left none."""
        now = time.monotonic()
        while True:
            with self._lock:
                if not self._waiting or now - self._waiting[0].since < PATIENCE:
                    return
                conn = self._waiting.popleft()
            self.tpool.submit(self._work, conn, has_turn=False)

    def _answer(self, conn: Connection) -> Any:
        conn.ends = time.monotonic() + self._deadline
        return super().handle(conn)

    def notify(self) -> None:
        """Tell the arbiter that this worker lives; called about once a second."""
        super().notify()
        self._cut_off_late()

    def handle_quit(self, *_: Any) -> None:
        """End at once, at SIGQUIT and SIGINT.

        gunicorn's own would wait for locks that the thread it interrupts may hold.
        """
        os._exit(0)

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            self._take_what_waits()
            self._close_idle()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        if not self.alive:
            timeout = min(timeout, WAKE)
        if self._waiting:
            timeout = min(timeout, PATIENCE)
        super().wait_for_and_dispatch_events(timeout)
        self._let_in_the_impatient()
        if not self.alive:
            self._cut_off_late()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:  # noqa: ARG002
        """Answer what is no request, or too large a one, before Flask sees it."""
        status = _status_of(exc)
        if status == 500:
            self.log.exception("a request failed in gunicorn")
        answer = plain_answer(getattr(req, "path", "") or "", status, _sentence(status))
        head = f"HTTP/1.1 {status} {HTTP_STATUS_CODES[status]}\r\nConnection: close\r\n"
        head += f"Content-Length: {len(answer.body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
        try:
            client.sendall(head.encode("latin-1") + b"\r\n" + answer.body)
        except OSError:
            self.log.debug("the client went away before it was told")

    def _cut_off_late(self) -> None:
        now = time.monotonic()
        for connection in list(self._busy):
            if now > connection.ends + LATE:
                _shut(connection, socket.SHUT_RDWR)
            elif now > connection.ends:
                _shut(connection, socket.SHUT_RD)

    def _take_what_waits(self) -> None:
        """Accept what clients have connected, then close the listener: what it held were reset."""
        for listener in self.sockets:
            listener.listen(0)
            before = -1
            while before != self.nr_conns:
                before = self.nr_conns
                self.accept(listener)
            listener.close()

    def _close_idle(self) -> None:
        """Close the connections that are kept alive and silent.

        One on which a request has just arrived is answered first.
        """
        while self.keepalived_conns:
            connection = self.keepalived_conns.popleft()
            self.poller.unregister(connection.sock)
            if _has_bytes(connection.sock):
                self.enqueue_req(connection)
            else:
                self.nr_conns -= 1
                connection.close()
        now = time.monotonic()
        for connection in self.pending_conns:
            connection.timeout = min(connection.timeout, now + LAST_BYTES)


def _status_of(error: Exception) -> int:
    if isinstance(error, http_errors.LimitRequestLine):
        return 414
    if isinstance(error, http_errors.LimitRequestHeaders):
        return 431
    if isinstance(error, http_errors.UnsupportedTransferCoding):
        return 501
    if isinstance(error, http_errors.ExpectationFailed):
        return 417
    return 400 if isinstance(error, http_errors.ParseException) else 500


def _sentence(status: int) -> str:
    return {
        414: "The address of the request is too long.",
        431: "The headers of the request are too many or too large.",
        501: "This transfer coding is not supported; send the body as it is, or chunked.",
        417: "Of expectations only 100-continue is met.",
        400: "This is not a well-formed HTTP request.",
    }.get(status, DETAILS[500])


def _has_buffered(conn: Connection) -> bool:
    """Tell whether the next request, or a part of it, was read along with the last one.

    It happens where an answer is sent before the body has been read; the poller, where gunicorn
    would let the connection wait, does not know of such bytes.
    """
    unreader = getattr(conn.parser, "unreader", None)
    return unreader is not None and unreader.buf.tell() > 0


def _has_bytes(sock: socket.socket) -> bool:
    try:
        return bool(sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:
        return False


def _shut(connection: Connection, how: int) -> None:
    try:
        connection.sock.shutdown(how)
    except OSError:
        util.close(connection.sock)
