"""Whatever happens to the process that reads a document, the answer is a report, in time."""

import gc
import json
import logging
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.verifier.making import NOW, Identity, sign_pdf, write_pdf
from verifier import sandbox as sandbox_module
from verifier import sandbox_process
from verifier.document import examine
from verifier.look import Look
from verifier.reading_tasks import answer_request
from verifier.report import Integrity
from verifier.sandbox import Limits, Sandbox, SandboxUnavailable
from verifier.sandbox_process import answer_connection, limit_process, serve


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as shared:
        yield shared


def in_a_fork(work: Callable[[], None]) -> int:
    """Do something in a process of its own; gives its wait status."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


# ---- the answer ---------------------------------------------------------------------------------------------------


def test_the_report_is_that_of_an_examination_in_this_process(sandbox: Sandbox, signed: bytes, root: Identity) -> None:
    for document in (signed, signed + b"x", write_pdf(), b""):
        direct = examine(document, anchors=[root.der], crls=[], now=NOW)
        assert sandbox.examine(document, anchors=[root.der], crls=[], now=NOW) == direct


def test_a_page_is_looked_at(sandbox: Sandbox, signed: bytes) -> None:
    look = sandbox.look(signed)
    assert look.is_readable
    assert "Zhang San" in look.text
    assert look.symbols == ()


def test_what_cannot_be_drawn_is_not_readable(sandbox: Sandbox) -> None:
    assert sandbox.look(b"no document") == Look(is_readable=False)


def test_a_picture_beyond_the_limit_of_pixels_is_not_decoded(sandbox: Sandbox) -> None:
    out = BytesIO()
    Image.new("1", (8000, 6000)).save(out, "PNG")
    assert len(out.getvalue()) < 100_000
    assert sandbox.look(out.getvalue()) == Look(is_readable=False)


def test_a_document_that_cannot_be_read_prints_nothing(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        sandbox.look(b"no document")
    assert caplog.records == []


def test_too_long_a_document_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, signed: bytes, root: Identity
) -> None:
    monkeypatch.setattr(sandbox_module, "MAX_DOCUMENT_BYTES", 10)
    report = sandbox.examine(signed, anchors=[root.der], crls=[], now=NOW)
    assert report.integrity is Integrity.UNREADABLE
    assert not sandbox.look(signed).is_readable


def test_many_threads_share_one_helper(sandbox: Sandbox, signed: bytes, root: Identity) -> None:
    found: list[Integrity] = []

    def work() -> None:
        found.append(sandbox.examine(signed, anchors=[root.der], crls=[], now=NOW).integrity)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Integrity.INTACT] * 8


# ---- limits -------------------------------------------------------------------------------------------------------


def test_too_little_memory_makes_a_document_unreadable(sandbox: Sandbox, bureau: Identity, root: Identity) -> None:
    large = sign_pdf(write_pdf(attachments={"other.bin": bytes(range(256)) * (1 << 15)}), bureau)
    assert len(large) > 1 << 23
    assert sandbox.examine(large, anchors=[root.der], crls=[], now=NOW).integrity is Integrity.INTACT
    with Sandbox(Limits(memory_bytes=64 * 1024)) as tight:
        report = tight.examine(large, anchors=[root.der], crls=[], now=NOW)
    assert report.integrity is Integrity.UNREADABLE


def test_a_page_too_large_to_draw_is_not_readable(sandbox: Sandbox) -> None:
    huge = write_pdf().replace(b"/MediaBox [0 0 595 842]", b"/MediaBox [0 0 14400 14400]").replace(b"595", b"595")
    assert not sandbox.look(huge).is_readable


def test_a_child_that_hangs_is_ended_by_the_clock() -> None:
    def hang() -> None:
        limit_process(1 << 30, 30, 1)
        signal.pause()

    assert os.WTERMSIG(in_a_fork(hang)) == signal.SIGALRM


def test_a_child_that_computes_for_ever_is_ended_by_the_processor_time() -> None:
    def compute() -> None:
        limit_process(1 << 30, 1, 30)
        while True:
            pass

    assert os.WTERMSIG(in_a_fork(compute)) in {signal.SIGKILL, signal.SIGXCPU}


def test_a_child_cannot_write_files_nor_take_memory(tmp_path: Path) -> None:
    target = tmp_path / "written"

    def misbehave() -> None:
        limit_process(16 << 20, 30, 30)
        try:
            target.write_bytes(b"x")
        except OSError:
            pass
        else:
            return
        try:
            bytearray(1 << 30)  # more than this process could have lying about from other tests
        except MemoryError:
            os._exit(7)

    assert os.waitstatus_to_exitcode(in_a_fork(misbehave)) == 7
    assert target.stat().st_size == 0


def test_a_child_that_ends_without_an_answer_makes_a_document_unreadable(
    monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, signed: bytes, root: Identity
) -> None:
    monkeypatch.setattr(sandbox, "_hand_over", lambda _: None)  # nobody is at the other end
    assert sandbox.examine(signed, anchors=[root.der], crls=[], now=NOW).integrity is Integrity.UNREADABLE
    assert not sandbox.look(signed).is_readable


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"failed": {}}',
        b'{"failed": "a\\nb"}',
        b'{"failed": "MemoryError"}',
        b"\x80\x04N.",
        b'{"symbols": [1], "text": ""}',
        b'{"symbols": 1, "text": ""}',
        b'{"symbols": [1], "text": "", "is_whole": true}',
        b'{"symbols": [], "text": "", "is_whole": 1}',
        b"[" * 100_000,
        b'{"integrity": "intact", "trusted": "yes"}',
    ],
)
def test_a_captured_child_cannot_say_anything_but_a_report(
    answer: bytes, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, signed: bytes, root: Identity
) -> None:
    def hand_over(connection: socket.socket) -> None:
        twin = connection.dup()

        def reply() -> None:
            with twin:
                length = struct.unpack(">Q", twin.recv(8, socket.MSG_WAITALL))[0]
                twin.recv(length, socket.MSG_WAITALL)
                twin.sendall(answer)

        threading.Thread(target=reply).start()

    monkeypatch.setattr(sandbox, "_hand_over", hand_over)
    assert sandbox.examine(signed, anchors=[root.der], crls=[], now=NOW).integrity is Integrity.UNREADABLE
    assert not sandbox.look(signed).is_readable


def test_an_endless_answer_is_cut() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b" " * 5000)  # and the other side stays open
        assert len(sandbox_module._read_to_end(ours, 100)) > 100


# ---- the helper ---------------------------------------------------------------------------------------------------


def test_a_helper_that_died_is_started_again(signed: bytes, root: Identity) -> None:
    with Sandbox() as own:
        assert own.examine(signed, anchors=[root.der], crls=[], now=NOW).integrity is Integrity.INTACT
        helper = own._helper
        assert helper is not None
        helper.kill()
        helper.wait()
        assert own.examine(signed, anchors=[root.der], crls=[], now=NOW).integrity is Integrity.INTACT
        assert own._helper is not helper


def test_a_helper_ends_with_a_sandbox_that_nobody_closed() -> None:
    own = Sandbox()
    assert not own.look(b"no document").is_readable
    helper = own._helper
    assert helper is not None
    del own
    gc.collect()
    assert helper.returncode is not None


def test_the_helper_has_none_of_this_process_secrets(
    monkeypatch: pytest.MonkeyPatch, signed: bytes, root: Identity
) -> None:
    monkeypatch.setenv("SOME_PASSPHRASE", "do not tell")
    with Sandbox() as own:
        own.examine(signed, anchors=[root.der], crls=[], now=NOW)
        assert own._helper is not None
        assert b"do not tell" not in Path(f"/proc/{own._helper.pid}/environ").read_bytes()


@pytest.mark.parametrize("program", ["/nonexistent/python", "/bin/false"])
def test_a_helper_that_does_not_start_is_our_fault_not_the_documents(
    program: str, monkeypatch: pytest.MonkeyPatch, signed: bytes, root: Identity
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    with Sandbox() as own, pytest.raises(SandboxUnavailable):
        own.examine(signed, anchors=[root.der], crls=[], now=NOW)


def test_a_helper_that_never_answers_is_given_up(
    monkeypatch: pytest.MonkeyPatch, signed: bytes, root: Identity
) -> None:
    monkeypatch.setattr(sandbox_module, "_START_SECONDS", 0.0001)
    with Sandbox() as own, pytest.raises(SandboxUnavailable):
        own.examine(signed, anchors=[root.der], crls=[], now=NOW)


def test_a_helper_that_hangs_up_twice_is_given_up(monkeypatch: pytest.MonkeyPatch, signed: bytes) -> None:
    def start(own: Sandbox) -> socket.socket:
        own._control, theirs = socket.socketpair()
        theirs.close()
        return own._control

    monkeypatch.setattr(Sandbox, "_start", start)
    with Sandbox() as own, pytest.raises(SandboxUnavailable):
        own.look(signed)


# ---- what runs in the child, run here ----------------------------------------------------------------------------


@pytest.mark.parametrize("request_text", [b"", b"{}", b'{"task": "other"}', b'{"task": "look"}', b"[1]"])
def test_every_exception_in_the_child_becomes_an_answer(request_text: bytes) -> None:
    answer = json.loads(answer_request(request_text))
    assert answer.keys() == {"failed"}


def request_for(document: bytes, **more: Any) -> bytes:
    import base64  # noqa: PLC0415 - only here

    return json.dumps({"document": base64.b64encode(document).decode(), "limits": [1, 1, 1], **more}).encode()


def test_the_child_does_its_tasks(signed: bytes) -> None:
    report = json.loads(answer_request(request_for(signed, task="examine", anchors=[], crls=[], now=NOW.isoformat())))
    assert report["integrity"] == "intact"
    assert json.loads(answer_request(request_for(signed, task="look")))["symbols"] == []


def test_the_child_answers_one_connection(monkeypatch: pytest.MonkeyPatch, signed: bytes) -> None:
    limits: list[tuple[int, ...]] = []
    monkeypatch.setattr(sandbox_process, "limit_process", lambda *given: limits.append(given))
    ours, theirs = socket.socketpair()
    message = request_for(signed, task="look")
    with ours:
        ours.sendall(struct.pack(">Q", len(message)) + message)
        with theirs:
            answer_connection(theirs)
        assert json.loads(ours.recv(1 << 20))["symbols"] == []
    assert limits == [(1, 1, 1)]


def test_the_child_refuses_a_longer_request_and_half_a_request() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(struct.pack(">Q", 1 << 40))
        answer_connection(theirs)
        ours.sendall(struct.pack(">Q", 10) + b"half")
        ours.shutdown(socket.SHUT_WR)
        with pytest.raises(EOFError):
            answer_connection(theirs)


class Exited(BaseException):
    """Stands for the end of the process."""


def test_the_helper_forks_for_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    answered: list[socket.socket] = []
    forks = iter([41, 0])

    def leave(code: int) -> None:
        raise Exited(code)

    monkeypatch.setattr(logging, "disable", lambda _: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(os, "fork", lambda: next(forks))
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(sandbox_process, "answer_connection", answered.append)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for _ in range(2):
            left, right = socket.socketpair()
            with left, right:
                socket.send_fds(ours, [b"\0"], [right.fileno()])
        with pytest.raises(Exited):
            serve(theirs)
        assert ours.recv(1) == b"\1"
    assert len(answered) == 1
    answered[0].close()


def test_the_helper_ends_when_the_other_side_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "disable", lambda _: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    ours, theirs = socket.socketpair()
    with theirs:
        ours.shutdown(socket.SHUT_WR)
        with ours:
            serve(theirs)
