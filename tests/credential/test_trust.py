"""The trust list: its one form, who must have signed it, what is refused."""

import base64
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from credential.cose import key_id
from credential.dsse import (
    MAX_SIGNATURES,
    BadEnvelope,
    add_signatures,
    join_envelopes,
    open_envelope,
    pre_authentication_encoding,
    sign_envelope,
)
from credential.ports import Algorithm
from credential.trust import (
    PAYLOAD_TYPE,
    BadTrustList,
    Role,
    TrustedIssuer,
    TrustedKey,
    TrustList,
    TrustListExpired,
    TrustListNotSigned,
    TrustListOlder,
    Witness,
    open_past_trust_list,
    open_trust_list,
    sign_trust_list,
)
from credential.trust_list import read_trust_list, write_trust_list

MAKE = Callable[..., Any]
NOW = datetime(2026, 7, 8, tzinfo=UTC)
YEAR = timedelta(days=365)
ISSUER = "11330299MB0T00023P"


def roots(make_signer: MAKE, *numbers: int) -> list[Any]:
    return [make_signer(Algorithm.ED25519, 10 + number) for number in numbers]


def spkis(signers: list[Any]) -> tuple[bytes, ...]:
    return tuple(signer.public_key for signer in signers)


@pytest.fixture
def trust(make_signer: MAKE) -> TrustList:
    ca = make_signer(Algorithm.P256, 5)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "开发测试根")])
    builder = x509.CertificateBuilder(name, name, ca.key.public_key(), 1, NOW, NOW + YEAR)
    signing = make_signer(Algorithm.RSA_2048)
    return TrustList(
        version=3,
        issued_at=NOW,
        expires=NOW + timedelta(days=30),
        log_origin="zs.example.gov.cn/log",
        issuers=(TrustedIssuer(ISSUER, "示例市人力资源和社会保障局"),),
        keys=(
            TrustedKey(Role.PDF, ISSUER, Algorithm.RSA_2048, signing.public_key, NOW, NOW + YEAR),
            TrustedKey(Role.QR, ISSUER, Algorithm.P256, make_signer(Algorithm.P256).public_key, NOW, None, NOW + YEAR),
            TrustedKey(Role.LOG, "", Algorithm.ED25519, make_signer(Algorithm.ED25519).public_key, NOW),
        ),
        ca_certs=(builder.sign(ca.key, SHA256()).public_bytes(Encoding.DER),),
        witnesses=(Witness("witness.example.org", bytes(32)),),
        witness_threshold=1,
        roots=spkis(roots(make_signer, 0, 1, 2)),
        threshold=2,
    )


def test_a_list_signed_by_enough_roots_is_read_back(trust: TrustList, make_signer: MAKE) -> None:
    envelope = sign_trust_list(trust, roots(make_signer, 0, 2))
    assert open_trust_list(envelope, trust.roots, 2, NOW, seen_version=3) == trust
    assert envelope == sign_trust_list(trust, roots(make_signer, 0, 2)), "the form is deterministic"


@pytest.mark.parametrize("signing", [(), (0,), (0, 0), (0, 7), (7, 8)])
def test_too_few_roots_are_refused_however_often_one_signed(
    signing: tuple[int, ...], trust: TrustList, make_signer: MAKE
) -> None:
    envelope = sign_trust_list(trust, roots(make_signer, *signing))
    with pytest.raises(TrustListNotSigned) as caught:
        open_trust_list(envelope, trust.roots, 2, NOW, 0)
    assert caught.value.found == len({number for number in signing if number < 3})
    assert caught.value.threshold == 2


def test_a_change_of_roots_needs_old_and_new(trust: TrustList, make_signer: MAKE) -> None:
    old = trust.roots
    changed = replace(trust, version=4, roots=spkis(roots(make_signer, 2, 3, 4)))
    both = sign_trust_list(changed, roots(make_signer, 0, 1, 3, 4))
    assert open_trust_list(both, old, 2, NOW, 3) == changed
    assert open_trust_list(sign_trust_list(changed, roots(make_signer, 0, 2, 4)), old, 2, NOW, 3) == changed
    for signing in ((0, 1), (3, 4), (0, 1, 3), (2, 3, 4)):
        with pytest.raises(TrustListNotSigned):
            open_trust_list(sign_trust_list(changed, roots(make_signer, *signing)), old, 2, NOW, 3)


def test_an_older_list_than_one_seen_is_refused(trust: TrustList, make_signer: MAKE) -> None:
    envelope = sign_trust_list(trust, roots(make_signer, 0, 1))
    with pytest.raises(TrustListOlder) as caught:
        open_trust_list(envelope, trust.roots, 2, NOW, seen_version=4)
    assert (caught.value.version, caught.value.seen) == (3, 4)


def test_an_expired_list_is_refused_from_its_last_moment_on(trust: TrustList, make_signer: MAKE) -> None:
    envelope = sign_trust_list(trust, roots(make_signer, 0, 1))
    open_trust_list(envelope, trust.roots, 2, trust.expires - timedelta(seconds=1), 0)
    with pytest.raises(TrustListExpired, match="2026-08-07T00:00:00Z") as caught:
        open_trust_list(envelope, trust.roots, 2, trust.expires, 0)
    assert caught.value.expires == trust.expires


@pytest.mark.parametrize("threshold", [0, -1])
def test_no_list_is_believed_without_a_signature(threshold: int, trust: TrustList, make_signer: MAKE) -> None:
    with pytest.raises(ValueError, match="at least one"):
        open_trust_list(sign_trust_list(trust, roots(make_signer, 0)), trust.roots, threshold, NOW, 0)


def test_a_root_pinned_twice_counts_once(trust: TrustList, make_signer: MAKE) -> None:
    envelope = sign_trust_list(trust, roots(make_signer, 0))
    with pytest.raises(TrustListNotSigned):
        open_trust_list(envelope, [trust.roots[0]] * 2, 2, NOW, 0)


def test_keys_are_found_by_identifier_and_role(trust: TrustList, make_signer: MAKE) -> None:
    qr = make_signer(Algorithm.P256)
    assert trust.find_key(key_id(qr.public_key), Role.QR) is trust.keys[1]
    assert trust.find_key(key_id(qr.public_key), Role.PDF) is None
    assert trust.find_key(bytes(8), Role.QR) is None
    assert trust.find_issuer(ISSUER) is trust.issuers[0]
    assert trust.find_issuer("") is None


def test_a_key_is_good_in_its_time_and_before_its_compromise(trust: TrustList) -> None:
    pdf, qr, _ = trust.keys
    second = timedelta(seconds=1)
    assert [pdf.is_valid_at(at) for at in (NOW - second, NOW, NOW + YEAR - second, NOW + YEAR)] == [
        False,
        True,
        True,
        False,
    ]
    assert qr.is_valid_at(NOW + 50 * YEAR)
    assert not qr.is_compromised_at(NOW + YEAR - second)
    assert qr.is_compromised_at(NOW + YEAR)
    assert not pdf.is_compromised_at(NOW + 50 * YEAR)


# ---- what makes no sense


@pytest.mark.parametrize(
    "change",
    [
        lambda t: replace(t, version=0),
        lambda t: replace(t, version=True),
        lambda t: replace(t, version=1.0),
        lambda t: replace(t, expires=t.issued_at),
        lambda t: replace(t, issued_at=t.issued_at.replace(microsecond=1)),
        lambda t: replace(t, issued_at=t.issued_at.replace(tzinfo=None)),
        lambda t: replace(t, log_origin="two words"),
        lambda t: replace(t, log_origin=""),
        lambda t: replace(t, issuers=()),
        lambda t: replace(t, issuers=t.issuers * 2),
        lambda t: replace(t, issuers=(*t.issuers, TrustedIssuer("1", "x"))),
        lambda t: replace(t, issuers=(TrustedIssuer(ISSUER, ""),)),
        lambda t: replace(t, issuers=(TrustedIssuer(ISSUER, 5),)),  # type: ignore[arg-type] # wrong on purpose
        lambda t: replace(t, keys=(*t.keys, replace(t.keys[0], role=Role.QR))),
        lambda t: replace(t, keys=(replace(t.keys[0], role=Role.TRUST_ROOT),)),
        lambda t: replace(t, keys=(replace(t.keys[0], role="boss"),)),
        lambda t: replace(t, keys=(replace(t.keys[0], issuer=""),)),
        lambda t: replace(t, keys=(replace(t.keys[0], algorithm=Algorithm.RSA_3072),)),
        lambda t: replace(t, keys=(replace(t.keys[0], valid_until=NOW),)),
        lambda t: replace(t, keys=(replace(t.keys[0], public_key=b"x"),)),
        lambda t: replace(t, keys=(replace(t.keys[0], public_key=t.roots[0], algorithm=Algorithm.ED25519),)),
        lambda t: replace(t, keys=(replace(t.keys[1], role=Role.LOG),)),
        lambda t: replace(t, ca_certs=t.ca_certs * 2),
        lambda t: replace(t, ca_certs=(b"x",)),
        lambda t: replace(t, witness_threshold=2),
        lambda t: replace(t, witness_threshold=-1),
        lambda t: replace(t, witnesses=t.witnesses * 2),
        lambda t: replace(t, witnesses=(*t.witnesses, Witness("other", bytes(32)))),
        lambda t: replace(t, witnesses=(Witness("a+b", bytes(32)),)),
        lambda t: replace(t, witnesses=(Witness("a", bytes(31)),)),
        lambda t: replace(t, roots=(), threshold=0),
        lambda t: replace(t, threshold=0),
        lambda t: replace(t, threshold=4),
        lambda t: replace(t, roots=(*t.roots, t.roots[0])),
        lambda t: replace(t, roots=(t.keys[1].public_key,), keys=(), threshold=1),
    ],
)
def test_a_list_that_makes_no_sense_is_not_signed(
    change: Callable[[TrustList], TrustList], trust: TrustList, make_signer: MAKE
) -> None:
    with pytest.raises(BadTrustList):
        sign_trust_list(change(trust), roots(make_signer, 0, 1))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + b"\n",
        lambda text: text.replace(b'"version":3', b'"version": 3'),
        lambda text: text.replace(b'"version":3', b'"version":3,"version":3'),
        lambda text: text.replace(b'"version":3', b'"version":3,"very":1'),
        lambda text: text.replace(b'"version":3', b'"very":3'),
        lambda text: text.replace(b"list/1", b"list/2"),
        lambda text: text.replace(b"2026-07-08T00:00:00Z", b"2026-07-08T00:00:00"),
        lambda text: text.replace(b"2026-07-08T00:00:00Z", b"2026-07-08T08:00:00+08:00"),
        lambda text: text.replace("示例市".encode(), rb"\u793a\u4f8b\u5e02"),
        lambda _: b"[]",
        lambda _: b"\xff",
        lambda _: b"[" * 100_000,
        lambda _: b'{"format":"yinzheng-trust-list/1"}',
    ],
)
def test_another_form_of_the_content_is_refused(change: Callable[[bytes], bytes], trust: TrustList) -> None:
    payload = write_trust_list(trust)
    assert read_trust_list(payload) == trust
    with pytest.raises(BadTrustList):
        read_trust_list(change(payload))


def test_content_that_roots_signed_by_mistake_is_refused_still(trust: TrustList, make_signer: MAKE) -> None:
    envelope = sign_envelope(PAYLOAD_TYPE, b"{}", roots(make_signer, 0, 1))
    with pytest.raises(BadTrustList):
        open_trust_list(envelope, trust.roots, 2, NOW, 0)


# ---- the envelope


def test_the_encoding_to_be_signed_is_that_of_the_dsse_protocol() -> None:
    # The example of protocol.md, secure-systems-lab/dsse.
    encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_openssl_verifies_a_signature_of_the_envelope(
    trust: TrustList, make_signer: MAKE, tool: Callable[[str], Path], tmp_path: Path
) -> None:
    (root,) = roots(make_signer, 0)
    outer = json.loads(sign_trust_list(trust, [root]))
    payload = base64.b64decode(outer["payload"])
    kind = outer["payloadType"]
    (tmp_path / "content").write_bytes(f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload)
    (tmp_path / "signature").write_bytes(base64.b64decode(outer["signatures"][0]["sig"]))
    (tmp_path / "key").write_bytes(root.public_key)
    command = [str(tool("openssl")), "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key", "-rawin"]
    subprocess.run([*command, "-in", "content", "-sigfile", "signature"], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e + b" ",
        lambda e: e.replace(b'"keyid"', b'"kid"'),
        lambda e: e.replace(b'"payloadType"', b'"payload_type"'),
        lambda e: e.replace(b"trust-list+json", b"other+json"),
        lambda e: e.replace(b'"signatures": [', b'"signatures": [1, '),
        lambda e: e.replace(b'"payload": "', b'"payload": "!'),
        lambda _: b"",
        lambda _: b"{}",
        lambda _: b"null",
        lambda _: b"[" * 100_000,
        lambda _: b"\xff\xfe",
        lambda _: bytes((1 << 24) + 1),
    ],
)
def test_another_form_of_the_envelope_is_refused(
    change: Callable[[bytes], bytes], trust: TrustList, make_signer: MAKE
) -> None:
    envelope = sign_trust_list(trust, roots(make_signer, 0, 1))
    with pytest.raises(BadEnvelope):
        open_trust_list(change(envelope), trust.roots, 2, NOW, 0)


def test_too_many_signatures_are_refused(make_signer: MAKE) -> None:
    (root,) = roots(make_signer, 0)
    with pytest.raises(BadEnvelope):
        open_envelope(sign_envelope("text/plain", b"", [root] * 65), "text/plain")


def test_a_signature_under_another_type_does_not_count(trust: TrustList, make_signer: MAKE) -> None:
    signing = roots(make_signer, 0, 1)
    foreign = sign_envelope("text/plain", write_trust_list(trust), signing)
    with pytest.raises(TrustListNotSigned):
        open_trust_list(foreign.replace(b"text/plain", PAYLOAD_TYPE.encode()), trust.roots, 2, NOW, 0)


def test_only_ed25519_keys_count_as_signers(make_signer: MAKE) -> None:
    signer = make_signer(Algorithm.P256)
    opened = open_envelope(sign_envelope("text/plain", b"x", [signer]), "text/plain")
    assert opened.signers([signer.public_key]) == frozenset()


# ---- signatures that come one by one -----------------------------------------------------------------------------


def test_signatures_given_one_by_one_or_in_copies_make_the_list_that_was_signed_at_once(
    trust: TrustList, make_signer: MAKE
) -> None:
    first, second, third = roots(make_signer, 0, 1, 2)
    draft = sign_trust_list(trust, [])
    with pytest.raises(TrustListNotSigned):
        open_past_trust_list(draft, trust.roots, 2)
    one, other = (add_signatures(open_envelope(draft, PAYLOAD_TYPE), [signer]) for signer in (first, third))
    joined = join_envelopes([open_envelope(copy, PAYLOAD_TYPE) for copy in (one, other, one)])

    assert joined == sign_trust_list(trust, [first, third])
    assert add_signatures(open_envelope(joined, PAYLOAD_TYPE), [third, first]) == joined, "who has signed signs once"
    assert open_past_trust_list(joined, trust.roots, 2) == trust
    assert open_envelope(joined, PAYLOAD_TYPE).signers([second.public_key]) == frozenset()


def test_copies_of_different_lists_are_not_joined(trust: TrustList, make_signer: MAKE) -> None:
    signer = roots(make_signer, 0)
    copies = [sign_trust_list(one, signer) for one in (trust, replace(trust, version=4))]
    with pytest.raises(BadEnvelope):
        join_envelopes([open_envelope(copy, PAYLOAD_TYPE) for copy in copies])


def test_too_many_signatures_are_not_joined(trust: TrustList) -> None:
    draft = open_envelope(sign_trust_list(trust, []), PAYLOAD_TYPE)
    crowd = replace(draft, signatures=tuple((f"{number:016x}", bytes(64)) for number in range(MAX_SIGNATURES + 1)))
    with pytest.raises(BadEnvelope):
        join_envelopes([draft, crowd])


def test_a_list_of_the_past_is_read_for_the_next_one_but_not_without_its_roots(
    trust: TrustList, make_signer: MAKE
) -> None:
    envelope = sign_trust_list(trust, roots(make_signer, 0, 1))
    with pytest.raises(TrustListExpired):
        open_trust_list(envelope, trust.roots, 2, trust.expires, 0)
    assert open_past_trust_list(envelope, trust.roots, 2) == trust
    with pytest.raises(TrustListNotSigned):
        open_past_trust_list(envelope, spkis(roots(make_signer, 5, 6)), 1)
    with pytest.raises(ValueError, match="at least one"):
        open_past_trust_list(envelope, trust.roots, 0)
