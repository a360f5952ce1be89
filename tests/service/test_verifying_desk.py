"""The desk of a running service: the newest trust list, many threads, no signing key."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from credential.claims import decode_claims
from credential.cose import open_message
from keys.store import KeyStore
from service import verifying
from service.house import House, SystemClock
from service.settings import Settings
from service.verifying import NoTrustList, VerifyingDesk
from tests.service.at_hand import PASSPHRASE, run
from verifier.reasons import Word


@pytest.fixture
def house(issued_data: Path) -> House:
    return House(Settings(data=issued_data), PASSPHRASE.encode(), SystemClock())


@pytest.fixture
def desk(house: House) -> Iterator[VerifyingDesk]:
    with VerifyingDesk(house) as opened:
        yield opened


def test_all_four_ways_answer_without_a_signing_key(
    house: House, certificates: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_key(*_: object) -> None:
        raise AssertionError("a signing key was opened")

    monkeypatch.setattr(KeyStore, "signer", no_key)
    with VerifyingDesk(house) as desk:
        original = desk.verify_file(certificates[0].read_bytes())
        assert original.verdict is Word.VALID
        assert original.credential is not None
        serial, name = original.credential.serial, original.credential.name
        assert desk.verify_serial(serial, name).verdict is Word.VALID
        assert desk.verify_file(certificates[0].read_bytes() + b"x").verdict is not Word.VALID


def test_by_code_and_by_qr_it_says_the_same(house: House, desk: VerifyingDesk, certificates: list[Path]) -> None:
    claims = decode_claims(open_message(house.source.by_serial(certificates[0].stem)[0].claims).payload)
    by_code = desk.verify_code(claims.verification_code)
    by_qr = desk.verify_qr(f"https://zs.example.gov.cn/c/{claims.verification_code}")

    assert by_code.verdict is by_qr.verdict is Word.VALID


def test_a_wrong_name_and_a_wrong_serial_give_one_answer(desk: VerifyingDesk, certificates: list[Path]) -> None:
    answers = []
    for serial, name in [
        (certificates[0].stem, "王某"),
        ("33020020260130009999", "赵赵赵"),
        ("\0", "赵"),
        ("证\ud800", ""),
    ]:
        answer = desk.verify_serial(serial, name).as_json()
        del answer["judged_at"]
        answers.append(json.dumps(answer, sort_keys=True))

    assert answers == [answers[0]] * 4


def test_an_issuer_added_while_the_service_runs_is_known_at_once(
    house: House, desk: VerifyingDesk, certificates: list[Path]
) -> None:
    before = desk._current()
    assert desk._current() is before
    ran = run(
        "--data", house.settings.data, "issuer", "add", "sz", "--name", "另一示例局", "--uscc", "11649900MB0T000324",
        "--division", "330300", "--sample",
    )  # fmt: skip
    assert ran.code == 0, ran

    assert desk._current() is not before
    assert desk.verify_file(certificates[0].read_bytes()).verdict is Word.VALID


@pytest.mark.parametrize("content", [None, b"", b"{}"])
def test_a_trust_list_that_cannot_be_believed_gives_no_verdict_not_an_old_one(
    content: bytes | None, house: House, desk: VerifyingDesk, certificates: list[Path]
) -> None:
    document = certificates[0].read_bytes()
    assert desk.verify_file(document).verdict is Word.VALID
    good = house.folder.trust_list.read_bytes()
    house.folder.trust_list.unlink()
    if content is not None:
        house.folder.trust_list.write_bytes(content)
    with pytest.raises(NoTrustList):
        desk.verify_file(document)
    house.folder.trust_list.write_bytes(good)

    assert desk.verify_file(document).verdict is Word.VALID


def test_a_revocation_shows_in_the_next_answer(house: House, desk: VerifyingDesk, certificates: list[Path]) -> None:
    document, serial = certificates[0].read_bytes(), certificates[0].stem
    assert desk.verify_file(document).verdict is Word.VALID
    facts = ("--reason", "fraud", "--decision", "示人社函〔2026〕9号", "--as", "wang", "--approve-as", "li")
    assert run("--data", house.settings.data, "revoke", serial, *facts).code == 0

    assert desk.verify_file(document).verdict is Word.REVOKED


def test_many_threads_get_their_own_answers(desk: VerifyingDesk, certificates: list[Path]) -> None:
    documents = [one.read_bytes() for one in certificates]
    wrong: list[str] = []

    def ask(number: int) -> None:
        at = number % len(documents)
        verdict = desk.verify_file(documents[at])
        if verdict.credential is None or verdict.credential.serial != certificates[at].stem or verdict.reason != "good":
            wrong.append(verdict.reason)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_when_all_readers_are_busy_the_answer_is_unavailable_and_never_forged(
    house: House, certificates: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "TURN_SECONDS", 0.01)
    with VerifyingDesk(house) as desk:
        for _ in range(verifying.READERS):
            assert desk._reader._turns.acquire(blocking=False)
        altered = desk.verify_file(certificates[0].read_bytes().replace(b"/Type", b"/TypE", 1))
        original = desk.verify_file(certificates[0].read_bytes())

    assert altered.verdict is Word.UNAVAILABLE
    assert original.verdict is Word.VALID  # needs no reader
