"""The sandbox's helper and its children: imports everything once, then forks a child for each document.

Started as a process by ``verifier/sandbox.py``, which says what for.
"""

import contextlib
import json
import logging
import os
import resource
import signal
import socket
import sys
from pathlib import Path

from verifier.framing import read_exactly
from verifier.reading_tasks import answers_to, warm
from verifier.sandbox import LENGTH, MAX_REQUEST_BYTES


def limit_process(memory_bytes: int, cpu_seconds: int, wall_seconds: int) -> None:
    """Limit this process for good: memory beyond what it has, time, and everything else to nothing."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    space = pages * resource.getpagesize() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(wall_seconds)


def answer_connection(connection: socket.socket) -> None:
    """Read one request, answer it and hang up: the life of a child."""
    length = LENGTH.unpack(read_exactly(connection, LENGTH.size))[0]
    if length > MAX_REQUEST_BYTES:
        return
    message = read_exactly(connection, length)
    limit_process(*json.loads(message)["limits"])
    with contextlib.suppress(OSError):
        for answer in answers_to(message):
            connection.sendall(answer)


def serve(control: socket.socket) -> None:
    """Fork a child for every connection that is handed over, until the other side hangs up."""
    logging.disable(logging.CRITICAL)  # pyHanko logs what documents hold
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are not waited for
    warm()
    control.sendall(b"\1")
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        connection = socket.socket(fileno=descriptors[0])
        if os.fork() == 0:
            try:
                control.close()
                answer_connection(connection)
            finally:
                os._exit(0)
        connection.close()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
