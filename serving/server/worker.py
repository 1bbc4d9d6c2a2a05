"""gunicorn's threaded worker, for a service that must stay up among slow clients and restarts.

What is added to gunicorn's own (26.2):

- A thread is given to a request only once its headers have all come, and for no longer than the
  deadline; then reading ends, and a little later writing too. What remains of a body after an
  early answer is not waited for, and a connection that closes lingers without a thread.
- Two threads work at a time and take what waits in its order; more join in only where those wait
  for slow clients. Python runs one thread at a time anyway, in no order: with sixteen that were
  ready the p99 was five times as long.
- After SIGTERM idle connections are closed at once instead of waited for, and those already in the
  listener's queue are still answered.
- What gunicorn itself refuses is answered in our shape of an error, not as an HTML page.
"""

import os
import select
import selectors
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Lock, local
from typing import Any, NamedTuple

from gunicorn import glogging
from gunicorn.workers.gthread import ThreadWorker

from serving.config import read_settings
from serving.log import logger, new_request_id
from serving.model.runs import end_overdue
from serving.server.connection import Connection, peek
from serving.server.http_errors import refusal, status_of
from serving.server.http_request import BROKEN_BODY, prepare
from serving.web.explaining import STEP_ASIDE

RUNNING = 2  # threads at work at a time; with 3 the p99 is a third longer, and no more is answered
PATIENCE = 0.05  # seconds that a connection waits for its turn, which slow clients may hold
HEAD = 5.0  # seconds for the headers of a request, or the silence of a new connection
LAST_HEAD = 1.0  # the same, after SIGTERM
REST = 0.05  # seconds for the rest of a body that was answered without being read
LINGER = 1.0  # seconds for a client to take its answer, before what it still sends resets it
GLANCE = 0.02  # seconds between looks at heads that have come in part
LATE = 5.0  # seconds after the deadline, until a client that does not read is given up
SETTLE = 0.05  # seconds for a handshake under way, before the listener is closed
BOOT_PAUSE = 1.0  # seconds after a start that failed, before the next
WAKE = 0.2  # seconds between looks at the clock after SIGTERM


class ErrorLog(glogging.Logger):  # type: ignore[misc]
    """gunicorn's log without its access log, which the front writes."""

    def access(self, *_: Any) -> None:
        """Write nothing: gunicorn would put a line together for any `logconfig_dict`."""


class Done(NamedTuple):
    """Whether a connection is to be kept, in the form of the future that gunicorn asks."""

    value: Any

    def cancelled(self) -> bool:
        return False

    def result(self) -> Any:
        return self.value


class Worker(ThreadWorker):  # type: ignore[misc]
    """Serves with threads; see the module."""

    wsgi: Callable[..., Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline = read_settings().deadline
        self._busy: set[Connection] = set()
        # Connections that have something to say and wait for their turn, the oldest first.
        self._waiting: deque[Connection] = deque()
        self._turns = RUNNING
        self._lock = Lock()
        self._here = local()
        # Connections whose request's head has come in part, and those that are being closed.
        self._partial: deque[Connection] = deque()
        self._lingering: deque[Connection] = deque()

    def init_process(self) -> None:
        """Start, and serve until told to end.

        One that replaces another and cannot start ends alone, and the next is tried: gunicorn
        would end the service, which goes on with the workers that it has.
        """
        try:
            super().init_process()
        except Exception:
            if self.booted or self.age <= self.cfg.workers:
                raise
            self.log.exception("worker %d cannot start; another one is tried", self.pid)
            time.sleep(BOOT_PAUSE)
            sys.exit(1)

    def accept(self, listener: socket.socket) -> None:
        """Take a new connection, and wait for its first bytes without a thread."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:  # no file descriptor is left: those in use will be given back
            self.log.warning("no connection can be accepted: %s", error.strerror)
            time.sleep(GLANCE)
            return
        self.nr_conns += 1
        connection = Connection(self.cfg, client, address, listener.getsockname())
        connection.timeout = time.monotonic() + (HEAD if self.alive else LAST_HEAD)
        self.pending_conns.append(connection)
        readable = partial(self.on_pending_socket_readable, connection)
        self.poller.register(client, selectors.EVENT_READ, readable)

    def enqueue_req(self, conn: Connection) -> None:
        """Take up a connection that has something to say; its head may have come in part."""
        conn.head_by = time.monotonic() + HEAD
        if not self._dispatch_whole(conn):
            self._partial.append(conn)

    def _dispatch_whole(self, conn: Connection) -> bool:
        if not conn.head_is_whole():
            return False
        self._dispatch(conn)
        return True

    def _dispatch(self, conn: Connection) -> None:
        """Hand a connection to a thread, or queue it."""
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
            while keep and self.alive and conn.buffered() and conn.head_is_whole():
                keep = self._answer(conn)
        finally:
            self._busy.discard(conn)
        return keep

    def finish_request(self, conn: Connection, fs: Done) -> None:
        """Keep a connection for its next request, or let it close."""
        if not fs.result() or not self.alive:
            self._let_go(conn)
        elif conn.buffered():
            self.enqueue_req(conn)
        else:
            super().finish_request(conn, fs)

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        # gunicorn would wait five seconds, in this thread, for a body that nobody wanted.
        try:
            return keepalive and bool(conn.parser.finish_body(deadline=time.monotonic() + REST))
        except BROKEN_BODY:  # it has been answered
            return False

    def _let_go(self, conn: Connection) -> None:
        """Close for writing, then wait without a thread until the client has seen it."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(conn)
            return
        conn.timeout = time.monotonic() + LINGER
        self._lingering.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._discard, conn))

    def _discard(self, conn: Connection, client: socket.socket) -> None:
        try:
            ended = not client.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            ended = True
        if ended:
            self._lingering.remove(conn)
            self.poller.unregister(client)
            self._drop(conn)

    def _drop(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()

    def _look_around(self) -> None:
        """Do what is due by the clock; runs in the loop of the worker's main thread."""
        now = time.monotonic()
        if self._waiting:
            self._let_in_the_impatient(now)
        for conn in list(self._partial):
            if self._dispatch_whole(conn):
                self._partial.remove(conn)
            elif now > conn.head_by:
                self._partial.remove(conn)
                self._drop(conn)
        while self._lingering and now > self._lingering[0].timeout:
            conn = self._lingering.popleft()
            self.poller.unregister(conn.sock)
            self._drop(conn)
        if not self.alive:
            self._cut_off_late()

    def load_wsgi(self) -> None:
        """Load the application, and let it give its turn away while a request waits."""
        super().load_wsgi()
        app = self.wsgi

        def with_turn(environ: dict[str, Any], start_response: Any) -> Any:
            environ[STEP_ASIDE] = self._give_turn_away
            return app(environ, start_response)

        self.wsgi = with_turn

    def _work(self, conn: Connection | None, *, has_turn: bool) -> None:
        """Answer one connection after the other, while there are any; runs in a thread."""
        self._here.has_turn = has_turn
        while conn is not None:
            keep: Any = False
            try:
                keep = self.handle(conn)
            except Exception:  # the turn would be lost with it, and nobody asks the future
                self.log.exception("a connection failed in gunicorn")
            finally:
                self.method_queue.defer(self.finish_request, conn, Done(keep))
            conn = self._next() if self._here.has_turn else None

    def _give_turn_away(self) -> None:
        """Let another thread work in the place of this one, which goes on without a turn."""
        if self._here.has_turn:
            self._here.has_turn = False
            if (conn := self._next()) is not None:
                self.tpool.submit(self._work, conn, has_turn=True)

    def _next(self) -> Connection | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._turns += 1
        return None

    def _let_in_the_impatient(self, now: float) -> None:
        """Answer those without a turn for whom slow clients have left none."""
        while True:
            with self._lock:
                if not self._waiting or now - self._waiting[0].since < PATIENCE:
                    return
                conn = self._waiting.popleft()
            self.tpool.submit(self._work, conn, has_turn=False)

    def _answer(self, conn: Connection) -> Any:
        conn.ends = time.monotonic() + HEAD
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        conn.ends = time.monotonic() + self._deadline
        prepare(req)
        return super().handle_request(req, conn)

    def notify(self) -> None:
        """Notify the arbiter that this worker lives; called about once a second."""
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
        if not self.alive or self._lingering:
            timeout = min(timeout, WAKE)
        if self._waiting or self._partial:
            timeout = min(timeout, GLANCE)
        super().wait_for_and_dispatch_events(timeout)
        self._look_around()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:  # noqa: ARG002
        """Answer what is no request, or too large a one, before Flask sees it."""
        status, request_id = status_of(exc), new_request_id()
        if status == 500:
            self.log.exception("request %s failed in gunicorn", request_id)
        else:
            logger.warning("request %s was refused by gunicorn: %d", request_id, status)
        try:
            client.sendall(refusal(getattr(req, "path", "") or "", status, request_id))
        except OSError:
            self.log.debug("the client went away before it was told")

    def _cut_off_late(self) -> None:
        end_overdue()
        now = time.monotonic()
        for connection in list(self._busy):
            if now > connection.ends + LATE:
                connection.shut(socket.SHUT_RDWR)
            elif now > connection.ends:
                connection.shut(socket.SHUT_RD)

    def _take_what_waits(self) -> None:
        """Accept what clients have connected, then close the listener: what it held were reset."""
        enough = time.monotonic() + WAKE
        for listener in self.sockets:
            while time.monotonic() < enough and select.select([listener], [], [], SETTLE)[0]:
                self.accept(listener)
            listener.close()

    def _close_idle(self) -> None:
        """Close the connections that are kept alive and silent.

        One on which a request has just arrived is answered first.
        """
        while self.keepalived_conns:
            connection = self.keepalived_conns.popleft()
            self.poller.unregister(connection.sock)
            if peek(connection.sock, 1):
                self.enqueue_req(connection)
            else:
                self._drop(connection)
        now = time.monotonic()
        for connection in self.pending_conns:
            connection.timeout = min(connection.timeout, now + LAST_HEAD)
        for connection in self._partial:
            connection.head_by = min(connection.head_by, now + LAST_HEAD)
