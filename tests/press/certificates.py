"""Certificates for the tests of the press: keys of every kind, claims, and a press for each."""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from credential.claims import encode_claims
from credential.cose import sign_message, signature_bytes
from credential.model import Claims, Record
from credential.ports import Algorithm
from credential.qr import encode_qr_claims, fit_qr_claims, qr_text
from press.fonts import FontLibrary
from press.press import Press, Printed
from press.samples import ThrowawaySigner, load_samples
from press.template import Template
from press.template_file import load_template

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / "templates" / "certificate" / "professional-title"
PDF_ALGORITHMS = [Algorithm.RSA_2048, Algorithm.RSA_3072, Algorithm.RSA_4096, Algorithm.P256, Algorithm.P384]
PROOF = "c2sp.org/tlog-proof@v1\nindex 7\n"
SAMPLES = ["longest", "minority", "no-photo", "ordinary", "rare", "shortest"]
RARE_NAMES = ["李䶮𣲵", "徐㼆", "阿依努尔·买买提江", "𬱖𤩽", "㛃喆堃昇㐂𠮷"]

template = cache(lambda: load_template(FOLDER))


class KeySigner:
    """A Signer over a fresh key in memory."""

    def __init__(self, algorithm: Algorithm) -> None:
        self.algorithm = algorithm
        self.key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
        if algorithm is Algorithm.P256:
            self.key = ec.generate_private_key(ec.SECP256R1())
        elif algorithm is Algorithm.P384:
            self.key = ec.generate_private_key(ec.SECP384R1())
        else:
            self.key = rsa.generate_private_key(65537, int(algorithm.removeprefix("rsa-")))
        self.public_key = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        digest = hashes.SHA384() if self.algorithm is Algorithm.P384 else hashes.SHA256()
        return self.key.sign(message, ec.ECDSA(digest))


@dataclass(frozen=True)
class Signing:
    signer: KeySigner
    chain: tuple[bytes, ...]  # leaf, root
    root_key: ec.EllipticCurvePrivateKey

    @property
    def root_pem(self) -> bytes:
        return x509.load_der_x509_certificate(self.chain[-1]).public_bytes(serialization.Encoding.PEM)


@cache
def signing(algorithm: Algorithm) -> Signing:
    """A key with a certificate from a root of its own."""
    signer, root_key = KeySigner(algorithm), ec.generate_private_key(ec.SECP256R1())
    root_name, leaf_name = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        for name in ("测试根", "示例市人力资源和社会保障局")
    )
    start = datetime(2020, 1, 1, tzinfo=UTC)

    def certify(subject: x509.Name, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, *, is_ca: bool) -> bytes:
        builder = x509.CertificateBuilder(root_name, subject, key, x509.random_serial_number())
        builder = builder.not_valid_before(start).not_valid_after(start + timedelta(days=365 * 30))
        builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        usage = x509.KeyUsage(not is_ca, not is_ca, False, False, False, is_ca, is_ca, False, False)
        builder = builder.add_extension(usage, critical=True)
        return builder.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    leaf = certify(leaf_name, signer.key.public_key(), is_ca=False)
    return Signing(signer, (leaf, certify(root_name, root_key.public_key(), is_ca=True)), root_key)


qr_signer = cache(ThrowawaySigner)


@cache
def make_press(library: FontLibrary, algorithm: Algorithm = Algorithm.P256) -> Press:
    look, _ = load_samples(template())
    kept = signing(algorithm)
    return Press(template(), look, library, kept.signer, kept.chain)


def sample_record(name: str) -> Record:
    return load_samples(template())[1][name].record


@dataclass(frozen=True)
class Certificate:
    document: bytes
    printed: Printed
    claims: Claims
    photo: bytes | None
    qr_text: str
    message: bytes


def print_certificate(
    press: Press,
    sample: str = "ordinary",
    *,
    name: str | None = None,
    fields: Mapping[str, str] | None = None,
) -> Certificate:
    """Print a sample, on request with another name or other fields, as issuing would."""
    _, samples = load_samples(template())
    given = samples[sample]
    photo = given.record.photo
    prefix = press.prefix(photo is not None)
    claims = replace(
        given.claims,
        holder=given.claims.holder if name is None else replace(given.claims.holder, name=name),
        fields={**given.claims.fields, **(fields or {})},
        photo_digest=None if photo is None else hashlib.sha256(photo).digest(),
        template_digest=prefix.digest,
    )
    message = sign_message(encode_claims(claims), qr_signer())
    fitted = fit_qr_claims(claims, 0, press.qr_budget, signature_bytes(Algorithm.P256))
    text = qr_text(press.look.public_url, claims.verification_code, sign_message(encode_qr_claims(fitted), qr_signer()))
    printed = press.print(claims, photo=photo, qr_text=text, message=message, proof=PROOF)
    return Certificate(prefix.content + printed.tail, printed, claims, photo, text, message)


def copied_template(**changes: tuple[str, str]) -> Template:
    """Load a copy of the template with one text replaced in each of the named files (``template_toml=(old, new)``)."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(FOLDER, copy)
        for name, (old, new) in changes.items():
            path = copy / name.replace("_", ".")
            content = path.read_text("utf-8")
            assert old in content, old
            path.write_text(content.replace(old, new, 1), "utf-8")
        return load_template(copy)
