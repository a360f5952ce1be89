"""What is appended to a certificate of somebody else's CA, judged by pyHanko and by tools that did not write it."""

import hashlib
import io
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY, DiffResult, ModificationLevel
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from keys.long_term import UnfitDocument, append_evidence, good_until, prepare_timestamp, read_stamped
from press.fonts import FontLibrary
from tests.authorities import certificate, crl, stamp
from tests.press.stamped import AT, stamped_certificate

NEXT_DAY = AT + timedelta(days=1)
ROOM = 3072


@pytest.fixture(scope="module")
def archived(library: FontLibrary) -> bytes:
    """A certificate at B-LTA."""
    document = stamped_certificate(library)
    known = [*read_stamped(document).certificates, certificate("root"), certificate("tsa-root")]
    lists = [crl(name, NEXT_DAY) for name in ("issuing", "root", "tsa-root")]
    unstamped = prepare_timestamp(append_evidence(document, known, lists), ROOM)
    return unstamped.finish(stamp(hashlib.sha256(unstamped.message).digest(), NEXT_DAY, "tsa-late"))


def test_file_says_what_it_rests_on_and_until_when(library: FontLibrary, archived: bytes) -> None:
    document = stamped_certificate(library)
    assert [one.tsa[:6] for one in read_stamped(document).stamps] == ["CN=tsa"]
    # No time stamp covers a list for the signer yet: that must come before its certificate ends.
    assert good_until(read_stamped(document)) == datetime(2029, 1, 1, tzinfo=UTC)
    assert [one.attested_at for one in read_stamped(archived).stamps] == [AT + timedelta(seconds=5), NEXT_DAY]
    assert good_until(read_stamped(archived)) == datetime(2055, 1, 1, tzinfo=UTC)


def test_lists_are_owed_for_what_no_time_stamp_over_the_document_covers(library: FontLibrary, archived: bytes) -> None:
    document = stamped_certificate(library)
    names = ("signer", "issuing", "tsa", "tsa-root")
    assert set(read_stamped(document).unproven) == {certificate(name) for name in names}
    assert set(read_stamped(archived).unproven) == {certificate("tsa-late"), certificate("tsa-root")}


def test_certification_as_final_allows_what_is_appended(archived: bytes) -> None:
    signature = PdfFileReader(io.BytesIO(archived)).embedded_regular_signatures[0]
    assert signature.docmdp_level is not None
    assert signature.docmdp_level.value == 1
    signature.compute_integrity_info(diff_policy=DEFAULT_DIFF_POLICY)
    result = signature.diff_result
    assert isinstance(result, DiffResult)
    assert result.modification_level is ModificationLevel.LTA_UPDATES


def test_other_tools_find_nothing_wrong(archived: bytes, tmp_path: Path, tool: Callable[[str], str]) -> None:
    (tmp_path / "a.pdf").write_bytes(archived)
    for command in (["qpdf", "--check", "a.pdf"], ["mutool", "info", "a.pdf"]):
        done = subprocess.run([tool(command[0]), *command[1:]], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    seen = subprocess.run([tool("pdfsig"), "a.pdf"], cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert seen.count("Signature is Valid") == 1
    assert "Timestamp-1" in seen


@pytest.mark.parametrize(
    ("name", "mode", "is_read"),
    [
        ("signer", "soft-fail", True),
        ("signer", "hard-fail", True),
        ("signer", "require", True),
        ("nowhere", "soft-fail", False),
        ("nowhere", "hard-fail", False),
        ("nowhere", "require", True),
    ],
)
def test_pyhanko_reads_a_supplied_list_only_where_the_certificate_names_a_place_or_it_is_required(
    name: str,
    mode: str,
    is_read: bool,  # noqa: FBT001 - a column of the table
    library: FontLibrary,
) -> None:
    embedded = PdfFileReader(io.BytesIO(stamped_certificate(library, name=name))).embedded_regular_signatures[0]
    lists = [crl("issuing", NEXT_DAY, revoked=name), crl("root", NEXT_DAY)]
    context = ValidationContext(
        trust_roots=[asn1_x509.Certificate.load(certificate("root"))],
        crls=[asn1_crl.CertificateList.load(der) for der in lists],
        moment=NEXT_DAY + timedelta(seconds=5),
        revocation_mode=mode,
        allow_fetching=False,
    )
    of_stamps = ValidationContext(trust_roots=[asn1_x509.Certificate.load(certificate("tsa-root"))], moment=NEXT_DAY)
    status = validate_pdf_signature(embedded, context, of_stamps)
    assert (status.revoked, status.trusted) == (is_read, not is_read)


def test_token_longer_than_its_room_and_what_is_no_pdf_are_refused(library: FontLibrary) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        prepare_timestamp(stamped_certificate(library), 100).finish(bytes(101))
    for refused in (read_stamped, lambda document: append_evidence(document, [], [])):
        with pytest.raises(UnfitDocument):
            refused(b"%PDF-1.7 nothing")
