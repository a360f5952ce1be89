"""Certificates for their looks: the same each time, the pattern of the QR code included."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from credential.cose import sign_message, signature_bytes
from credential.qr import encode_qr_claims, fit_qr_claims, qr_text
from press.fonts import FontLibrary
from press.press import Press
from press.samples import Sample, ThrowawaySigner, load_samples
from press.template import Template
from press.template_file import load_template
from tests.looks.cases import CASES

TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "certificate"


class SameSigner(ThrowawaySigner):
    """Signs the same message with the same signature, always (RFC 6979)."""

    def __init__(self) -> None:
        super().__init__()
        self._key = ec.derive_private_key(0x59494E5A48454E47, ec.SECP256R1())
        self.public_key = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


class LooksPress:
    """A press for certificates of any text."""

    def __init__(self, template: Template, fonts: FontLibrary) -> None:
        look, own = load_samples(template)
        self.template = template
        self.samples: Mapping[str, Sample] = {
            key: case.sample(own) for key, case in CASES[template.folder.name].items()
        }
        self._signer = SameSigner()
        self._press = Press(template, look, fonts, self._signer, (self._signer.certificate(),))

    def print(self, sample: Sample) -> bytes:
        """Print a certificate; its QR code says nothing of the prefix, whose bytes change more often than its looks."""
        photo, press = sample.record.photo, self._press
        prefix = press.prefix(photo is not None)
        digest = None if photo is None else hashlib.sha256(photo).digest()
        claims = replace(sample.claims, photo_digest=digest, template_digest=bytes(32))
        fitted = fit_qr_claims(
            claims, 0, press.qr_budget, signature_bytes(self._signer.algorithm), in_qr=self.template.schema.in_qr
        )
        code = sign_message(encode_qr_claims(fitted), self._signer)
        printed = press.print(
            replace(claims, template_digest=prefix.digest),
            photo=photo,
            qr_text=qr_text(press.look.public_url, claims.verification_code, code),
            message=b"looks",
            proof="looks\n",
        )
        return prefix.content + printed.tail


looks_template = cache(lambda name: load_template(TEMPLATES / name))
