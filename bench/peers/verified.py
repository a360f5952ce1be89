"""Is what a peer made a certificate? Signature, texts, photo and QR code, read by other programs' libraries."""

import io
import re
import subprocess
import tempfile
import unicodedata
from pathlib import Path
from typing import Any

import pypdfium2  # type: ignore[import-untyped] # it has no stubs
import zxingcpp
from asn1crypto import cms, pem, x509
from PIL import ImageStat
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

_SCALE = 200 / 72  # a QR code's modules are five pixels wide
_ALIVE = 15  # standard deviation of the grey of a portrait; a blank box has none


class BadCertificate(Exception):
    """What a peer made is not the certificate it was asked for."""


def verify(document: bytes, job: dict[str, Any], scene: dict[str, Any], ca_cert: bytes) -> None:
    """Verify one document.

    Raises:
        BadCertificate: the signature, a text, the photo or the QR code is not what it should be.
    """
    _verify_signature(document, ca_cert)
    command = ["pdftotext", "-raw", "-enc", "UTF-8", "-", "-"]
    words = _spelt(subprocess.run(command, input=document, check=True, capture_output=True).stdout.decode("utf-8"))
    for line in job["lines"]:
        if _spelt(line["text"]) not in words:
            raise BadCertificate(f"the page does not say {line['text']}")
    picture = pypdfium2.PdfDocument(document)[0].render(scale=_SCALE).to_pil().convert("L")
    left, bottom, width, height = scene["photo"]
    top = scene["page"][1] - bottom - height
    portrait = picture.crop(tuple(round(_SCALE * one) for one in (left, top, left + width, top + height)))
    if ImageStat.Stat(portrait).stddev[0] < _ALIVE:
        raise BadCertificate("there is no portrait")
    if job["qr"] not in {one.text for one in zxingcpp.read_barcodes(picture)}:
        raise BadCertificate("the QR code does not decode to its text")


def _spelt(text: str) -> str:
    """Without white space, and without the difference between 子 and the radical ⼦, which share a glyph."""
    return unicodedata.normalize("NFKC", "".join(text.split()))


def _verify_signature(document: bytes, ca_cert: bytes) -> None:
    try:
        signatures = PdfFileReader(io.BytesIO(document), strict=False).embedded_signatures
    except AttributeError:  # pyHanko wants the signature to be an object of its own, which ISO 32000-1 does not
        return _verify_by_openssl(document, ca_cert)
    if len(signatures) != 1:
        raise BadCertificate(f"there are {len(signatures)} signatures")
    context = ValidationContext(trust_roots=[x509.Certificate.load(ca_cert)], allow_fetching=False)
    try:
        status = validate_pdf_signature(signatures[0], context)
    except (SignatureValidationError, AssertionError) as error:
        # An assertion of pyHanko's fails where the algorithm that is named is not one of the key's kind.
        raise BadCertificate(f"pyHanko: {error}" if str(error) else "pyHanko: key and algorithm differ") from error
    if not (status.intact and status.valid and status.trusted):
        raise BadCertificate(f"the signature is not good: {status.summary()}")
    if status.coverage is not SignatureCoverageLevel.ENTIRE_FILE:
        raise BadCertificate(f"the signature covers {status.coverage}")
    return None


def _verify_by_openssl(document: bytes, ca_cert: bytes) -> None:
    found = re.findall(rb"/ByteRange *\[ *(\d+) +(\d+) +(\d+) +(\d+) *\]", document)
    if len(found) != 1:
        raise BadCertificate(f"there are {len(found)} signatures")
    start, first, second, last = map(int, found[0])
    if start != 0 or second + last != len(document) or (document[first], document[second - 1]) != (0x3C, 0x3E):
        raise BadCertificate("the signature does not cover the entire file")
    container = bytes.fromhex(document[first + 1 : second - 1].decode("ascii"))
    info = cms.ContentInfo.load(container, strict=False)
    # OpenSSL goes by the key alone; other readers go by the algorithm that is named.
    named = info["content"]["signer_infos"][0]["signature_algorithm"].signature_algo
    if ("ecdsa" in named) != (_signing_key_kind(info) == "ec"):
        raise BadCertificate(f"the signature names {named}, which is not the key's kind")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "content").write_bytes(document[:first] + document[second:])
        (folder / "cms").write_bytes(info.dump())
        (folder / "ca").write_text(pem.armor("CERTIFICATE", ca_cert).decode("ascii"), encoding="ascii")
        command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "cms", "-content", "content"]
        command += ["-CAfile", "ca", "-purpose", "any", "-out", "out"]
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise BadCertificate(f"openssl refuses the signature: {done.stderr.strip()[:200]}")


def _signing_key_kind(info: cms.ContentInfo) -> str:
    """``rsa`` or ``ec``, of the certificate that the signer is named by."""
    content = info["content"]
    serial = content["signer_infos"][0]["sid"].chosen["serial_number"].native
    for one in content["certificates"]:
        if one.chosen.serial_number == serial:
            return str(one.chosen.public_key.algorithm)
    raise BadCertificate("the signer's certificate is not in the container")
