"""The verdict of pyHanko's AdES functions on B-LTA files, at dates after everything in them ended."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asn1crypto import crl as asn1_crl
from asn1crypto import keys as asn1_keys
from asn1crypto import tsp
from asn1crypto import x509 as asn1_x509
from pyhanko.pdf_utils import writer as pyhanko_writer
from pyhanko.pdf_utils.generic import StreamObject
from pyhanko.sign.ades.report import AdESIndeterminate, AdESPassed, AdESSubIndic
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, SimpleSigner, async_sign_pdf
from pyhanko.sign.timestamps import TimeStamper
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from keys.long_term import append_evidence, prepare_timestamp, read_stamped
from press.fonts import FontLibrary
from tests.ades import Pyhanko
from tests.authorities import answer, certificate, crl, private_key, stamp
from tests.press.stamped import AT, stamped_certificate

STAMPED = AT + timedelta(seconds=5)
NEXT_DAY = AT + timedelta(days=1)
RENEWED = datetime(2035, 1, 1, tzinfo=UTC)
SOON = timedelta(minutes=1)
"""From the lists to the time stamp over them."""
ROOM = 3072

SIGNER_ENDED = datetime(2030, 6, 1, tzinfo=UTC)
CA_ENDED = datetime(2034, 6, 1, tzinfo=UTC)
FIRST_TSA_ENDED = datetime(2041, 6, 1, tzinfo=UTC)
ROOT_ENDED = datetime(2046, 6, 1, tzinfo=UTC)

LISTS = {"direct": ("root", "tsa-root"), "signer": ("issuing", "root", "tsa-root")}


def lists_of(name: str, at: datetime = NEXT_DAY) -> list[bytes]:
    return [crl(one, at) for one in LISTS[name]]


def extend(document: bytes, lists: list[bytes], at: datetime, tsa: str = "tsa") -> bytes:
    """What ``archive renew`` appends: evidence, and a time stamp over all."""
    known = [*read_stamped(document).certificates, certificate("root"), certificate("tsa-root")]
    unstamped = prepare_timestamp(append_evidence(document, known, lists), ROOM)
    return unstamped.finish(stamp(hashlib.sha256(unstamped.message).digest(), at + SOON, tsa))


def renew(document: bytes) -> bytes:
    """The second round: only the list that tells of the first document time stamp is to be had any more."""
    return extend(document, [crl("tsa-root", RENEWED)], RENEWED, "tsa-late")


@pytest.fixture(scope="module")
def issued(library: FontLibrary) -> Callable[[str], bytes]:
    """Certificates at B-T: signed below the root (``direct``) or below an issuing CA (``signer``)."""
    return {name: stamped_certificate(library, name=name) for name in LISTS}.__getitem__


# ---- pyHanko, asked at another date -----------------------------------------------------------------------------


def verdict(pyhanko: Pyhanko, document: bytes, at: datetime, newest: str = "tsa") -> AdESSubIndic:
    judged, existed = pyhanko.judge(document, at, certificate(newest))
    # When the signature's own stamp has ended, the document's shows when it existed.
    assert judged is not AdESPassed.OK or existed in (STAMPED, NEXT_DAY + SOON)
    return judged


def load(name: str) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate(name))


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> Pyhanko:
    """pyHanko as it is released, told to look at the past."""
    pyhanko = Pyhanko(monkeypatch, [certificate("root"), certificate("tsa-root")])
    pyhanko.demand_past()
    return pyhanko


@pytest.fixture
def mended(released: Pyhanko) -> Pyhanko:
    """pyHanko that can judge chains with a CA below the root."""
    released.mend()
    return released


# ---- what passes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [SIGNER_ENDED, CA_ENDED])
def test_file_passes_after_its_signers_certificate_and_the_issuing_ca_ended(
    at: datetime, issued: Callable[[str], bytes], mended: Pyhanko
) -> None:
    archived = extend(issued("signer"), lists_of("signer"), NEXT_DAY)
    assert verdict(mended, archived, at) is AdESPassed.OK
    assert mended.foresee(archived, at, certificate("tsa"), known=NEXT_DAY + SOON) is AdESPassed.OK


@pytest.mark.parametrize("at", [RENEWED + timedelta(days=1), FIRST_TSA_ENDED, ROOT_ENDED])
def test_renewed_file_passes_after_the_first_time_stamping_authority_ended(
    at: datetime, issued: Callable[[str], bytes], mended: Pyhanko
) -> None:
    renewed = renew(extend(issued("signer"), lists_of("signer"), NEXT_DAY))
    assert verdict(mended, renewed, at, newest="tsa-late") is AdESPassed.OK


@pytest.mark.parametrize("at", [SIGNER_ENDED, CA_ENDED, FIRST_TSA_ENDED, ROOT_ENDED])
def test_pyhanko_as_released_passes_what_the_root_itself_certified(
    at: datetime, issued: Callable[[str], bytes], released: Pyhanko
) -> None:
    archived = extend(issued("direct"), lists_of("direct"), NEXT_DAY)
    is_renewed = at > RENEWED
    judged = verdict(
        released, renew(archived) if is_renewed else archived, at, newest="tsa-late" if is_renewed else "tsa"
    )
    assert judged is AdESPassed.OK


def test_signer_that_was_revoked_after_the_time_stamp_stays_good(
    issued: Callable[[str], bytes], mended: Pyhanko
) -> None:
    lists = [crl("issuing", NEXT_DAY, revoked="signer"), *lists_of("signer")[1:]]
    archived = extend(issued("signer"), lists, NEXT_DAY)
    assert verdict(mended, archived, SIGNER_ENDED) is AdESPassed.OK


# ---- what does not ----------------------------------------------------------------------------------------------


BEFORE = AT - timedelta(days=1)
HALF_DAY = timedelta(hours=12)
"""Lists from before that long ended before the signature."""


def _lists(*replaced: bytes, without: str = "") -> list[bytes]:
    left = [one for one in LISTS["signer"] if one != without]
    return [*replaced, *(crl(one, NEXT_DAY) for one in left)]


@pytest.mark.parametrize("at", [SIGNER_ENDED, CA_ENDED])
@pytest.mark.parametrize(
    "lists",
    [
        pytest.param(lambda: _lists(crl("issuing", AT, revoked="signer"), without="issuing"), id="signer revoked"),
        pytest.param(lambda: _lists(crl("root", AT, revoked="issuing"), without="root"), id="CA revoked"),
        pytest.param(lambda: _lists(crl("issuing", BEFORE, lifetime=HALF_DAY), without="issuing"), id="list too old"),
        pytest.param(lambda: _lists(without="issuing"), id="no list for the signer"),
        pytest.param(lambda: _lists(without="root"), id="no list for the CA"),
    ],
)
def test_file_with_lists_against_it_or_too_old_or_missing_does_not_pass(
    lists: Callable[[], list[bytes]], at: datetime, issued: Callable[[str], bytes], mended: Pyhanko
) -> None:
    archived = extend(issued("signer"), lists(), NEXT_DAY)
    assert verdict(mended, archived, at) is not AdESPassed.OK


def test_evidence_without_a_time_stamp_over_it_does_not_pass(issued: Callable[[str], bytes], mended: Pyhanko) -> None:
    document = issued("signer")
    known = [*read_stamped(document).certificates, certificate("tsa-root")]
    for judged in (document, append_evidence(document, known, lists_of("signer"))):
        assert verdict(mended, judged, SIGNER_ENDED) is not AdESPassed.OK


def test_evidence_stamped_after_the_signers_certificate_ended_does_not_pass(
    issued: Callable[[str], bytes], mended: Pyhanko
) -> None:
    late = datetime(2029, 2, 1, tzinfo=UTC)
    archived = extend(issued("signer"), lists_of("signer", late), late)
    assert verdict(mended, archived, SIGNER_ENDED) is not AdESPassed.OK


def test_file_that_was_not_renewed_does_not_pass_after_its_time_stamp_ended(
    issued: Callable[[str], bytes], mended: Pyhanko
) -> None:
    archived = extend(issued("signer"), lists_of("signer"), NEXT_DAY)
    assert verdict(mended, archived, FIRST_TSA_ENDED) is not AdESPassed.OK


def test_renewal_without_the_first_authoritys_list_does_not_pass(
    issued: Callable[[str], bytes], mended: Pyhanko
) -> None:
    archived = extend(issued("signer"), lists_of("signer"), NEXT_DAY)
    renewed = extend(archived, [], RENEWED, "tsa-late")
    assert verdict(mended, renewed, FIRST_TSA_ENDED, newest="tsa-late") is not AdESPassed.OK


# ---- what pyHanko makes of files of its own ---------------------------------------------------------------------


class Stamper(TimeStamper):
    """The authority as pyHanko asks it."""

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        return answer(req.dump(), STAMPED)


@pytest.fixture(scope="module")
def foreign() -> bytes:
    """A file at B-LTA of the same authorities, all of it made by pyHanko."""
    untyped: Any = pyhanko_writer
    writer = untyped.PdfFileWriter()
    content = writer.add_object(StreamObject(stream_data=b""))
    writer.insert_page(untyped.PageObject(contents=content, media_box=(0, 0, 99, 99)))
    context = ValidationContext(
        trust_roots=[load("root"), load("tsa-root")],
        other_certs=[load("issuing")],
        crls=[asn1_crl.CertificateList.load(one) for one in lists_of("signer", STAMPED)],
        revocation_mode="require",
        moment=STAMPED,
    )
    chain = SimpleCertificateStore()  # type: ignore[no-untyped-call] # pyHanko's own
    chain.register_multiple([load("issuing"), load("root")])
    signing = async_sign_pdf(
        writer,
        PdfSignatureMetadata(
            field_name="Signature",
            subfilter=SigSeedSubFilter.PADES,
            embed_validation_info=True,
            use_pades_lta=True,
            validation_context=context,
        ),
        signer=SimpleSigner(load("signer"), asn1_keys.PrivateKeyInfo.load(private_key("signer")), chain),
        timestamper=Stamper(),  # type: ignore[no-untyped-call] # pyHanko's own
    )
    return bytes(asyncio.run(signing).getbuffer())


@pytest.mark.parametrize(
    ("at", "answer"),
    [
        (SIGNER_ENDED, AdESIndeterminate.REVOCATION_OUT_OF_BOUNDS_NO_POE),
        (CA_ENDED, AdESIndeterminate.CERTIFICATE_CHAIN_GENERAL_FAILURE),
    ],
)
def test_pyhanko_as_released_cannot_judge_a_ca_below_the_root_be_the_file_ours_or_its_own(
    at: datetime, answer: AdESSubIndic, foreign: bytes, issued: Callable[[str], bytes], released: Pyhanko
) -> None:
    archived = extend(issued("signer"), lists_of("signer"), NEXT_DAY)
    assert [verdict(released, one, at) for one in (archived, foreign)] == [answer, answer]
    released.mend()
    assert [verdict(released, one, at) for one in (archived, foreign)] == [AdESPassed.OK, AdESPassed.OK]
