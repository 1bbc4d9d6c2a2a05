"""A connection is looked at without taking what has come."""

import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from gunicorn.http.unreader import IterUnreader

from serving.server.connection import LONGEST_HEAD, Connection, peek


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, clients = socket.socketpair()
    with ours, clients:
        yield ours, clients


def connection(sock: socket.socket, buffered: bytes = b"") -> Connection:
    made = Connection.__new__(Connection)
    unreader = IterUnreader([])
    unreader.buf.write(buffered)
    made.sock, made.parser = sock, SimpleNamespace(unreader=unreader)
    return made


def test_peek_takes_nothing(pair):
    ours, clients = pair
    assert peek(ours, 9) is None
    clients.sendall(b"GET / HTTP")
    assert [peek(ours, 3), peek(ours, 99)] == [b"GET", b"GET / HTTP"]
    ours.settimeout(5)
    assert ours.recv(99) == b"GET / HTTP"
    clients.close()
    assert peek(ours, 9) == b""
    ours.close()
    assert peek(ours, 9) == b""


@pytest.mark.parametrize(
    ("buffered", "sent", "whole"),
    [
        (b"", b"", False),
        (b"", b"GET / HTTP/1.1\r\n", False),
        (b"", b"GET / HTTP/1.1\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\n\r", b"\n", True),
        (b"GET / HTTP/1.1\r\n\r\n", b"", True),
        (b"", b"x" * (LONGEST_HEAD - 1), False),
        (b"", b"x" * LONGEST_HEAD, True),
    ],
)
def test_head_is_whole(pair, buffered, sent, whole):
    ours, clients = pair
    clients.sendall(sent)
    assert connection(ours, buffered).head_is_whole() == whole


def test_head_is_whole_where_no_more_can_come(pair):
    ours, clients = pair
    clients.sendall(b"GET")
    made = connection(ours)
    assert not made.head_is_whole()
    clients.close()
    ours.recv(3)
    assert made.head_is_whole()
