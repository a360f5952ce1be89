"""Time stamps and long-term evidence through the command line: an installation, an authority, a few certificates."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from sqlmodel import select

from credential.errors import UnavailableError
from credential.leaves import LeafKind, parse_leaf
from keys.long_term import append_evidence, read_stamped
from keys.timestamp import NoTimestamp
from registry.log.tables import LogLeafRow
from service import archiving
from service.archiving import renew_archive
from service.house import House
from tests.authorities import ListServer, TsaServer, certificate, crl
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
    serials,
    verify,
)
from tests.service.at_hand import person_row, write_sheet
from verifier.reasons import Word
from verifier.verdict import Presented

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
    verdicts = verify(house, *before, *newest(house))
    for verdict in verdicts:
        assert (verdict.verdict, verdict.presented) == (Word.VALID, Presented.ORIGINAL), verdict
        assert "seal-logged" in {check.name for check in verdict.checks}
    # A revision is examined as any document is, registered or not; only what the press sealed is believed as it is.
    exact = ["exact-original" in {check.name for check in verdict.checks} for verdict in verdicts]
    assert exact == [True] * ROWS + [False] * ROWS


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
