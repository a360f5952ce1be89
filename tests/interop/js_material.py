"""A certificate with its trust list, log, witnesses and status list, and the ways to damage each of them."""

import hashlib
import json
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from credential.cbor import Tag, decode, encode
from credential.claims import encode_claims
from credential.cose import sign_message
from credential.cosignature import cosign
from credential.dsse import sign_envelope
from credential.leaves import issue_leaf, key_leaf, seal_leaf, status_list_leaf, trust_list_leaf
from credential.merkle import consistency_proof, leaf_hash, root_hash
from credential.model import Claims
from credential.note import Checkpoint, sign_checkpoint
from credential.ports import Algorithm
from credential.qr import QrClaims, decode_qr_claims, encode_qr_claims, parse_qr_text, qr_text
from credential.trust import PAYLOAD_TYPE, Role, TrustList, sign_trust_list
from credential.trust_list import FormerLog, Witness, write_trust_list
from press.fonts import FontLibrary
from press.press import Press
from registry.status.token_list import LIFETIME, TTL, StatusList, pack_statuses, sign_cwt, sign_jwt
from tests.fakes_issuer import MemorySigner
from tests.press.certificates import make_press
from tests.verifier.world import (
    LOG_KEY,
    NOW,
    ORIGIN,
    QR_KEY,
    SLOTS,
    STATUS_BASE,
    STATUS_KEY,
    Issued,
    Log,
    change_key,
    issue,
    trust_list,
)

FONTS = Path(__file__).resolve().parents[2] / "templates" / "fonts"
URI = f"{STATUS_BASE}/0"
OLD_ORIGIN = "log.example.org/given-up"

ROOTS = [MemorySigner(f"root {number}", Algorithm.ED25519) for number in range(3)]
WITNESSES = {name: MemorySigner(name, Algorithm.ED25519) for name in ("w1.example.org", "w2.example.org", "w3.example")}
STRANGER = MemorySigner("a stranger")
STRANGE_ROOT = MemorySigner("a stranger's root", Algorithm.ED25519)


class CosignedLog(Log):
    """A log whose checkpoints two of three witnesses have seen."""

    seen_by = ("w1.example.org", "w2.example.org")

    def checkpoint(self) -> str:
        return cosigned(super().checkpoint(), *self.seen_by)


def cosigned(note: str, *names: str, at: datetime = NOW, key: MemorySigner | None = None) -> str:
    """A note with the lines of witnesses behind it, which another key may have made."""
    text = note[: note.index("\n\n") + 1]
    return note + "".join(cosign(text, name, key or WITNESSES[name], at) for name in names)


def base64(value: bytes) -> str:
    return b64encode(value).decode()


@dataclass(frozen=True)
class Material:
    """One certificate and all that surrounds it, good; a case changes a copy of what it is about."""

    press: Press
    issued: Issued
    log: CosignedLog
    trust: TrustList

    @property
    def claims(self) -> bytes:
        return encode_claims(self.issued.claims)

    @property
    def issue_leaf(self) -> bytes:
        return issue_leaf(hashlib.sha256(self.claims).digest(), self.issued.claims.salt)

    @property
    def seal_leaf(self) -> bytes:
        return seal_leaf(self.issued.digest, self.issued.claims.salt)

    @property
    def sent(self) -> bytes:
        """The signed message in the QR code."""
        message = parse_qr_text(self.issued.qr_text).message
        assert message is not None
        return message

    @property
    def qr(self) -> QrClaims:
        return decode_qr_claims(decode(self.sent).value[2])

    def world(self) -> dict[str, Any]:
        return {
            "envelope": base64(self.envelope(self.trust)),
            "roots": [base64(root.public_key) for root in ROOTS],
            "threshold": 2,
            "seen": 3,
            "now": int(NOW.timestamp()),
            "origins": [self.press.look.public_url],
            "token": base64(self.token()),
        }

    def envelope(self, trust: TrustList, signers: list[MemorySigner] = ROOTS[:2]) -> bytes:
        return sign_trust_list(trust, signers)

    def trusting(self, **changes: Any) -> dict[str, Any]:
        return {"envelope": base64(self.envelope(replace(self.trust, **changes)))}

    def with_key(self, role: Role, **changes: Any) -> dict[str, Any]:
        return {"envelope": base64(self.envelope(change_key(self.trust, role, **changes)))}

    def list(self, **changes: Any) -> StatusList:
        values = changes.pop("values", {5: 1, 6: 2, 7: 3})
        whole = StatusList(URI, NOW, NOW + LIFETIME, TTL, 2, pack_statuses(values.items(), slots=SLOTS))
        return replace(whole, **changes)

    def token(self, **changes: Any) -> bytes:
        return sign_cwt(self.list(**changes), STATUS_KEY)

    def paper(self, **changes: Any) -> dict[str, Any]:
        return {"check": "paper", "text": self.issued.qr_text} | changes

    def file(self, **changes: Any) -> dict[str, Any]:
        return {
            "check": "file",
            "text": self.issued.qr_text,
            "claims": base64(self.issued.message),
            "document": base64(self.issued.document),
            "proof": self.log.proof(self.issue_leaf),
            "seal": self.log.proof(self.seal_leaf),
        } | changes

    def asked(self, slot: int = 77, **changes: Any) -> dict[str, Any]:
        return {"check": "list", "uri": URI, "slot": slot} | changes

    def growth(self, old: int, new: int, **changes: Any) -> dict[str, Any]:
        hashes = [leaf_hash(leaf) for leaf in self.log.leaves]
        notes = [sign_checkpoint(Checkpoint(ORIGIN, n, root_hash(hashes[:n])), LOG_KEY) for n in (old, new)]
        return {
            "check": "growth",
            "before": cosigned(notes[0], *WITNESSES),
            "after": cosigned(notes[1], *WITNESSES),
            "hashes": [base64(one) for one in consistency_proof(hashes[:new], old)],
        } | changes

    def said(self, by: MemorySigner = QR_KEY, /, **changes: Any) -> str:
        """The QR code's text with other claims, well signed."""
        payload = encode_qr_claims(replace(self.qr, **changes))
        return self.text(sign_message(payload, by))

    def text(self, message: bytes) -> str:
        return qr_text(self.press.look.public_url, self.issued.claims.verification_code, message)

    def claimed(self, key: MemorySigner = QR_KEY, **changes: Any) -> dict[str, Any]:
        """A file whose full claims are others, well signed, with a QR code and proofs that fit them."""
        claims = replace(self.issued.claims, **changes)
        payload = encode_claims(claims)
        return self.file_of(claims, payload, key)

    def file_of(self, claims: Claims, payload: bytes, key: MemorySigner = QR_KEY) -> dict[str, Any]:
        log = CosignedLog([*self.log.leaves])
        log.add(issue_leaf(hashlib.sha256(payload).digest(), claims.salt))
        sealed = seal_leaf(self.issued.digest, claims.salt)
        log.add(sealed)
        digest = hashlib.sha256(payload).digest()
        return self.file(
            claims=base64(sign_message(payload, key)),
            text=self.said(claims_digest=digest),
            proof=log.proof(issue_leaf(digest, claims.salt)),
            seal=log.proof(sealed),
        )

    def raw_claims(self, change: Callable[[dict[int, Any]], Any]) -> dict[str, Any]:
        """The same with claims that our own writer refuses to write."""
        entries = decode(self.claims)
        change(entries)
        return self.file_of(self.issued.claims, encode(entries))

    def message(self, **parts: Any) -> str:
        """The QR code's text with a part of its message changed."""
        names = ("protected", "unprotected", "payload", "signature")
        whole = dict(zip(names, decode(self.sent).value, strict=True))
        return self.text(encode(Tag(18, list((whole | parts).values()))))


def flip(value: bytes, at: int) -> bytes:
    changed = bytearray(value)
    changed[at] ^= 1
    return bytes(changed)


def digits(text: str, change: Callable[[int], int]) -> str:
    head, _, number = text.partition("#1")
    return f"{head}#1{change(int(number))}"


def jwt(material: Material, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """A JWT with any header and claims over those of a good one, well signed."""
    good = sign_jwt(material.list(), STATUS_KEY).decode().split(".")
    parts = [json.loads(b64decode(part + "==", altchars=b"-_")) for part in good[:2]]
    signed = ".".join(
        urlsafe_b64encode(json.dumps(old | dict(new)).encode()).rstrip(b"=").decode()
        for old, new in zip(parts, (header, claims), strict=True)
    )
    r, s = decode_dss_signature(STATUS_KEY.sign(signed.encode()))
    signature = urlsafe_b64encode(r.to_bytes(32) + s.to_bytes(32)).rstrip(b"=").decode()
    return base64(f"{signed}.{signature}".encode())


def relisted(material: Material, change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """A trust list in the one form and well signed that our own writer refuses to write."""
    told = json.loads(write_trust_list(material.trust))
    change(told)
    payload = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return {"envelope": base64(sign_envelope(PAYLOAD_TYPE, payload, ROOTS[:2]))}


def signed_note(origin: str, size: int, root: bytes, key: MemorySigner = LOG_KEY) -> str:
    return cosigned(sign_checkpoint(Checkpoint(origin, size, root), key), "w1.example.org", "w2.example.org")


def swapped(proof: str, note: str) -> str:
    return proof[: proof.index("\n\n") + 2] + note


def without_hash(proof: str) -> str:
    lines = proof.split("\n")
    del lines[2]
    return "\n".join(lines)


def doubled(envelope: bytes) -> bytes:
    told = json.loads(envelope)
    told["signatures"] *= 2
    return json.dumps(told, sort_keys=True, indent=1).encode() + b"\n"


def make_material(cache: Path) -> Material:
    """Print and log one certificate; fonts are unpacked into the cache."""
    press = make_press(FontLibrary(FONTS, cache))
    log = CosignedLog()
    issued = issue(press, log)
    log.add(key_leaf("log", "", LOG_KEY.public_key))
    log.add(trust_list_leaf(b"an older list"))
    status = pack_statuses({5: 1, 6: 2, 7: 3}.items(), slots=SLOTS)
    log.add(status_list_leaf(URI, NOW, hashlib.sha256(status).digest()))
    log.leaves.extend(f"leaf {number}".encode() for number in range(2))
    trust = trust_list(
        issued,
        version=4,
        roots=tuple(root.public_key for root in ROOTS),
        threshold=2,
        witnesses=tuple(Witness(name, key.public_key[-32:]) for name, key in WITNESSES.items()),
        witness_threshold=2,
        former_logs=(FormerLog(OLD_ORIGIN, 4, b"r" * 32),),
    )
    return Material(press, issued, log, trust)
