"""A document is examined and looked at in one child; what happens to the one leaves the other as it is."""

import gc
import json
import os
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.verifier.making import NOW, Identity, write_pdf
from tests.verifier.test_sandbox import request_for
from verifier import reading_tasks
from verifier import sandbox as sandbox_module
from verifier.document import examine
from verifier.look import Look, look_at
from verifier.reading_tasks import warm
from verifier.report import BETWEEN, MAX_REPORT_BYTES, DocumentReport, Integrity, Trust, decode_report, encode_report
from verifier.sandbox import Sandbox
from verifier.sandbox_process import answer_connection
from verifier.specimen import MOMENT, specimen


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as shared:
        yield shared


def test_reading_is_examining_and_looking(sandbox: Sandbox, signed: bytes, root: Identity) -> None:
    for document in (signed, signed + b"x", write_pdf(), b"", b"no document"):
        report, look = sandbox.read(document, anchors=[root.der], crls=[], now=NOW)
        assert report == sandbox.examine(document, anchors=[root.der], crls=[], now=NOW)
        assert look == sandbox.look(document)


def scripted(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, *answers: bytes) -> list[str]:
    """Let children send these answers, one each, and end; gives the tasks that they were given."""
    asked: list[str] = []
    waiting = iter(answers)

    def hand_over(connection: socket.socket) -> None:
        twin = connection.dup()
        answer = next(waiting)

        def reply() -> None:
            with twin:
                length = struct.unpack(">Q", twin.recv(8, socket.MSG_WAITALL))[0]
                asked.append(json.loads(twin.recv(length, socket.MSG_WAITALL))["task"])
                twin.sendall(answer)

        threading.Thread(target=reply).start()

    monkeypatch.setattr(sandbox, "_hand_over", hand_over)
    return asked


REPORT = encode_report(DocumentReport(Integrity.BROKEN))
SEEN = b'{"symbols": ["a"], "text": "t", "is_whole": true}'


def test_a_child_that_dies_while_it_looks_keeps_its_report_and_the_page_gets_another_child(
    monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, signed: bytes
) -> None:
    asked = scripted(monkeypatch, sandbox, REPORT + BETWEEN, SEEN)
    report, look = sandbox.read(signed, anchors=[], crls=[], now=NOW)
    assert (report.integrity, look) == (Integrity.BROKEN, Look(("a",), "t"))
    assert asked == ["read", "look"]


def test_a_child_that_dies_while_it_examines_leaves_the_page_to_another_child(
    monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, signed: bytes
) -> None:
    for first in (b"", b'{"failed": "MemoryError"}', REPORT[:-1]):
        asked = scripted(monkeypatch, sandbox, first, SEEN)
        report, look = sandbox.read(signed, anchors=[], crls=[], now=NOW)
        assert (report.integrity, look) == (Integrity.UNREADABLE, Look(("a",), "t"))
        assert asked == ["read", "look"]


def test_a_page_that_hangs_does_not_take_the_report_away(signed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real pieces: a forked child under real limits whose drawing never ends."""

    def hang(_document: bytes, *, ends_at_ours: bool = False) -> Look:
        del ends_at_ours
        signal.pause()
        return Look()

    monkeypatch.setattr(reading_tasks, "look_at", hang)
    message = request_for(signed, task="read", anchors=[], crls=[], now=NOW.isoformat())
    message = message.replace(b'"limits": [1, 1, 1]', b'"limits": [536870912, 10, 1]')
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    child = os.fork()
    if child == 0:
        ours.close()
        answer_connection(theirs)
        os._exit(0)
    theirs.close()
    with ours:
        ours.sendall(struct.pack(">Q", len(message)) + message)
        answer = sandbox_module._read_to_end(ours, 1 << 20)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGALRM
    assert answer.endswith(BETWEEN)
    assert decode_report(answer.removesuffix(BETWEEN)).integrity is Integrity.INTACT


def test_what_a_look_is_too_long_for_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, signed: bytes
) -> None:
    long = b'{"symbols": [], "text": "%s", "is_whole": true}' % (b" " * MAX_REPORT_BYTES)
    scripted(monkeypatch, sandbox, REPORT + BETWEEN + long)
    assert sandbox.read(signed, anchors=[], crls=[], now=NOW)[1] == Look(is_readable=False)


def test_the_specimen_is_read_whole() -> None:
    document, root = specimen()
    report = examine(document, anchors=[root], crls=[], now=MOMENT)
    assert (report.integrity, report.trusted, report.has_our_page) == (Integrity.INTACT, Trust.YES, True)
    assert look_at(document).text == "specimen"


def test_warming_reads_the_specimen_as_it_is_and_altered(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Integrity] = []

    def watched(document: bytes, **given: Any) -> DocumentReport:
        report = examine(document, **given)
        found.append(report.integrity)
        return report

    monkeypatch.setattr(reading_tasks, "examine", watched)
    warm()
    gc.unfreeze()
    assert found == [Integrity.INTACT, Integrity.BROKEN]
