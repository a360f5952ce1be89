"""Read hostile documents in a process of their own, with limits on memory, time and size.

One helper process imports everything once and then only forks: each document
gets a child that lives for that document, has its own limits and cannot write
files, start processes or see this process's memory, settings or secrets. What
it answers is read as plain JSON with a size limit, since a hostile file may
have taken the child over. A child that crashes, runs out of anything or
answers nonsense makes its document ``unreadable``; a helper that cannot be
started is our own fault and raises.

The helper's side is ``verifier/sandbox_process.py``, so that nothing heavy is imported here.
What this does not do: the child runs under the same user and could read its
files. Run the verifier's service in a container of its own.
"""

import base64
import contextlib
import json
import logging
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from credential.errors import UnavailableError
from verifier.look import Look
from verifier.report import (
    BETWEEN,
    MAX_DOCUMENT_BYTES,
    MAX_REPORT_BYTES,
    BadReport,
    DocumentReport,
    decode_report,
    unreadable,
)

_START_SECONDS = 60.0  # importing everything on a busy machine
_GRACE_SECONDS = 2.0  # that the answer of a child in its last second may take
LENGTH = struct.Struct(">Q")
"""What stands before a request."""
MAX_REQUEST_BYTES = 2 * MAX_DOCUMENT_BYTES + 4 * 1024 * 1024
_TYPE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")

_logger = logging.getLogger(__name__)


class SandboxUnavailable(UnavailableError):
    """The process that reads documents could not be started."""

    code = "sandbox-unavailable"

    def __init__(self) -> None:
        super().__init__(
            "the process that reads documents did not start; see that memory and processes are left",
            "读取文件的隔离进程未能启动,请检查内存与进程数",
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may cost.

    Attributes:
        memory_bytes: address space beyond what the helper has after its imports.
        cpu_seconds: whole seconds of processor time.
        wall_seconds: whole seconds until the answer.
    """

    memory_bytes: int = 512 * 1024 * 1024
    cpu_seconds: int = 10
    wall_seconds: int = 20


class _ChildFailed(Exception):
    """The child gave no usable answer; carries the type of what went wrong, never its text."""


class Sandbox:
    """Starts the helper at the first document, and again when it has gone; safe to share among threads."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._helper: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._end: weakref.finalize[..., Sandbox] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the helper; it is started again when it is needed."""
        with self._lock:
            self._stop()

    def examine(
        self, document: bytes, *, anchors: Sequence[bytes], crls: Sequence[bytes], now: datetime
    ) -> DocumentReport:
        """Do what :func:`verifier.document.examine` does, within the limits.

        Raises:
            SandboxUnavailable: the helper does not start.
        """
        if len(document) > MAX_DOCUMENT_BYTES:
            return unreadable(f"longer than {MAX_DOCUMENT_BYTES} bytes")
        try:
            return _decode_examined(self._ask(_examine_request("examine", document, anchors, crls, now)))
        except _ChildFailed as error:
            return _unanswered(error)

    def read(
        self, document: bytes, *, anchors: Sequence[bytes], crls: Sequence[bytes], now: datetime
    ) -> tuple[DocumentReport, Look]:
        """Examine a document and look at it, in one child: what takes the child down later cannot take the report back.

        Where the report says that the document was altered, the look ends at
        the first code of ours; ask :meth:`look` where that is not enough.

        Raises:
            SandboxUnavailable: the helper does not start.
        """
        if len(document) > MAX_DOCUMENT_BYTES:
            return unreadable(f"longer than {MAX_DOCUMENT_BYTES} bytes"), Look(is_readable=False)
        try:
            examined, _, looked = self._ask(_examine_request("read", document, anchors, crls, now)).partition(BETWEEN)
        except _ChildFailed as error:
            return _unanswered(error), self.look(document)
        try:
            report = _decode_examined(examined)
        except _ChildFailed as error:
            report = _unanswered(error)
        # A child that ended before it had looked may have used up its limits: the page gets limits of its own.
        return report, _decode_look(looked) if looked else self.look(document)

    def look(self, document: bytes) -> Look:
        """Draw the first page, or open a picture, and read its QR codes and its text, within the limits.

        Raises:
            SandboxUnavailable: the helper does not start.
        """
        if len(document) > MAX_DOCUMENT_BYTES:
            return Look(is_readable=False)
        try:
            return _decode_look(self._ask({"task": "look", "document": _base64(document)}))
        except _ChildFailed:
            return Look(is_readable=False)

    def _ask(self, request: Mapping[str, Any]) -> bytes:
        """Send one request to a child of its own; gives the answer, whatever it is."""
        here, there = socket.socketpair()
        with here:
            with there:
                self._hand_over(there)
            here.settimeout(self._limits.wall_seconds + _GRACE_SECONDS)
            message = json.dumps({**request, "limits": self._limits_object()}).encode()
            try:
                here.sendall(LENGTH.pack(len(message)) + message)
            except OSError as error:  # the child is gone
                raise _ChildFailed(type(error).__name__) from error
            return _read_to_end(here, 2 * MAX_REPORT_BYTES)

    def _limits_object(self) -> list[int]:
        return [self._limits.memory_bytes, self._limits.cpu_seconds, self._limits.wall_seconds]

    def _hand_over(self, connection: socket.socket) -> None:
        """Give the helper one end of a connection, starting the helper where it is gone."""
        with self._lock:
            for _ in range(2):
                control = self._control or self._start()
                try:
                    socket.send_fds(control, [b"\0"], [connection.fileno()])
                except OSError:
                    self._stop()
                else:
                    return
        raise SandboxUnavailable

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        paths = [str(Path(entry).resolve()) for entry in sys.path]
        with theirs:
            try:
                self._helper = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-m", "verifier.sandbox_process", str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    env={"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"},  # no secrets
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            except OSError as error:
                ours.close()
                raise SandboxUnavailable from error
        self._control = ours
        self._end = weakref.finalize(self, _end_helper, ours, self._helper)  # with its sandbox, if nobody closes that
        ours.settimeout(_START_SECONDS)
        try:
            is_ready = ours.recv(1) == b"\1"
        except OSError:
            is_ready = False
        if not is_ready:
            self._stop()
            raise SandboxUnavailable
        return ours

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._end is not None:
            self._end()
        self._control = self._helper = self._end = None


def _end_helper(control: socket.socket, helper: "subprocess.Popen[bytes]") -> None:
    control.close()
    helper.kill()
    helper.wait()


def _read_to_end(connection: socket.socket, limit: int) -> bytes:
    """Read until the other side closes or the time is up, at most ``limit`` bytes and one part.

    What came before a child was ended is kept: of two answers the first may be there.
    """
    parts: list[bytes] = []
    length = 0
    with contextlib.suppress(OSError):
        while length <= limit and (part := connection.recv(1 << 16)):
            parts.append(part)
            length += len(part)
    return b"".join(parts)


def _raise_failure(answer: bytes) -> None:
    """Raise when the child says that it failed; log the type alone."""
    try:
        failed = json.loads(answer).get("failed")
    except (ValueError, AttributeError, RecursionError):
        return  # the caller's decoder says what is wrong
    if failed is not None:
        kind = failed if isinstance(failed, str) and _TYPE_NAME.fullmatch(failed) else "BadReport"
        _logger.debug("a document could not be read: %s", kind)  # ends in a verdict, not on a screen
        raise _ChildFailed(kind)


def _decode_examined(answer: bytes) -> DocumentReport:
    """Read the report of a child; raises _ChildFailed when it says that it failed."""
    _raise_failure(answer)
    try:
        return decode_report(answer)
    except BadReport:
        return unreadable("the examination ended without an answer")


def _unanswered(error: _ChildFailed) -> DocumentReport:
    return unreadable(f"the examination ended without an answer: {error}")


def _decode_look(answer: bytes) -> Look:
    """Read what a child saw; a child that failed, or says something else, saw nothing."""
    if len(answer) > MAX_REPORT_BYTES:
        return Look(is_readable=False)
    try:
        _raise_failure(answer)
        value = json.loads(answer)
        symbols, text, is_whole = tuple(value["symbols"]), value["text"], value["is_whole"]
    except (_ChildFailed, ValueError, TypeError, KeyError, RecursionError):
        return Look(is_readable=False)
    is_look = all(isinstance(part, str) for part in (*symbols, text)) and isinstance(is_whole, bool)
    return Look(symbols, text, is_whole=is_whole) if is_look else Look(is_readable=False)


def _examine_request(
    task: str, document: bytes, anchors: Sequence[bytes], crls: Sequence[bytes], now: datetime
) -> dict[str, Any]:
    return {
        "task": task,
        "document": _base64(document),
        "anchors": [_base64(anchor) for anchor in anchors],
        "crls": [_base64(crl) for crl in crls],
        "now": now.isoformat(),
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
