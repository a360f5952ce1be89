"""Time stamps and long-term evidence through the command line: an installation, an authority, a few certificates."""

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESPassed
from sqlmodel import col, select

from credential.errors import UnavailableError
from credential.leaves import LeafKind, parse_leaf
from keys.long_term import append_evidence, read_stamped
from keys.timestamp import NoTimestamp
from registry.log.tables import LogLeafRow
from registry.tables import CredentialFileRow, CredentialRow
from service import archiving
from service.archiving import renew_archive
from service.crl import revoke_signing_cert
from service.house import House
from service.settings import Settings
from service.trust import amend_trust_list
from service.verifying import open_verifier
from tests.ades import Pyhanko
from tests.authorities import ListServer, TsaServer, certificate, crl, serve_lists, serve_tsa
from tests.service.at_hand import PASSPHRASE, Ran, person_row, run, write_sheet
from verifier.reasons import Word
from verifier.verdict import Presented, Verdict

ROWS = 3


@pytest.fixture(scope="module")
def tsa() -> Iterator[TsaServer]:
    with serve_tsa() as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def lists() -> Iterator[ListServer]:
    with serve_lists() as server:
        yield server


@pytest.fixture(autouse=True)
def _well(tsa: TsaServer, lists: ListServer, monkeypatch: pytest.MonkeyPatch) -> None:
    tsa.is_down, lists.at = False, None
    monkeypatch.setattr("keys.timestamp.PAUSE", 0.001)


class LaterClock:
    """The machine's clock, put forward."""

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Bureau:
    """One installation and how it is set."""

    def __init__(self, data: Path, tsa: TsaServer) -> None:
        self.data = data
        self.tsa = tsa
        self.environ = {"YINZHENG_TSA_URLS": tsa.url}

    def run(self, *arguments: str | Path) -> Ran:
        return run("--data", self.data, *arguments, environ=self.environ)

    def good(self, *arguments: str | Path) -> Ran:
        ran = self.run(*arguments)
        assert ran.code == 0, ran
        return ran

    def issue(self, folder: Path) -> Ran:
        sheet = write_sheet(folder / "sheet.csv", [person_row(number) for number in range(ROWS)])
        who = ("--issuer", "nb", "--as", "wang", "--approve-as", "li")
        return self.run("issue", sheet, *who, "--out", folder / "out")

    def copy(self, folder: Path) -> "Bureau":
        shutil.copytree(self.data, folder, symlinks=True)
        return Bureau(folder, self.tsa)

    def house(self, ahead: timedelta = timedelta(0)) -> House:
        settings = Settings(data=self.data, tsa_urls=self.tsa.url)
        return House(settings, PASSPHRASE.encode("ascii"), LaterClock(ahead))


@pytest.fixture(scope="module")
def stamped(made: Path, tmp_path_factory: pytest.TempPathFactory, tsa: TsaServer) -> Bureau:
    """An installation that issued at B-T and wants B-LTA; look, do not touch."""
    folder = tmp_path_factory.mktemp("stamped")
    bureau = Bureau(made, tsa).copy(folder / "data")
    (folder / "tsa-root.der").write_bytes(certificate("tsa-root"))
    bureau.good("archive", "trust-tsa", folder / "tsa-root.der")
    bureau.good("archive", "profile", "nb", "B-LTA")
    assert bureau.issue(folder).code == 0
    return bureau


@pytest.fixture
def bureau(stamped: Bureau, tmp_path: Path) -> Bureau:
    return stamped.copy(tmp_path / "data")


def serials(house: House) -> list[str]:
    with house.database.reading() as session:
        return sorted(session.exec(select(CredentialRow.serial)))


def newest(house: House) -> list[bytes]:
    return [house.documents.fetch_pdf(serial) for serial in serials(house)]


def rows(house: House) -> list[CredentialFileRow]:
    with house.database.reading() as session:
        order = (col(CredentialFileRow.credential_id), col(CredentialFileRow.revision))
        found = list(session.exec(select(CredentialFileRow).order_by(*order)))
        session.expunge_all()
    return found


def verify(house: House, *documents: bytes) -> list[Verdict]:
    with open_verifier(house) as verifier:
        return [verifier.verify_file(document, house.now()) for document in documents]


# ---- issuing at B-T ---------------------------------------------------------------------------------------------


def test_certificates_are_issued_with_a_time_stamp_and_verify(stamped: Bureau) -> None:
    house = stamped.house()
    documents = newest(house)
    assert [row.profile for row in rows(house)] == ["B-T"] * ROWS
    assert [len(read_stamped(document).stamps) for document in documents] == [1] * ROWS
    for verdict in verify(house, *documents):
        assert (verdict.verdict, verdict.presented) == (Word.VALID, Presented.ORIGINAL), verdict


def test_an_authority_that_is_down_pauses_the_batch_and_nothing_is_lost_or_doubled(
    stamped: Bureau, made: Path, tmp_path: Path, tsa: TsaServer
) -> None:
    bureau = Bureau(made, tsa).copy(tmp_path / "data")
    bureau.good("archive", "trust-tsa", stamped.data.parent / "tsa-root.der")
    bureau.good("archive", "profile", "nb", "B-T")
    tsa.is_down = True
    ran = bureau.issue(tmp_path)
    assert ran.code != 0
    assert "HTTP 503" in ran.out + ran.err
    assert rows(bureau.house()) == []
    numbers = serials(bureau.house())
    tsa.is_down = False
    assert bureau.issue(tmp_path).code == 0
    assert serials(bureau.house()) == numbers
    assert [row.profile for row in rows(bureau.house())] == ["B-T"] * ROWS
    assert all(verdict.verdict is Word.VALID for verdict in verify(bureau.house(), *newest(bureau.house())))


def test_a_profile_with_time_stamps_needs_an_authority(made: Path, tmp_path: Path, tsa: TsaServer) -> None:
    assert (
        Bureau(made, tsa).copy(tmp_path / "data").run("archive", "profile", "nb", "B-T").error
        == "no-timestamp-authority"
    )


def test_another_profile_than_was_approved_is_approved_anew(bureau: Bureau, tmp_path: Path) -> None:
    sheet = write_sheet(tmp_path / "sheet.csv", [person_row(20)])
    bureau.good("issue", sheet, "--issuer", "nb", "--as", "wang")
    bureau.good("archive", "profile", "nb", "B-B")
    assert bureau.run("approve", "2", "--as", "li").error == "binding-changed"


# ---- evidence ---------------------------------------------------------------------------------------------------


def test_renewing_appends_evidence_and_a_time_stamp_to_every_file(bureau: Bureau) -> None:
    before = newest(bureau.house())
    ran = bureau.good("archive", "renew")
    assert f"{ROWS} files extended" in ran.out
    house = bureau.house()
    after = newest(house)
    for old, new in zip(before, after, strict=True):
        assert new.startswith(old)
        assert len(new) > len(old)
        reader = PdfFileReader(io.BytesIO(new))
        # The issuing CA's list and the root's, and the list of the time-stamping authority.
        assert len(reader.root["/DSS"]["/CRLs"]) == 3
        assert len(reader.embedded_timestamp_signatures) == 1
    assert [(row.revision, row.profile) for row in rows(house)] == [(0, "B-T"), (1, "B-LTA")] * ROWS
    assert {row.good_until for row in rows(house) if row.revision} == {datetime(2040, 1, 1, tzinfo=UTC)}
    assert "0 files extended" in bureau.good("archive", "renew").out, "nothing is due any more"


def test_original_and_revision_both_verify_as_they_were_registered(bureau: Bureau) -> None:
    before = newest(bureau.house())
    bureau.good("archive", "renew")
    house = bureau.house()
    for verdict in verify(house, *before, *newest(house)):
        assert (verdict.verdict, verdict.presented) == (Word.VALID, Presented.ORIGINAL), verdict
        assert {"exact-original", "seal-logged"} <= {check.name for check in verdict.checks}


def test_each_revision_is_in_the_log_as_a_renewal_of_its_original(bureau: Bureau) -> None:
    bureau.good("archive", "renew")
    house = bureau.house()
    with house.database.reading() as session:
        leaves = {leaf.id: leaf for leaf in session.exec(select(LogLeafRow))}
    for row in rows(house):
        kind = LeafKind.RENEWAL if row.revision else LeafKind.SEAL
        assert parse_leaf(leaves[row.seal_leaf].leaf).kind is kind
        assert leaves[row.seal_leaf].position is not None


def test_revision_without_its_renewal_in_the_log_is_not_valid(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as stopped:
        stopped.setattr(House, "log", Unsequenced())
        renew_archive(bureau.house())
    (verdict,) = verify(bureau.house(), newest(bureau.house())[0])
    assert verdict.verdict is not Word.VALID


def test_evidence_that_others_append_goes_through_the_check_of_updates(bureau: Bureau) -> None:
    bureau.good("archive", "renew")
    house = bureau.house()
    document = newest(house)[0]
    extended = append_evidence(document, [certificate("issuing")], [crl("issuing", datetime.now(UTC))])
    good, bad = verify(house, extended, extended[:-7] + b"\n%evil\n%%EOF\n")
    assert (good.verdict, good.presented) == (Word.VALID, Presented.ORIGINAL_WITH_UPDATES)
    assert (bad.verdict, bad.presented) == (Word.TAMPERED, Presented.ALTERED)


def test_only_what_was_appended_is_stored_and_sealed_under_each_credentials_key(bureau: Bureau) -> None:
    bureau.good("archive", "renew")
    house = bureau.house()
    content = house.blobs.read("revisions/1/1-1")
    appended = [new[row.length :] for new, row in zip(newest(house), rows(house)[::2], strict=True)]
    assert len(content) < sum(map(len, appended)) + 2_000
    assert not any(piece[:64] in content for piece in appended)


def test_renewal_extends_the_chain_before_it_ends(bureau: Bureau, tsa: TsaServer) -> None:
    bureau.good("archive", "renew")
    house = bureau.house()
    assert renew_archive(house, margin=timedelta(days=365 * 10)).extended == 0
    tsa.tsa = "tsa-late"
    try:
        assert renew_archive(house, margin=timedelta(days=365 * 20)).extended == ROWS
    finally:
        tsa.tsa = "tsa"
    found = [(row.revision, row.profile, row.good_until) for row in rows(house)][:3]
    ends = [None, datetime(2040, 1, 1, tzinfo=UTC), datetime(2055, 1, 1, tzinfo=UTC)]
    assert found == list(zip(range(3), ("B-T", "B-LTA", "B-LTA"), ends, strict=True))
    (verdict,) = verify(house, newest(house)[0])
    assert (verdict.verdict, verdict.presented) == (Word.VALID, Presented.ORIGINAL)


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


# ---- killed, and run again --------------------------------------------------------------------------------------


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


class Unsequenced:
    """A log that is never told to put what waits."""

    def sequence(self, _now: datetime) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("step", "when"),
    [
        ("prepare_timestamp", "before"),
        ("_store", "before"),
        ("_store", "after"),
        ("put_leaves", "after"),
        ("insert_revisions", "after"),
        ("_register", "after"),
    ],
)
def test_killed_at_a_step_and_run_again_it_gives_one_revision_of_each_file(
    step: str, when: str, bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Any = getattr(archiving, step)

    def dying(*arguments: Any, **named: Any) -> Any:
        if when == "after":
            real(*arguments, **named)
        raise Killed

    with monkeypatch.context() as doomed:
        doomed.setattr(archiving, step, dying)
        with pytest.raises(Killed):
            renew_archive(bureau.house())
    house = bureau.house()
    had = house.blobs.read("revisions/1/1-1") if house.blobs.exists("revisions/1/1-1") else None
    renew_archive(house)
    assert [(row.revision, row.profile) for row in rows(house)] == [(0, "B-T"), (1, "B-LTA")] * ROWS
    if had is not None:
        assert house.blobs.read("revisions/1/1-1") == had, "what was stored is what is registered"
    house.log.sequence(house.now())
    assert all(verdict.verdict is Word.VALID for verdict in verify(house, *newest(house)))


def test_an_authority_that_is_down_leaves_every_file_as_it_was(bureau: Bureau, tsa: TsaServer) -> None:
    tsa.is_down = True
    with pytest.raises(NoTimestamp):
        renew_archive(bureau.house())
    assert {row.revision for row in rows(bureau.house())} == {0}
    tsa.is_down = False
    assert renew_archive(bureau.house()).extended == ROWS


def test_a_list_older_than_the_time_stamp_is_waited_for(bureau: Bureau, lists: ListServer) -> None:
    lists.at = datetime.now(UTC) - timedelta(days=2)
    ran = bureau.run("archive", "renew")
    assert ran.code == 1
    assert "before the time stamp" in ran.out
    assert {row.revision for row in rows(bureau.house())} == {0}
    lists.at = None
    assert renew_archive(bureau.house()).extended == ROWS


def test_damaged_pack_of_revisions_is_told_and_nothing_is_registered(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = bureau.house()
    with monkeypatch.context() as doomed:
        doomed.setattr(archiving, "_register", _die)
        with pytest.raises(Killed):
            renew_archive(house)
    (path,) = (bureau.data / "blobs").rglob("1-1")
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    (waiting,) = renew_archive(bureau.house()).waiting
    assert isinstance(waiting.error, UnavailableError)
    assert {row.revision for row in rows(bureau.house())} == {0}


def _die(*_: object) -> None:
    raise Killed


def test_what_was_issued_without_time_stamp_gets_one_over_all(made: Path, stamped: Bureau, tmp_path: Path) -> None:
    bureau = Bureau(made, stamped.tsa).copy(tmp_path / "data")
    assert bureau.issue(tmp_path).code == 0
    bureau.good("archive", "trust-tsa", stamped.data.parent / "tsa-root.der")
    bureau.good("archive", "profile", "nb", "B-LT")
    bureau.good("archive", "renew")
    assert [(row.revision, row.profile) for row in rows(bureau.house())] == [(0, "B-B"), (1, "B-LTA")] * ROWS
    house = bureau.house()
    assert all(verdict.verdict is Word.VALID for verdict in verify(house, *newest(house)))


def test_b_lt_adds_evidence_without_a_time_stamp_and_b_lta_adds_it_later(bureau: Bureau) -> None:
    bureau.good("archive", "profile", "nb", "B-LT")
    bureau.good("archive", "renew")
    assert [row.profile for row in rows(bureau.house())] == ["B-T", "B-LT"] * ROWS
    bureau.good("archive", "profile", "nb", "B-LTA")
    bureau.good("archive", "renew")
    house = bureau.house()
    assert [row.profile for row in rows(house)] == ["B-T", "B-LT", "B-LTA"] * ROWS
    assert all(verdict.verdict is Word.VALID for verdict in verify(house, *newest(house)))
