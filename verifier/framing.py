"""Messages of a known length over the sockets of the processes that read strangers' files."""

import socket

_AT_ONCE = 1 << 20


def read_exactly(connection: socket.socket, length: int) -> bytes:
    """Read so many bytes.

    Raises:
        EOFError: the other side hung up before.
    """
    message = bytearray()
    while len(message) < length:
        part = connection.recv(min(_AT_ONCE, length - len(message)))
        if not part:
            raise EOFError
        message += part
    return bytes(message)
