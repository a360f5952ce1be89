"""The registry as a verifier sees it, and downloads."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from credential.claims import decode_claims
from credential.cose import open_message
from credential.errors import UnavailableError
from credential.model import Claims, State
from credential.ports import Link, RegisteredCredential
from credential.qr import parse_qr_text
from issuer.batch import approve, submit
from issuer.issue import issue_chunk, reserve_chunk
from registry.credentials import (
    UnknownSerial,
    find_by_name,
    find_by_person,
    find_by_serial,
    get_credential,
    read_claims,
    read_reserved,
)
from registry.issuers import Person, add_issuer, add_person
from registry.lookup import NotPrinted
from tests.fakes_issuer import CHECKER, ISSUER, MAKER, START, House, build_house, make_records
from tests.faults.faults import run_all


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = build_house(tmp_path)
    run_all(house)
    return house


def claims_of(registered: RegisteredCredential) -> Claims:
    message = open_message(registered.claims)
    return decode_claims(message.payload)


def test_a_credential_is_found_by_digest_code_and_serial(house: House) -> None:
    serial = house.press.printed[1]
    (by_serial,) = house.source.by_serial(serial)
    document = house.documents.fetch_pdf(serial)
    assert house.source.by_digest(hashlib.sha256(document).digest()) == by_serial
    claims = claims_of(by_serial)
    assert house.source.by_code(claims.verification_code) == by_serial
    assert claims.holder == make_records(2)[1].holder
    assert claims.fields == make_records(2)[1].fields
    assert (by_serial.state, by_serial.issued, by_serial.changes) == (State.VALID, True, ())
    assert (by_serial.superseded_by, by_serial.supersedes) == (None, None)
    assert by_serial.files[0].length == len(document)


def test_the_message_is_signed_by_the_qr_key_over_what_the_qr_text_points_to(house: House) -> None:
    (registered,) = house.source.by_serial(house.press.printed[0])
    open_message(registered.claims).verify(house.qr_signer.public_key)
    with house.database.reading() as session:
        reserved = read_reserved(session, house.vault, 1, 1)[0]
    scanned = parse_qr_text(reserved.qr_text)
    assert scanned.origin == ISSUER.settings.public_url
    assert scanned.code == claims_of(registered).verification_code
    assert scanned.message is not None
    open_message(scanned.message).verify(house.qr_signer.public_key)


def test_nothing_is_found_for_what_was_never_issued(house: House) -> None:
    assert house.source.by_digest(bytes(32)) is None
    assert house.source.by_code("0123456789ABCDEF") is None
    assert house.source.by_serial("1") == []


def test_a_reserved_credential_is_found_but_not_issued_nor_proved(tmp_path: Path) -> None:
    house = build_house(tmp_path)
    batch = submit(house.office, make_records(1), [], maker=MAKER, now=START).batch
    approve(house.office, batch.id, checker=CHECKER, expected_digest=batch.digest, now=START)
    house.log.sequence(START)
    reserve_chunk(house.line, batch.id, 1)
    with house.database.reading() as session:
        (reserved,) = read_reserved(session, house.vault, batch.id, 1)
    (registered,) = house.source.by_serial(reserved.serial)
    assert (registered.issued, registered.files, registered.issue_proof) == (False, (), "")
    with pytest.raises(NotPrinted, match=reserved.serial):
        house.documents.fetch_pdf(reserved.serial)


def test_checkpoint_and_status_list_are_those_published(house: House, tmp_path: Path) -> None:
    assert house.source.checkpoint() == (tmp_path / "log" / "checkpoint").read_text("utf-8")
    assert house.source.status_token(1) == (tmp_path / "status" / "1.cwt").read_bytes()


def test_a_database_that_is_gone_is_unavailable_and_never_not_found(house: House, tmp_path: Path) -> None:
    house.database.close()
    for path in tmp_path.glob("registry.sqlite*"):
        path.unlink()
    (tmp_path / "registry.sqlite").write_bytes(b"not a database" * 100)
    for ask in (
        lambda: house.source.by_digest(bytes(32)),
        lambda: house.source.by_code("0123456789ABCDEF"),
        lambda: house.source.by_serial("1"),
        lambda: house.documents.fetch_pdf("1"),
    ):
        with pytest.raises(UnavailableError):
            ask()


def test_persons_and_names_are_found_exactly(house: House) -> None:
    holder = make_records(2)[0].holder
    with house.database.reading() as session:
        assert [one.serial for one in find_by_person(session, house.vault, holder)] == [house.press.printed[0]]
        assert find_by_person(session, house.vault, replace(holder, id_number="330200199001019999")) == []
        assert [one.row_number for one in find_by_name(session, house.vault, "张丁")] == [6]
        assert find_by_name(session, house.vault, "张") == []
        (found,) = find_by_serial(session, house.press.printed[0])
        assert decode_claims(open_message(read_claims(session, house.vault, found)).payload).holder == holder


def test_a_serial_of_two_issuers_needs_the_issuer_named(house: House) -> None:
    serial = house.press.printed[0]
    other = replace(ISSUER, id="taizhou", uscc="11331000002682023K")  # numbers with the same division
    with house.database.transaction() as session:
        add_issuer(session, other, now=START)
        for person in ("zhao", "qian"):
            add_person(session, Person(person, other.id, person), now=START)
    office = replace(house.office, issuer=other)
    batch = submit(office, make_records(1), [], maker="zhao", now=START).batch
    approve(office, batch.id, checker="qian", expected_digest=batch.digest, now=START)
    issue_chunk(replace(house.line, office=office), house.log, batch.id, 1)
    assert {claims_of(one).issuer for one in house.source.by_serial(serial)} == {ISSUER.uscc, other.uscc}
    with house.database.reading() as session:
        with pytest.raises(UnknownSerial):
            get_credential(session, serial)
        assert get_credential(session, serial, "taizhou").issuer_id == "taizhou"
    with pytest.raises(UnknownSerial):
        house.documents.fetch_pdf(serial)
    one = house.documents.fetch_pdf(serial, issuer_id="ningbo", version=1)
    assert one != house.documents.fetch_pdf(serial, issuer_id="taizhou")
    with pytest.raises(UnknownSerial):
        house.documents.fetch_pdf(serial, issuer_id="ningbo", version=2)


def test_superseding_credentials_are_named_by_their_serials(house: House) -> None:
    first, second = house.press.printed
    with house.database.transaction() as session:
        session.execute(text("DROP TRIGGER yz_credential_superseded_by_its_successor"))
        session.execute(text("UPDATE credential SET superseded_by_id = 2 WHERE id = 1"))
    (registered,) = house.source.by_serial(first)
    assert registered.superseded_by == Link(second, 1)
