"""A signature on a PDF by each signing library: as documented, and tuned where there is something to tune."""

import io
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import PdfSignatureMetadata, SimpleSigner, sign_pdf

Sign = Callable[[bytes], bytes]
PASSWORD = b"bench"
RESERVED = 16_384  # hexadecimal digits; a CMS with two certificates takes half of it


def pyhanko(keys: Path) -> Sign:
    """PyHanko as its documentation begins: ``SimpleSigner.load`` once, ``sign_pdf`` for each."""
    signer = _load(keys)

    def sign(document: bytes) -> bytes:
        writer = IncrementalPdfFileWriter(io.BytesIO(document))
        return bytes(sign_pdf(writer, PdfSignatureMetadata(field_name="Signature1"), signer=signer).getvalue())

    return sign


def pyhanko_tuned(keys: Path) -> Sign:
    """PyHanko with what costs most taken away: the key is loaded once, and no signature is made to learn its length."""
    private_key = load_pem_private_key((keys / "key.pem").read_bytes(), None)

    class KeptKey(SimpleSigner):
        """Signs with the key object; the inherited one parses and checks the key again each time."""

        def sign_raw(self, data: bytes, digest_algorithm: str) -> bytes:
            """Sign, SHA-256."""
            if digest_algorithm != "sha256":
                raise ValueError(digest_algorithm)
            if isinstance(private_key, rsa.RSAPrivateKey):
                return private_key.sign(data, padding.PKCS1v15(), SHA256())
            if isinstance(private_key, ec.EllipticCurvePrivateKey):
                return private_key.sign(data, ec.ECDSA(SHA256()))
            raise TypeError(type(private_key))

    loaded = _load(keys)
    signer = KeptKey(loaded.signing_cert, loaded.signing_key, loaded.cert_registry)
    meta = PdfSignatureMetadata(field_name="Signature1", md_algorithm="sha256")

    def sign(document: bytes) -> bytes:
        writer = IncrementalPdfFileWriter(io.BytesIO(document))
        return bytes(sign_pdf(writer, meta, signer=signer, bytes_reserved=RESERVED).getvalue())

    return sign


def endesive(keys: Path) -> Sign:
    """Endesive as in its examples: PKCS #12 loaded once, ``cms.sign`` for each."""
    # oscrypto 1.3, which endesive's verifier needs through certvalidator, cannot read the version of OpenSSL 3.0.10 and
    # later. Signing needs neither, but the package imports both; so they are not there to be imported.
    sys.modules["certvalidator"] = MagicMock()
    cms = import_module("endesive.pdf.cms")
    key, cert, others = pkcs12.load_key_and_certificates((keys / "key.p12").read_bytes(), PASSWORD)

    def sign(document: bytes) -> bytes:
        asked = {
            "aligned": RESERVED // 2,
            "sigflags": 3,
            "sigpage": 0,
            "sigfield": "Signature1",
            "auto_sigfield": True,
            "sigandcertify": True,
            "signingdate": datetime.now(UTC).strftime("D:%Y%m%d%H%M%S+00'00'"),
        }
        return document + bytes(cms.sign(document, asked, key, cert, others, "sha256"))

    return sign


def fpdf2(keys: Path) -> Callable[[Any], None]:
    """The signing of fpdf2 itself, as documented: the PKCS #12 file is named for each document."""

    def sign(pdf: Any) -> None:
        pdf.sign_pkcs12(str(keys / "key.p12"), password=PASSWORD)

    return sign


def _load(keys: Path) -> SimpleSigner:
    chain = (str(keys / "ca.pem"),)
    loaded = SimpleSigner.load(str(keys / "key.pem"), str(keys / "cert.pem"), ca_chain_files=chain)  # type: ignore[no-untyped-call] # pyHanko's
    if not isinstance(loaded, SimpleSigner):
        raise TypeError(keys)
    return loaded
