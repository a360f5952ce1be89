"""Read uploads in a process of their own: what brings the reader down, or uses up its limits, harms nobody else.

The readers of workbooks and pictures are native code. One helper process for
each of a few slots imports everything once and only forks; each upload gets a
child that lives for it, cannot write what it should not, start processes or see
this process's memory, settings or secrets (``service/reading_child.py``). What
it answers is checked as if it came from outside, since a hostile file may have
taken it over (``service/reading_answers.py``).

What this does not do: the child runs under the same user and could read its
files. Keys in the data folder are sealed under the passphrase, which a child
is not given.

The command line reads in its own process: a fault there ends that command only.
"""

import contextlib
import io
import logging
import os
import pickle
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Protocol, Self, TypeVar

from credential.errors import Error, InputError, UnavailableError
from credential.model import Record
from credential.schema import RecordSchema
from intake.annotate import Checked, annotate, refuse_target, write_new
from intake.annotated import AnnotatedCopy
from intake.errors import FileTooLarge
from intake.records import IntakeResult, read_records
from service.reading_answers import BadAnswer, Failure, Fault, Frames, OutOfMemory, Refused
from service.reading_tasks import DIED, DONE, REQUEST, TOO_SLOW, WALL, CopyTask, Limits, ReadTask, Task

READERS = 2
"""Uploads read at once; more would only divide processors and memory."""

MAX_WAITING = 6
"""Requests that wait for a reader; each holds a thread that verifying needs as well."""

MAX_WAIT_SECONDS = 20.0

_MEGABYTE = 1_000_000
_MEMORY_BYTES = 2_000_000_000  # 50,000 rows of 12 columns took 0.2 GB, a list of their problems 0.3 GB
_CPU_SECONDS = 120
_COPY_BYTES = 1_000_000_000  # of one part of an annotated copy, unpacked
_PHOTO_GROWTH = 4  # a photo that had to be written again may be larger than it was
_START_SECONDS = 60.0  # importing everything on a busy machine
_GRACE_SECONDS = 5.0
_BUFFER_BYTES = 1 << 18
_LOST = b""

_logger = logging.getLogger(__name__)
_T = TypeVar("_T")


class ReaderDied(InputError):
    """The process that read an upload came to its end."""

    code = "reader-died"

    def __init__(self, file: str) -> None:
        super().__init__(
            f"{file} brought down the process that reads files, and nothing else; open it in Excel or WPS, save it as "
            "a new .xlsx workbook, pack the photos again, and send them once more",
            f"读取 {file} 的进程意外终止, 其他业务不受影响; 请用 Excel 或 WPS 打开后另存为新的 .xlsx, "
            "照片重新打包, 再提交一次",
        )


class ReaderTooSlow(InputError):
    """Reading an upload took longer than it may."""

    code = "reader-too-slow"

    def __init__(self, file: str, limits: Limits) -> None:
        super().__init__(
            f"reading {file} took more than {limits.cpu_seconds} seconds of work or {limits.wall_seconds} in all; "
            "split it into smaller files, or save it as a new .xlsx workbook",
            f"读取 {file} 超过 {limits.cpu_seconds} 秒处理时间或 {limits.wall_seconds} 秒总时间; "
            "请拆分后分别提交, 或另存为新的 .xlsx",
        )


class IntakeBusy(UnavailableError):
    """As many uploads are read, and wait, as may."""

    code = "intake-busy"

    def __init__(self) -> None:
        super().__init__(
            "other files are being read just now; send it again in a moment", "正在读取其他文件; 请稍后再次提交"
        )


class ReaderUnavailable(UnavailableError):
    """The process that reads uploads does not start."""

    code = "reader-unavailable"

    def __init__(self) -> None:
        super().__init__(
            "the process that reads files did not start; see that memory and processes are left",
            "读取文件的进程未能启动; 请检查内存与进程数",
        )


class Reader(Protocol):
    """Reads spreadsheets with their photos, and marks problems in them."""

    def read(self, file: Path, schema: RecordSchema, *, photos: Path | None, today: date) -> IntakeResult:
        """See ``intake.records.read_records``."""
        ...

    def annotate(self, file: Path, checked: Checked, *, to: Path) -> AnnotatedCopy:
        """See ``intake.annotate.annotate``."""
        ...


class ReaderHere:
    """Reads in this process; for the command line."""

    def read(self, file: Path, schema: RecordSchema, *, photos: Path | None, today: date) -> IntakeResult:
        """See :class:`Reader`."""
        return read_records(file, schema, photos=photos, today=today)

    def annotate(self, file: Path, checked: Checked, *, to: Path) -> AnnotatedCopy:
        """See :class:`Reader`."""
        return annotate(file, checked, to=to)


def usual_limits(file: Path, photos: Path | None) -> Limits:
    """Limits by the sizes of the files, so that what may be uploaded may also be read."""
    sizes = [one.stat().st_size for one in (file, photos) if one is not None and one.exists()]
    cpu_seconds = _CPU_SECONDS + sum(sizes) // _MEGABYTE
    return Limits(_MEMORY_BYTES + 2 * sum(sizes[1:]), cpu_seconds, 2 * cpu_seconds)


class UploadReader:
    """Reads in processes of their own; safe to share among threads, and started at the first upload.

    Args:
        readers: uploads read at once.
        limits_of: what reading a sheet with its photos may cost.
        wait_seconds: until a request that finds every reader at work is sent away.
        module: what a helper runs.
    """

    def __init__(
        self,
        readers: int = READERS,
        *,
        limits_of: Callable[[Path, Path | None], Limits] = usual_limits,
        wait_seconds: float = MAX_WAIT_SECONDS,
        module: str = "service.reading_child",
    ) -> None:
        self._helpers = [_Helper(module) for _ in range(readers)]
        self._free: queue.LifoQueue[_Helper] = queue.LifoQueue()  # one that runs is taken before one that must start
        for helper in reversed(self._helpers):
            self._free.put(helper)
        self._limits_of = limits_of
        self._wait_seconds = wait_seconds
        self._may_wait = threading.BoundedSemaphore(MAX_WAITING)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the helpers, with whatever they read; they start again when they are needed."""
        for helper in self._helpers:
            helper.stop()

    def read(self, file: Path, schema: RecordSchema, *, photos: Path | None, today: date) -> IntakeResult:
        """See :class:`Reader`.

        Raises:
            InputError: the file or the archive is refused as a whole.
            ReaderDied, ReaderTooSlow: reading it ended without a result.
            IntakeBusy: too many others are being read.
            ReaderUnavailable: there is no process to read with.
        """
        limits = self._limits_of(file, photos)
        most = _PHOTO_GROWTH * photos.stat().st_size + _MEGABYTE if photos is not None and photos.exists() else 0
        task = ReadTask(file.absolute(), schema, None if photos is None else photos.absolute(), today)
        return self._run(task, limits, most, lambda frames: frames.result(schema))

    def annotate(self, file: Path, checked: Checked, *, to: Path) -> AnnotatedCopy:
        """See :class:`Reader`; raises as :meth:`read`."""
        refuse_target(to)
        limits = replace(self._limits_of(file, None), written_bytes=_COPY_BYTES)
        with tempfile.TemporaryDirectory(prefix="yinzheng-reading-") as scratch:
            task = CopyTask(file.absolute(), _without_photos(checked), Path(scratch))
            content, made = self._run(task, limits, 0, Frames.copy)
        write_new(to, content)
        return made

    def _run(self, task: Task, limits: Limits, max_photo_bytes: int, take: Callable[[Frames], _T | Failure]) -> _T:
        with self._helper() as helper:
            answer, ending = helper.ask(pickle.dumps((limits, task)), limits.wall_seconds, max_photo_bytes, take)
        name = task.file.name
        if ending == _LOST:
            raise ReaderUnavailable
        if ending == TOO_SLOW:
            raise ReaderTooSlow(name, limits)
        if isinstance(answer, Refused):
            raise _refusal(answer) or ReaderDied(name)
        if isinstance(answer, OutOfMemory):
            raise _too_large(name, limits)
        if ending != DONE or answer is None or isinstance(answer, Fault):
            why = answer.place if isinstance(answer, Fault) else f"ended as {ending.decode()}, without an answer"
            _logger.error("an upload brought its reader down: %s", why)
            raise ReaderDied(name)
        return answer

    @contextlib.contextmanager
    def _helper(self) -> Iterator["_Helper"]:
        helper = self._take()
        try:
            yield helper
        finally:
            self._free.put(helper)

    def _take(self) -> "_Helper":
        with contextlib.suppress(queue.Empty):
            return self._free.get_nowait()
        if not self._may_wait.acquire(blocking=False):
            raise IntakeBusy
        try:
            return self._free.get(timeout=self._wait_seconds)
        except queue.Empty as error:
            raise IntakeBusy from error
        finally:
            self._may_wait.release()


class _Helper:
    """One helper process; used by one thread at a time, stopped by any."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._end: weakref.finalize[..., _Helper] | None = None

    def ask(
        self, request: bytes, wall_seconds: int, max_photo_bytes: int, take: Callable[[Frames], _T | Failure]
    ) -> tuple[_T | Failure | None, bytes]:
        """Have a child do one task; gives its answer, or None, and how it ended."""
        here, there = socket.socketpair()
        with here:
            here.settimeout(wall_seconds + _GRACE_SECONDS)
            with there:
                control = self._hand_over(there, wall_seconds)
            try:
                here.sendall(REQUEST.pack(len(request)) + request)
                with io.BufferedReader(here.makefile("rb", buffering=0), _BUFFER_BYTES) as frames:
                    answer = take(Frames(frames, max_photo_bytes))
            except (BadAnswer, OSError):
                answer = None
        # Where the answer was cut short the child may still run; where it ended, the helper ignores this.
        try:
            if answer is None:
                control.sendall(b"\0")
            ending = control.recv(1)
        except OSError:
            ending = _LOST
        if ending not in {DONE, TOO_SLOW, DIED}:
            self.stop()
        return answer, ending

    def stop(self) -> None:
        """End the helper and its child; it is started again when it is needed."""
        with self._lock:
            if self._end is not None:
                self._end()
            self._control = self._process = self._end = None

    def _hand_over(self, connection: socket.socket, wall_seconds: int) -> socket.socket:
        """Give the helper one end of a connection, starting the helper where it is gone."""
        for _ in range(2):
            control = self._control or self._start()
            try:
                socket.send_fds(control, [WALL.pack(wall_seconds)], [connection.fileno()])
            except OSError:
                self.stop()
            else:
                return control
        raise ReaderUnavailable

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # messages stay apart
        paths = [str(Path(entry).resolve()) for entry in sys.path]
        with self._lock, theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-P", "-m", self._module, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    env={  # no secrets; and no threads of libraries, since the helper forks
                        "PYTHONPATH": os.pathsep.join(paths),
                        "PYTHONDONTWRITEBYTECODE": "1",
                        "OPENBLAS_NUM_THREADS": "1",
                        "OMP_NUM_THREADS": "1",
                    },
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for the service, which answers what it has begun
                )
            except OSError as error:
                ours.close()
                raise ReaderUnavailable from error
            self._control = ours
            self._end = weakref.finalize(
                self, _end_helper, ours, self._process
            )  # with its reader, if nobody closes that
        ours.settimeout(_START_SECONDS)
        try:
            is_ready = ours.recv(1) == DONE
        except OSError:
            is_ready = False
        if not is_ready:
            self.stop()
            raise ReaderUnavailable
        return ours


def _end_helper(control: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(OSError):
        control.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for its answer
    control.close()
    try:
        process.wait(_GRACE_SECONDS)  # it ends its child first
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _without_photos(checked: Checked) -> IntakeResult:
    """What marking needs of a check."""
    rows: list[Record] = [replace(record, photo=None) for record in checked.records]
    return IntakeResult(
        records=tuple(rows),
        problems=tuple(checked.problems),
        shape="",
        sheet=checked.sheet,
        row_count=checked.row_count,
        headings={},
        header_row=checked.header_row,
        delimiter=checked.delimiter,
    )


def _refusal(told: Refused) -> Error | None:
    """The error of intake that the child raised; None for a code that intake does not have."""
    waiting: list[type[Error]] = [InputError]
    while waiting:
        kind = waiting.pop()
        if kind.code == told.code and kind.__module__.partition(".")[0] in {"intake", "credential"}:
            error = kind.__new__(kind, told.en)
            InputError.__init__(error, told.en, told.zh)
            return error
        waiting += kind.__subclasses__()
    return None


def _too_large(file: str, limits: Limits) -> FileTooLarge:
    megabytes = limits.memory_bytes // _MEGABYTE
    return FileTooLarge(file, f"reading it takes more than {megabytes:,} MB", f"读取需要超过 {megabytes:,} MB 内存")


HERE: Reader = ReaderHere()
"""Reads where it is called."""
