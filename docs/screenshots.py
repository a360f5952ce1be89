"""Take the pictures of the pages that the docs show: `python -m docs.screenshots`, with chromium on the path.

Run by hand when a page has changed. The verdicts are those of the tests' gallery: every person is invented. Chinese is
drawn with whatever font the machine has for it (the pictures here: Droid Sans Fallback).
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from shutil import which

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from credential.cose import sign_message
from credential.model import PartialDate
from credential.ports import Algorithm
from credential.qr import QrClaims, encode_qr_claims
from credential.trust_list import Role, TrustedKey, write_key
from tests.e2e.site import DESK, PHONE, free_socket, served, visit
from tests.verifier.gallery import SUMMARY, StillNotices, fragment_of, gallery_app, gallery_code

IMAGES = Path(__file__).resolve().parent / "images"
MAX_BYTES = 150 * 1024
COLOURS = 64
ISSUED = datetime(2026, 7, 8, 1, 0, tzinfo=UTC)


class PaperSigner:
    """Signs the paper that the pictures hold against the page."""

    algorithm = Algorithm.P256

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.public_key = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        """Sign with ECDSA."""
        return self._key.sign(message, ec.ECDSA(SHA256()))


class PaperNotices(StillNotices):
    """Knows the key of the paper."""

    def __init__(self, signer: PaperSigner) -> None:
        start = ISSUED - timedelta(days=1)
        self._key = write_key(TrustedKey(Role.QR, SUMMARY.issuer, Algorithm.P256, signer.public_key, start))

    def qr_keys(self, uscc: str) -> Sequence[Mapping[str, str | None]]:
        """The one key."""
        return [self._key] if uscc == SUMMARY.issuer else []


def fragment(signer: PaperSigner, serial: str) -> str:
    """What the paper's QR code says, signed."""
    claims = QrClaims(
        issuer=SUMMARY.issuer,
        serial=serial,
        name=SUMMARY.name,
        name_is_cut=False,
        title=SUMMARY.fields["title"],
        level=SUMMARY.fields["level"],
        qualified_on=PartialDate(SUMMARY.fields["qualified_on"]),
        status_list=1,
        status_index=1,
        issued_at=ISSUED,
        claims_digest=bytes.fromhex(SUMMARY.claims_digest),
    )
    return fragment_of(sign_message(encode_qr_claims(claims), signer))


def pictures(signer: PaperSigner) -> dict[str, str]:
    """Every picture's name and page."""
    good, paper = f"/c/{gallery_code('good')}", fragment(signer, SUMMARY.serial)
    return {
        "valid": f"{good}?lang=zh#{paper}",
        "valid-en": f"{good}?lang=en#{paper}",
        "revoked": f"/c/{gallery_code('revoked')}?lang=zh",
        "superseded": f"/c/{gallery_code('superseded')}?lang=zh",
        "unavailable": f"/c/{gallery_code('register-unavailable')}?lang=zh",
        "other-paper": f"{good}?lang=zh#{fragment(signer, '33029920260520001300')}",
        "home": "/?lang=zh",
        "upload": "/verify/file?lang=zh",
        "type-in": "/verify?lang=zh",
        "claim": "/claim?lang=zh",
    }


def take(browser: Browser, origin: str, size: tuple[int, int], name: str, page: str) -> Path:
    """Take one picture, of the whole page, in few colours."""
    with visit(browser, size) as seen:
        seen.open(origin + page)
        if "#" in page:
            seen.page.wait_for_selector("#paper[data-outcome]", state="attached")
        shown = Image.open(BytesIO(seen.page.screenshot(full_page=True))).convert("RGB")
    file = IMAGES / f"page-{name}-{size[0]}.png"
    shown.quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    if file.stat().st_size > MAX_BYTES:
        sys.exit(f"{file.name} is larger than {MAX_BYTES} bytes")
    return file


def main() -> None:
    """Take every picture on a phone and at a desk."""
    signer = PaperSigner()
    with (
        served(gallery_app(notices=PaperNotices(signer)), free_socket()) as origin,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox"])
        for size in (PHONE, DESK):
            for name, page in pictures(signer).items():
                take(browser, origin, size, name, page)
        browser.close()


if __name__ == "__main__":
    main()
