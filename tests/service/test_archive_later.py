"""Renewal years later, and lists that name certificates as revoked."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from pyhanko.sign.ades.report import AdESPassed

from keys.long_term import read_stamped
from service.archiving import renew_archive
from service.crl import revoke_signing_cert
from service.house import House
from service.trust import amend_trust_list
from tests.ades import Pyhanko
from tests.authorities import ListServer, TsaServer, certificate
from tests.service.archives import (  # noqa: F401 - fixtures
    ROWS,
    Bureau,
    authorities_are_well,
    copied_bureau,
    issued_and_stamped,
    newest,
    published_lists,
    rows,
    running_tsa,
)

# ---- years later --------------------------------------------------------------------------------------------------


def in_years(years: float) -> timedelta:
    return timedelta(days=365 * years)


def house_later(bureau: Bureau, ahead: timedelta) -> House:
    """The installation after years in which its trust list was kept fresh, as it is each year."""
    amend_trust_list(bureau.house(ahead), lambda trust: trust, why="yearly")
    return bureau.house(ahead)


@contextmanager
def outside_later(tsa: TsaServer, lists: ListServer, ahead: timedelta) -> Iterator[None]:
    """The authorities' clocks, put forward; the time stamps come from one that goes on until 2055."""
    tsa.tsa, tsa.at, lists.at = "tsa-late", datetime.now(UTC) + ahead, datetime.now(UTC) + ahead
    lists.asked.clear()
    try:
        yield
    finally:
        tsa.tsa, tsa.at = "tsa", None


def test_file_renewed_after_all_our_certificates_ended_passes_when_its_first_authority_has_ended_too(
    bureau: Bureau, tsa: TsaServer, lists: ListServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bureau.good("archive", "renew")
    ahead = in_years(12.9)  # signer and both CAs have ended, tsa ends within the margin
    with outside_later(tsa, lists, ahead):
        house = house_later(bureau, ahead)
        done = renew_archive(house)
        assert (done.extended, done.waiting) == (ROWS, ())
        assert set(lists.asked) == {"tsa-root"}, "nobody else issues lists any more"
    anchors = [*house.trust.ca_certs, *house.trust.tsa_certs]
    pyhanko = Pyhanko(monkeypatch, anchors)
    pyhanko.demand_past()
    pyhanko.mend()
    document = newest(house)[0]
    for at in (datetime(2041, 6, 1, tzinfo=UTC), datetime(2050, 6, 1, tzinfo=UTC)):
        judged, existed = pyhanko.judge(document, at, certificate("tsa-late"))
        assert judged is AdESPassed.OK
        assert existed < datetime.now(UTC) + timedelta(minutes=1)


def test_evidence_cannot_be_had_after_the_signers_certificate_ended(
    bureau: Bureau, tsa: TsaServer, lists: ListServer
) -> None:
    ahead = in_years(4)
    with outside_later(tsa, lists, ahead):
        done = renew_archive(house_later(bureau, ahead))
    assert done.extended == 0
    assert "lists no longer tell of it" in str(done.waiting[0].error)


def test_evidence_without_a_time_stamp_gets_one_before_the_signers_certificate_ends(bureau: Bureau) -> None:
    bureau.good("archive", "profile", "nb", "B-LT")
    bureau.good("archive", "renew")
    house = bureau.house()
    (end,) = {row.good_until for row in rows(house) if row.revision}
    assert end is not None
    assert end < datetime.now(UTC) + in_years(4)
    assert renew_archive(house, margin=end - datetime.now(UTC) + timedelta(days=1)).extended == ROWS
    assert [row.profile for row in rows(house)] == ["B-T", "B-LT", "B-LTA"] * ROWS


def test_a_list_that_is_not_good_any_more_is_waited_for(bureau: Bureau, lists: ListServer) -> None:
    lists.at = datetime.now(UTC)
    done = renew_archive(bureau.house(timedelta(days=8)))
    assert done.extended == 0
    assert "was good until" in str(done.waiting[0].error)


# ---- revoked ------------------------------------------------------------------------------------------------------


def revoke_signer(house: House, revoked_at: datetime) -> None:
    signer = x509.load_der_x509_certificate(read_stamped(newest(house)[0]).chain[0])
    revoke_signing_cert(house, signer.serial_number, "key-compromise", revoked_at=revoked_at)


def test_list_that_names_the_signer_before_the_files_is_told_and_not_appended(bureau: Bureau) -> None:
    revoke_signer(bureau.house(), datetime.now(UTC) - timedelta(days=1))
    before = newest(bureau.house())
    ran = bureau.run("archive", "renew")
    assert ran.code == 1
    assert "as revoked since" in ran.out
    assert "none is appended" in " ".join(ran.out.split())
    assert newest(bureau.house()) == before


def test_signer_that_was_revoked_after_the_time_stamps_is_told_and_its_files_are_kept_provable(
    bureau: Bureau, tsa: TsaServer, lists: ListServer
) -> None:
    later = timedelta(hours=2)
    revoke_signer(bureau.house(later), datetime.now(UTC) + timedelta(hours=1))
    with outside_later(tsa, lists, later):
        done = renew_archive(bureau.house(later))
    assert (done.extended, done.waiting) == (ROWS, ())
    house = bureau.house()
    signer = read_stamped(newest(house)[0]).chain[0]
    assert [one.certificate for one in done.listed] == [signer]
    assert done.listed[0].reason is x509.ReasonFlags.key_compromise


def test_files_without_a_time_stamp_are_not_proven_older_than_a_revocation(
    made: Path, stamped: Bureau, tmp_path: Path
) -> None:
    bureau = Bureau(made, stamped.tsa).copy(tmp_path / "data")
    assert bureau.issue(tmp_path).code == 0
    bureau.good("archive", "trust-tsa", stamped.data.parent / "tsa-root.der")
    bureau.good("archive", "profile", "nb", "B-LTA")
    revoke_signer(bureau.house(), datetime.now(UTC))
    ran = bureau.run("archive", "renew")
    assert ran.code == 1
    assert "no time stamp shows that they are older" in " ".join(ran.out.split())
    assert {row.revision for row in rows(bureau.house())} == {0}


@pytest.mark.parametrize(
    ("reason", "is_refused"),
    [(None, True), ("key_compromise", True), ("superseded", False), ("cessation_of_operation", False)],
)
def test_revoked_authority_spares_its_tokens_only_where_its_list_says_why(
    reason: str | None,
    is_refused: bool,  # noqa: FBT001 - a column of the table
    bureau: Bureau,
    tsa: TsaServer,
    lists: ListServer,
) -> None:
    lists.revoked, lists.reason = "tsa", reason
    later = timedelta(hours=2)  # it is revoked an hour after the files were stamped
    try:
        with outside_later(tsa, lists, later):
            done = renew_archive(bureau.house(later))
    finally:
        lists.revoked, lists.reason = "", None
    assert (done.extended == 0) is is_refused
    assert [one.error.code for one in done.waiting] == ["listed-as-revoked"] * is_refused
    assert [one.subject[:6] for one in done.listed] == [] if is_refused else ["CN=tsa"]
