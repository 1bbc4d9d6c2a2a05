"""A client's connection: what it has said so far, and until when it may take for what."""

import socket

from gunicorn import util
from gunicorn.workers.gthread import TConn

USUAL_HEAD = 1024  # bytes
LONGEST_HEAD = 16_384  # bytes; a longer one is read by a thread, within the same time


class Connection(TConn):  # type: ignore[misc]
    """A connection, and until when it may take for what."""

    head_by = 0.0  # when the headers have to be here
    since = 0.0  # when it began to wait for a turn
    ends = 0.0  # when the request under way has to be answered

    def buffered(self) -> bytes:
        """Return what was read of the next request along with the last one.

        It happens where an answer is sent before the body has been read; the poller, where gunicorn
        would let the connection wait, does not know of such bytes.
        """
        unreader = getattr(self.parser, "unreader", None)
        return b"" if unreader is None else unreader.buf.getvalue()

    def head_is_whole(self) -> bool:
        """True if a request's headers are complete, or no more can or may come."""
        seen = peek(self.sock, USUAL_HEAD)
        if seen == b"" or (seen is not None and b"\r\n\r\n" in seen):
            return True
        head = self.buffered() + (peek(self.sock, LONGEST_HEAD) or b"")
        return b"\r\n\r\n" in head or len(head) >= LONGEST_HEAD

    def shut(self, how: int) -> None:
        """End reading, or reading and writing, whoever waits for either."""
        try:
            self.sock.shutdown(how)
        except OSError:
            util.close(self.sock)


def peek(sock: socket.socket, most: int) -> bytes | None:
    """Look at what has come without taking it; None where nothing has."""
    try:
        return sock.recv(most, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b""
