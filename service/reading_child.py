"""The process that reads uploads: a helper that imports everything once, and a child of it for every file.

The helper never looks at a file. It forks, waits for the child, ends it when
its time is over or the service is gone, and says how it ended. A child works on
one upload, within limits on memory, time and what it may write, and answers in
the frames of ``service/reading_answers.py``.
"""

import contextlib
import gc
import io
import logging
import os
import pickle
import resource
import select
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from credential.errors import Error
from intake.annotate import make_copy
from intake.records import read_records
from service.reading_answers import copy_frames, fault_frame, memory_frame, refused_frame, result_frames
from service.reading_tasks import DIED, DONE, REQUEST, TOO_SLOW, WALL, Limits, ReadTask, Task
from verifier.framing import read_exactly

_FIRST_TO_GO = "1000"
_BUFFER_BYTES = 1 << 18


def serve(control: socket.socket) -> None:
    """Fork a child for every connection that is handed over, until the service hangs up."""
    gc.freeze()  # else the first collection in a child copies every page of the helper
    control.sendall(DONE)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, WALL.size, 1)
        if not message:
            return
        if not descriptors:
            continue  # given up by the service just when it ended by itself
        connection = socket.socket(fileno=descriptors[0])
        child = os.fork()
        if child == 0:
            control.close()
            _work(connection)
        connection.close()
        ending = _wait(child, WALL.unpack(message)[0], control)
        with contextlib.suppress(OSError):
            control.sendall(ending)


def _wait(child: int, wall_seconds: int, control: socket.socket) -> bytes:
    """Wait for a child; end it when its time is over, or when the service gives it up or is gone."""
    handle = os.pidfd_open(child)
    try:
        ready, _, _ = select.select([handle, control.fileno()], [], [], wall_seconds)
        if handle not in ready:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(handle)
    _, status = os.waitpid(child, 0)
    if not ready or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        return TOO_SLOW
    return DONE if status == 0 else DIED


def _work(connection: socket.socket) -> None:
    """Answer one request; the life of a child."""
    with _Ending(connection):
        length = REQUEST.unpack(read_exactly(connection, REQUEST.size))[0]
        # From the service itself, over a socket that nobody else has.
        limits, task = pickle.loads(read_exactly(connection, length))  # noqa: S301 - see above
        limit_process(limits)
        try:
            frames = _frames(task)
            with io.BufferedWriter(connection.makefile("wb", buffering=0), _BUFFER_BYTES) as answer:
                answer.writelines(frames)
        except Error as error:
            connection.sendall(refused_frame(error))
        except MemoryError:
            connection.sendall(memory_frame())


class _Ending:
    """Ends the process in every case; a forked child must not return into the loop of the helper."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is not None:
                self._connection.sendall(fault_frame(_place(kind, trace)))
        finally:
            os._exit(0 if kind is None else 1)


def _place(kind: type[BaseException], trace: TracebackType | None) -> str:
    """Where something was raised; messages may quote the file."""
    where = "?"
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename.rpartition("/")[2]
        where, trace = f"{name}:{trace.tb_lineno}", trace.tb_next
    return f"{kind.__name__} at {where}"


def _frames(task: Task) -> Iterator[bytes]:
    if isinstance(task, ReadTask):
        return result_frames(read_records(task.file, task.schema, photos=task.photos, today=task.today))
    tempfile.tempdir = str(task.scratch)  # of openpyxl's and XlsxWriter's files
    return copy_frames(*make_copy(task.file, task.checked))


def limit_process(limits: Limits) -> None:
    """Limit this process for good: memory beyond what it has, time, what it writes; no core, no processes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    space = pages * resource.getpagesize() + limits.memory_bytes
    # Where memory ends for all, it is this process that the system is to end.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, encoding="ascii")
    _set(resource.RLIMIT_AS, space)
    _set(resource.RLIMIT_CPU, limits.cpu_seconds, 2)  # first a signal that says so, then the end
    _set(resource.RLIMIT_FSIZE, limits.written_bytes)
    _set(resource.RLIMIT_CORE, 0)  # it would hold personal data
    _set(resource.RLIMIT_NPROC, 0)


def _set(kind: int, soft: int, beyond: int = 0) -> None:
    most = resource.getrlimit(kind)[1]
    wanted = [soft, soft + beyond]
    if most != resource.RLIM_INFINITY:
        wanted = [min(one, most) for one in wanted]
    resource.setrlimit(kind, (wanted[0], wanted[1]))


def main(arguments: list[str]) -> Any:
    """Serve on the socket whose number is given."""
    logging.disable(logging.CRITICAL)  # libraries log what files hold
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the service ends it, once its requests are answered
    serve(socket.socket(fileno=int(arguments[1])))


if __name__ == "__main__":
    main(sys.argv)
