"""Tokens of an authority that is not ours, whole and spoilt; OpenSSL has the other opinion."""

import hashlib
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms, core, tsp
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from credential.timestamp import MAX_TOKEN_BYTES, BadTimestamp, read_timestamp, verify_timestamp
from tests.authorities import certificate, signer, stamp

MESSAGE = "检查点".encode()
AT = datetime(2026, 5, 1, 1, 2, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def token() -> bytes:
    return stamp(hashlib.sha256(MESSAGE).digest(), AT)


@pytest.fixture(scope="module")
def anchors() -> list[bytes]:
    return [certificate("root"), certificate("tsa-root")]


def change(token: bytes, how: Callable[[Any, Any], None]) -> bytes:
    """Rewrite a token: `how` is given its signed data and its signer information."""
    container = cms.ContentInfo.load(token)
    how(container["content"], container["content"]["signer_infos"][0])
    return bytes(container.dump(force=True))


def sign_again(token: bytes, how: Callable[[Any], Any], name: str = "tsa") -> bytes:
    """Change the signed attributes, and sign them with the TSA's own key: a TSA that breaks the rules."""

    def sign(_: Any, signer_info: Any) -> None:
        attributes = cms.CMSAttributes(how(list(signer_info["signed_attrs"])))
        signer_info["signed_attrs"] = attributes
        signer_info["signature"] = signer(name).sign(cms.CMSAttributes(attributes).dump())

    return change(token, sign)


def test_token_says_when_and_by_whom_it_was_made(token: bytes, anchors: list[bytes]) -> None:
    said = verify_timestamp(token, MESSAGE, anchors)
    assert said == read_timestamp(token)
    assert said.attested_at == AT
    assert said.imprint == hashlib.sha256(MESSAGE).digest()
    assert said.imprint_algorithm == "sha256"
    assert said.tsa == "CN=tsa,O=Outside,C=CN"
    assert said.certificate == certificate("tsa")
    assert set(said.certificates) == {certificate("tsa"), certificate("tsa-root")}


def test_openssl_agrees(token: bytes, anchors: list[bytes], tmp_path: Path, tool: Callable[[str], str]) -> None:
    (tmp_path / "token").write_bytes(token)
    (tmp_path / "message").write_bytes(MESSAGE)
    root = x509.load_der_x509_certificate(anchors[1])
    (tmp_path / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    files = ["-data", "message", "-in", "token", "-token_in", "-CAfile", "root.pem"]
    done = subprocess.run([tool("openssl"), "ts", "-verify", *files], cwd=tmp_path, capture_output=True, check=False)
    assert b"Verification: OK" in done.stdout, done.stderr


def test_the_signers_own_certificate_may_be_the_anchor(token: bytes) -> None:
    assert verify_timestamp(token, MESSAGE, [certificate("tsa")]).attested_at == AT


def test_token_for_another_message_is_refused(token: bytes, anchors: list[bytes]) -> None:
    with pytest.raises(BadTimestamp, match="another message"):
        verify_timestamp(token, MESSAGE + b" ", anchors)


def test_token_of_an_unknown_authority_is_refused(token: bytes) -> None:
    for strangers in ([], [certificate("root")], [certificate("tsa-late")]):
        with pytest.raises(BadTimestamp, match="no authority that is trusted"):
            verify_timestamp(token, MESSAGE, strangers)


@pytest.mark.parametrize("year", [2024, 2041])
def test_authority_is_trusted_only_in_its_time(year: int, anchors: list[bytes]) -> None:
    early_or_late = stamp(hashlib.sha256(MESSAGE).digest(), AT.replace(year=year))
    with pytest.raises(BadTimestamp, match="no authority that is trusted"):
        verify_timestamp(early_or_late, MESSAGE, anchors)


def test_chain_may_be_asked_to_hold_at_a_later_moment_too(token: bytes, anchors: list[bytes]) -> None:
    assert verify_timestamp(token, MESSAGE, anchors, AT + timedelta(days=4000)).attested_at == AT
    with pytest.raises(BadTimestamp, match="2041"):
        verify_timestamp(token, MESSAGE, anchors, AT.replace(year=2041))


def test_certificate_that_is_not_for_time_stamping_makes_no_token(anchors: list[bytes]) -> None:
    misused = stamp(hashlib.sha256(MESSAGE).digest(), AT, "tsa-plain")
    with pytest.raises(BadTimestamp, match="not a certificate for time-stamping"):
        verify_timestamp(misused, MESSAGE, anchors)


def test_verify_does_not_believe_another_certificate_in_the_bag(anchors: list[bytes]) -> None:
    """The fault of rfc3161-client before 1.0.6: the signer was taken by its place among the certificates."""
    misused = stamp(hashlib.sha256(MESSAGE).digest(), AT, "tsa-plain")

    def add(signed_data: Any, _: Any) -> None:
        wanted = ["tsa", "tsa-plain", "tsa-root"]
        signed_data["certificates"] = [cms.CertificateChoices.load(certificate(name)) for name in wanted]

    with pytest.raises(BadTimestamp, match="CN=tsa-plain"):
        verify_timestamp(change(misused, add), MESSAGE, anchors)


def test_token_must_carry_its_signers_certificate(token: bytes, anchors: list[bytes]) -> None:
    def drop(signed_data: Any, _: Any) -> None:
        signed_data["certificates"] = [cms.CertificateChoices.load(certificate("tsa-root"))]

    with pytest.raises(BadTimestamp, match="does not carry the certificate"):
        verify_timestamp(change(token, drop), MESSAGE, anchors)


def test_signature_must_name_the_certificate(token: bytes, anchors: list[bytes]) -> None:
    def drop(attributes: list[Any]) -> list[Any]:
        return [one for one in attributes if one["type"].native != "signing_certificate"]

    with pytest.raises(BadTimestamp, match="does not name the certificate"):
        verify_timestamp(sign_again(token, drop), MESSAGE, anchors)


def test_newer_form_of_the_signers_certificate_is_read_as_well(token: bytes, anchors: list[bytes]) -> None:
    def modernise(named: str) -> Callable[[list[Any]], list[Any]]:
        digest = hashlib.sha256(certificate(named)).digest()
        value = tsp.SigningCertificateV2({"certs": [{"cert_hash": digest}]})
        newer = cms.CMSAttribute({"type": "signing_certificate_v2", "values": [value]})
        return lambda attributes: [*(one for one in attributes if one["type"].native != "signing_certificate"), newer]

    assert verify_timestamp(sign_again(token, modernise("tsa")), MESSAGE, anchors).attested_at == AT
    with pytest.raises(BadTimestamp, match="does not name the certificate"):
        verify_timestamp(sign_again(token, modernise("tsa-late")), MESSAGE, anchors)


def test_statement_that_was_not_signed_is_refused(token: bytes, anchors: list[bytes]) -> None:
    def predate(signed_data: Any, _: Any) -> None:
        statement = tsp.TSTInfo.load(bytes(signed_data["encap_content_info"]["content"]))
        statement["gen_time"] = core.GeneralizedTime(AT.replace(year=2025, month=6))
        signed_data["encap_content_info"]["content"] = cms.ParsableOctetString(statement.dump(force=True))

    predated = change(token, predate)
    assert read_timestamp(predated).attested_at.year == 2025
    with pytest.raises(BadTimestamp, match="over another statement"):
        verify_timestamp(predated, MESSAGE, anchors)


def test_signature_of_another_key_is_refused(token: bytes, anchors: list[bytes]) -> None:
    with pytest.raises(BadTimestamp, match="signature is wrong"):
        verify_timestamp(sign_again(token, lambda attributes: attributes, "tsa-late"), MESSAGE, anchors)


def test_a_certificate_of_a_version_that_there_is_not_is_refused(token: bytes, anchors: list[bytes]) -> None:
    version_3 = bytes.fromhex("a003020102")
    assert token.count(version_3) == 2
    for at in (token.index(version_3), token.rindex(version_3)):
        spoilt = token[: at + 4] + b"\3" + token[at + 5 :]
        with pytest.raises(BadTimestamp):
            verify_timestamp(spoilt, MESSAGE, anchors)


def test_two_signers_are_refused(token: bytes) -> None:
    def double(signed_data: Any, signer_info: Any) -> None:
        signed_data["signer_infos"] = [signer_info, signer_info.copy()]

    with pytest.raises(BadTimestamp, match="exactly one signer"):
        read_timestamp(change(token, double))


ACCURACIES = [
    ({"seconds": 1}, timedelta(seconds=1)),
    ({"millis": 250}, timedelta(milliseconds=250)),
    ({"micros": 999}, timedelta(microseconds=999)),
    ({"seconds": 2, "millis": 3, "micros": 4}, timedelta(seconds=2, milliseconds=3, microseconds=4)),
]


@pytest.mark.parametrize(("accuracy", "latest"), ACCURACIES)
def test_a_token_counts_by_the_latest_moment_it_can_mean(
    accuracy: dict[str, int], latest: timedelta, anchors: list[bytes]
) -> None:
    made = stamp(hashlib.sha256(MESSAGE).digest(), AT, accuracy=accuracy)
    for said in (read_timestamp(made), verify_timestamp(made, MESSAGE, anchors)):
        assert (said.stated_at, said.attested_at) == (AT, AT + latest)


def test_the_chain_must_hold_at_the_latest_moment_too(anchors: list[bytes]) -> None:
    """tsa's certificate ends with 2039."""
    digest, second = hashlib.sha256(MESSAGE).digest(), AT.replace(2039, 12, 31, 23, 59, 58)
    last = verify_timestamp(stamp(digest, second, accuracy={"seconds": 1}), MESSAGE, anchors)
    assert last.attested_at == second + timedelta(seconds=1)
    with pytest.raises(BadTimestamp, match="no authority that is trusted at 2040"):
        verify_timestamp(stamp(digest, second, accuracy={"seconds": 7}), MESSAGE, anchors)


@pytest.mark.parametrize("accuracy", [{"seconds": -1}, {"millis": -1}, {"micros": 1000}, {"seconds": 10**12}])
def test_an_accuracy_that_is_no_duration_is_refused(accuracy: dict[str, int]) -> None:
    with pytest.raises(BadTimestamp):
        read_timestamp(stamp(hashlib.sha256(MESSAGE).digest(), AT, accuracy=accuracy))


def test_what_is_too_long_or_no_token_is_refused(token: bytes) -> None:
    for bad in (b"", b"\x30\x00", token[:-1], token + b"\0", bytes(MAX_TOKEN_BYTES + 1), certificate("tsa")):
        with pytest.raises(BadTimestamp):
            read_timestamp(bad)


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_flipped_bit_changes_what_a_good_token_says(place: int, bit: int) -> None:
    token, anchors = _kept(), [certificate("tsa-root")]
    spoilt = bytearray(token)
    spoilt[place % len(token)] ^= 1 << bit
    before = verify_timestamp(token, MESSAGE, anchors)
    try:
        after = verify_timestamp(bytes(spoilt), MESSAGE, anchors)
    except BadTimestamp:
        return
    # What is not signed (another certificate in the bag, a version number) may change; nothing that is said may.
    said = (
        "stated_at",
        "attested_at",
        "imprint",
        "imprint_algorithm",
        "certificate",
        "serial_number",
        "policy",
        "nonce",
    )
    assert [getattr(after, name) for name in said] == [getattr(before, name) for name in said]


_TOKENS: list[bytes] = []


def _kept() -> bytes:
    if not _TOKENS:
        _TOKENS.append(stamp(hashlib.sha256(MESSAGE).digest(), AT))
    return _TOKENS[0]


@given(noise=st.binary(max_size=400))
def test_noise_is_no_token_and_raises_nothing_else(noise: bytes) -> None:
    with pytest.raises(BadTimestamp):
        read_timestamp(noise)
