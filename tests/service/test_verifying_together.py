"""A verifier that stays open for long: many threads, another process that changes the register, nothing to be timed."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from credential.claims import decode_claims
from credential.cose import SignedMessage, open_message
from registry.credentials import find_by_serial, read_claims
from registry.vault import RecordKey
from service.house import House, SystemClock
from service.settings import Settings
from service.verifying import VerifyingDesk
from tests.e2e.processes import CommandLine
from tests.service.at_hand import PASSPHRASE
from verifier.verdict import Verdict

WHY = ("--reason", "fraud", "--decision", "某人社〔2026〕9号")
BY = ("--as", "wang", "--approve-as", "li")
NOBODY = "无此人"


@dataclass(frozen=True)
class Known:
    serial: str
    name: str
    code: str
    document: bytes


@pytest.fixture
def house(issued_data: Path) -> House:
    return House(Settings(data=issued_data), PASSPHRASE.encode("ascii"), SystemClock())


@pytest.fixture
def desk(house: House) -> Iterator[VerifyingDesk]:
    with VerifyingDesk(house) as desk:
        yield desk


@pytest.fixture
def known(house: House, certificates: list[Path]) -> list[Known]:
    found = []
    with house.database.reading() as session:
        for path in certificates:
            (one,) = find_by_serial(session, path.stem)
            claims = decode_claims(open_message(read_claims(session, house.vault, one)).payload)
            found.append(Known(path.stem, claims.holder.name, claims.verification_code, path.read_bytes()))
    return found


@pytest.fixture
def other_process(issued_data: Path, tmp_path: Path) -> CommandLine:
    secret = tmp_path / "passphrase"
    secret.write_text(PASSPHRASE, encoding="ascii")
    secret.chmod(0o600)
    return CommandLine(issued_data, secret)


def all_ways(desk: VerifyingDesk, one: Known) -> set[str]:
    answers = (desk.verify_file(one.document), desk.verify_code(one.code), desk.verify_serial(one.serial, one.name))
    return {answer.verdict.value for answer in answers}


def test_what_another_process_revokes_is_revoked_at_the_next_look(
    desk: VerifyingDesk, known: list[Known], other_process: CommandLine
) -> None:
    first, *others = known
    assert [all_ways(desk, one) for one in known] == [{"valid"}] * len(known)  # everything that is kept is now kept

    ran = other_process.run("revoke", first.serial, *WHY, *BY)

    assert ran.code == 0, ran
    assert all_ways(desk, first) == {"revoked"}
    assert [all_ways(desk, one) for one in others] == [{"valid"}] * len(others)


def test_threads_get_their_own_answers_while_another_process_revokes(
    desk: VerifyingDesk, known: list[Known], other_process: CommandLine
) -> None:
    first = known[0]
    done = threading.Event()
    seen: Counter[tuple[str, str, str]] = Counter()
    lock = threading.Lock()

    def look(at: int) -> None:
        while not done.is_set():
            one = known[at % len(known)]
            for verdict in (desk.verify_file(one.document), desk.verify_code(one.code)):
                assert verdict.credential is not None
                with lock:
                    seen[one.serial, verdict.credential.serial, verdict.verdict.value] += 1

    with ThreadPoolExecutor(8) as pool:
        looking = [pool.submit(look, at) for at in range(8)]
        try:
            ran = other_process.run("revoke", first.serial, *WHY, *BY)
        finally:
            done.set()
        for one in looking:
            one.result()

    assert ran.code == 0, ran
    assert {(asked, told) for asked, told, _ in seen} == {(one.serial, one.serial) for one in known}
    assert {word for asked, _, word in seen if asked != first.serial} == {"valid"}
    assert {word for asked, _, word in seen if asked == first.serial} <= {"valid", "revoked"}
    assert all_ways(desk, first) == {"revoked"}


class Work:
    """Counts what a verification costs: statements, decryptions, signatures."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.done: Counter[str] = Counter()
        self._count(patch, RecordKey, "open_bytes")
        self._count(patch, SignedMessage, "verify")
        event.listen(Engine, "before_cursor_execute", self._statement)

    def close(self) -> None:
        event.remove(Engine, "before_cursor_execute", self._statement)

    def _statement(self, *_: object) -> None:
        self.done["statement"] += 1

    def _count(self, patch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        whole: Any = getattr(owner, name)

        def counted(*given: Any, **named: Any) -> Any:
            self.done[name] += 1
            return whole(*given, **named)

        patch.setattr(owner, name, counted)


def test_a_wrong_name_and_a_serial_that_does_not_exist_cost_and_say_the_same(
    desk: VerifyingDesk, known: list[Known], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = known[0]
    desk.verify_serial(one.serial, one.name)
    work = Work(monkeypatch)
    costs, told = [], []
    try:
        for serial, name in ((one.serial, NOBODY), ("9" * 20, one.name), ("9" * 20, NOBODY), (one.serial, "")):
            work.done.clear()
            verdict = desk.verify_serial(serial, name)
            costs.append(dict(work.done))
            told.append(_without_moment(verdict))
    finally:
        work.close()

    assert told == [told[0]] * len(told)
    assert told[0]["verdict"] == "unknown"
    assert costs == [costs[0]] * len(costs)
    assert costs[0]["verify"] == costs[0]["open_bytes"] == 4
    assert costs[0]["statement"] >= 3


def test_a_revoked_certificate_costs_a_stranger_no_more_than_none(
    desk: VerifyingDesk, known: list[Known], other_process: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert other_process.run("revoke", known[0].serial, *WHY, *BY).code == 0
    desk.verify_serial(known[1].serial, known[1].name)  # connections are open, templates read
    work = Work(monkeypatch)
    costs = []
    try:
        for serial in (known[0].serial, "9" * 20):
            work.done.clear()
            assert desk.verify_serial(serial, NOBODY).verdict.value == "unknown"
            costs.append((work.done["statement"], work.done["verify"]))
    finally:
        work.close()

    assert costs[0] == costs[1]


def _without_moment(verdict: Verdict) -> dict[str, object]:
    return verdict.as_json() | {"judged_at": ""}
