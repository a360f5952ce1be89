"""Certificates signed with a key that somebody else's CA certified, with time stamps of somebody else's authority."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from credential.claims import encode_claims
from credential.cose import sign_message, signature_bytes
from credential.ports import Algorithm
from credential.qr import encode_qr_claims, fit_qr_claims, qr_text
from press.fonts import FontLibrary
from press.press import Press, SignedTail
from press.samples import load_samples
from tests.authorities import certificate, signer, stamp
from tests.press.certificates import PROOF, qr_signer, template

AT = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
CHAIN = [certificate("signer"), certificate("issuing"), certificate("root")]
ROOM = 3072


def outside_press(library: FontLibrary, name: str = "signer") -> Press:
    """A press whose certificate comes from the outside CA."""
    look, _ = load_samples(template())
    chain = CHAIN[2:] if name == "direct" else CHAIN[1:]
    return Press(template(), look, library, signer(name), [certificate(name), *chain])


def sign_sample(press: Press, token_bytes: int) -> tuple[bytes, SignedTail]:
    """Print and sign a sample; gives prefix and tail."""
    given = load_samples(template())[1]["no-photo"]
    prefix = press.prefix(False)
    claims = replace(given.claims, issued_at=AT, photo_digest=None, template_digest=prefix.digest)
    message = sign_message(encode_claims(claims), qr_signer())
    fitted = fit_qr_claims(claims, 0, press.qr_budget, signature_bytes(Algorithm.P256))
    text = qr_text(press.look.public_url, claims.verification_code, sign_message(encode_qr_claims(fitted), qr_signer()))
    signed = press.sign(claims, photo=None, qr_text=text, message=message, proof=PROOF, token_bytes=token_bytes)
    return prefix.content, signed


def stamped_certificate(library: FontLibrary, *, name: str = "signer", tsa: str = "tsa") -> bytes:
    """A whole certificate at B-T, stamped five seconds after it was issued."""
    prefix, signed = sign_sample(outside_press(library, name), ROOM)
    token = stamp(hashlib.sha256(signed.signature).digest(), AT + timedelta(seconds=5), tsa)
    return prefix + signed.finish(token).tail
