"""Let a listening socket stop accepting without losing the clients that it has."""

import ctypes
import socket
import struct
import sys

SO_ATTACH_FILTER = 26  # Linux; Python's socket module does not name it
# A classic BPF program over the TCP header: (code, jump if true, jump if false, operand).
DROP_SYN = [
    (0x30, 0, 0, 13),  # load the byte of the flags
    (0x45, 0, 1, 0x02),  # is SYN among them?
    (0x06, 0, 0, 0),  # then drop the packet
    (0x06, 0, 0, 0xFFFFFFFF),  # else keep it whole
]


def turn_away(listener: socket.socket) -> None:
    """Let no new connection begin, while those that have begun can still be accepted.

    Closing a listener resets what connects between the last `accept` and the close. With this
    filter nothing connects any more: a client's SYN is dropped, and the one that it sends a second
    later is refused. See socket(7), SO_ATTACH_FILTER. Elsewhere than on Linux, and where its kernel
    wants a capability for that (CAP_NET_ADMIN) which a service should not have, the queue is made
    as short as it can be, which loses few.
    """
    if sys.platform != "linux" or not _filter(listener):
        listener.listen(0)


def _filter(listener: socket.socket) -> bool:
    """Attach the filter; tells whether that was allowed."""
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *op) for op in DROP_SYN))
    # struct sock_fprog: the number of operations, and where they are
    described = struct.pack("HP", len(DROP_SYN), ctypes.addressof(program))
    try:
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, described)
    except PermissionError:
        return False
    return True
