import socket
import sys
import threading

import pytest

from serving.server.listener import turn_away

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        server.settimeout(5)
        yield server


def test_what_has_connected_can_still_be_accepted_and_speaks(listener):
    client = socket.create_connection(listener.getsockname(), timeout=5)
    turn_away(listener)
    client.sendall(b"hello")
    accepted, _ = listener.accept()
    with client, accepted:
        assert accepted.recv(5) == b"hello"
        accepted.sendall(b"bye")
        assert client.recv(3) == b"bye"


class Unprivileged(socket.socket):
    """A listener of a process that may not attach a filter."""

    def setsockopt(self, *_):
        raise PermissionError(1, "Operation not permitted")


def test_without_the_right_to_a_filter_what_has_connected_is_still_accepted():
    with Unprivileged() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        listener.settimeout(5)
        client = socket.create_connection(listener.getsockname(), timeout=5)
        turn_away(listener)
        accepted, _ = listener.accept()
        with client, accepted:
            accepted.sendall(b"bye")
            assert client.recv(3) == b"bye"


def test_nobody_new_connects(listener):
    turn_away(listener)
    with pytest.raises(TimeoutError):
        socket.create_connection(listener.getsockname(), timeout=0.2)


def test_who_was_turned_away_is_refused_once_the_listener_is_closed(listener):
    turn_away(listener)
    threading.Timer(0.2, listener.close).start()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(listener.getsockname(), timeout=10)
