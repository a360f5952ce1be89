"""How long each part of printing takes, beside one private-key operation of the same process.

Run from the root of the project: ``python -m bench.stages``. It unpacks the
pinned fonts to a temporary folder first. Every figure is the best of several
rounds in one process with everything already looked at once, which a batch
reaches after its first rows; what the first time costs is printed apart.
"""

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import qrcode
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from qrcode import util

from bench.made_up import people
from bench.stopped import Job, print_jobs
from credential.claims import encode_claims
from credential.cose import sign_message, signature_bytes
from credential.model import Claims, PartialDate
from credential.ports import Algorithm
from credential.qr import encode_qr_claims, fit_qr_claims, qr_text
from credential.serial import identifier
from issuer.printing import PRINT_AT_ONCE
from press.cms import CmsTemplate
from press.fonts import FontLibrary
from press.glyphs import subset_font, subset_tag, to_unicode
from press.issuer_look import IssuerLook
from press.press import Press
from press.samples import ThrowawaySigner, load_samples
from press.symbol import LEVELS, SymbolPress
from press.symbol_image import SymbolImage
from press.template_file import load_template
from templates import certificate_folder

FONTS: Final = Path(__file__).resolve().parents[1] / "templates" / "fonts"
VALUES: Final = "李䶮阿依努尔·买提江高级工程师年月日20"  # 20 glyphs of two faces
PREFIX: Final = "https://zc.example.cn/c/"
ROUNDS: Final = 7
USCC, TYPE_CODE = "11330200MB0T000315", "11100000MB0123456A001"
ISSUED_AT: Final = datetime(2026, 11, 22, 2, 3, 4, tzinfo=UTC)
PROOF: Final = "c2sp.org/tlog-proof@v1\nindex 123456\n" + 20 * "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n"


class KeySigner:
    """A key in memory, or a signature made before, to leave the key operation out."""

    def __init__(self, algorithm: Algorithm, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
        self.algorithm = algorithm
        self.key = key
        self.public_key = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.made: bytes | None = None

    def sign(self, message: bytes) -> bytes:
        """Sign, or give back what was made before."""
        if self.made is not None:
            return self.made
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(message, ec.ECDSA(hashes.SHA256()))


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """Make a self-signed certificate, DER."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def timed(what: str, call: Callable[[], object], times: int, of: int = 1) -> None:
    """Print the best round's microseconds of a core for each of so many things that a call makes."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(times):
            call()
        rounds.append((time.process_time() - start) / times / of)
    print(f"{what:<58}{min(rounds) * 1e6:12.1f} us{1 / min(rounds):14,.0f} /s")


def once(what: str, call: Callable[[], object]) -> None:
    """Print what one call takes."""
    start = time.perf_counter()
    call()
    print(f"{what:<58}{(time.perf_counter() - start) * 1e3:12.1f} ms")


def fonts() -> None:
    """Time the fonts: first access, then every certificate."""
    with TemporaryDirectory() as cache:
        folder = Path(cache)
        names = ("kai", "song", "hana-a", "hana-b")
        once(
            "fonts: unpack kai and song, once a machine",
            lambda: FontLibrary(FONTS, folder).chain(*names).glyphs("李⿰"),
        )
        once(
            "fonts: first text of a process, unpacked", lambda: FontLibrary(FONTS, folder).chain(*names).glyphs(VALUES)
        )
        chain = FontLibrary(FONTS, folder).chain(*names)
        glyphs = chain.glyphs(VALUES)
        texts = [glyph.text for glyph in glyphs]
        timed(f"fonts: look up {len(glyphs)} glyphs", lambda: chain.glyphs(VALUES), 2000)
        timed("fonts: subset_font", lambda: subset_font(glyphs), 2000)
        timed("fonts: to_unicode", lambda: to_unicode(texts), 2000)
        timed("fonts: subset_tag", lambda: subset_tag(glyphs), 2000)


def symbols() -> None:
    """Time QR symbols of version 14-M, full, against the library that defines them."""
    once("symbol: compile 14-M, mask to be found", lambda: SymbolPress(14, prefix=PREFIX))
    press = SymbolPress(14, prefix=PREFIX, mask=2)
    once("symbol: compile 14-M, mask known", lambda: SymbolPress(14, prefix=PREFIX, mask=2))
    head = f"{PREFIX}7QK2M9ZT4XB8C0HD#"
    digits = ("1" + "8234567091" * 100)[: press.max_digits(len(head))]

    def by_library(mask: int | None) -> None:
        code: qrcode.QRCode[Any] = qrcode.QRCode(14, LEVELS["M"], mask_pattern=mask)
        code.add_data(util.QRData(head.encode("ascii"), 4))
        code.add_data(util.QRData(digits.encode("ascii"), 1))
        code.make(fit=False)

    timed(f"symbol: ours, {len(digits)} digits", lambda: press.encode(head + digits), 2000)
    image = SymbolImage(press)
    timed("symbol: its picture, deflated", lambda: image.deflated([head + digits]), 2000)
    texts = [f"{head}{digits[:-2]}{number}" for number in range(10, 10 + PRINT_AT_ONCE)]
    timed(f"symbol: the same, {PRINT_AT_ONCE} at once, each", lambda: image.deflated(texts), 100, PRINT_AT_ONCE)
    timed("symbol: qrcode, mask given", lambda: by_library(2), 10)
    timed("symbol: qrcode, mask chosen for each", lambda: by_library(None), 2)


def contents(template: CmsTemplate, signer: KeySigner, digest: bytes) -> bytes:
    """Make what stands in /Contents."""
    return template.contents_hex(template.build(digest, signer))


def containers() -> None:
    """Time the CMS with and without the key operation."""
    keys: list[tuple[Algorithm, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey]] = [
        (Algorithm.RSA_2048, rsa.generate_private_key(65537, 2048)),
        (Algorithm.RSA_3072, rsa.generate_private_key(65537, 3072)),
        (Algorithm.P256, ec.generate_private_key(ec.SECP256R1())),
    ]
    digest = hashlib.sha256(b"document").digest()
    for algorithm, key in keys:
        signer = KeySigner(algorithm, key)
        template = CmsTemplate([certificate(key)], algorithm)
        timed(f"cms: {algorithm} key operation alone", partial(signer.sign, digest), 200)
        timed(
            f"cms: {algorithm} build and contents_hex",
            partial(contents, template, signer, digest),
            200,
        )
        signer.made = signer.sign(digest)
        timed(
            f"cms: {algorithm} the same without the key operation",
            partial(contents, template, signer, digest),
            2000,
        )


def certificates(press: Press, look: IssuerLook, count: int) -> list[Job]:
    """Make what a press is asked to print of made-up people; their texts have the lengths of real ones."""
    signer, jobs = ThrowawaySigner(), []
    for number, record in enumerate(people(0, count)):
        serial = f"33020020260{number:09}"
        claims = Claims(
            issuer=USCC,
            issuer_name=look.name,
            serial=serial,
            version=1,
            kind=press.template.schema.kind,
            identifier=identifier(TYPE_CODE, USCC, serial, 1),
            holder=record.holder,
            fields=record.fields,
            issued_at=ISSUED_AT,
            issued_on=PartialDate("2026-11-22"),
            expires_on=None,
            status_uri=f"{look.public_url}/status/1",
            status_index=number,
            verification_code=f"{number * 0x9E3779B97F4A7C15 % 10**16:016}",
            photo_digest=hashlib.sha256(record.photo or b"").digest(),
            template_digest=press.prefix(photo=True).digest,
            salt=bytes(16),
        )
        fitted = fit_qr_claims(claims, 0, press.qr_budget, signature_bytes(Algorithm.P256))
        code = sign_message(encode_qr_claims(fitted), signer)
        text = qr_text(look.public_url, claims.verification_code, code)
        message = sign_message(encode_claims(claims), signer)
        jobs.append((claims, {"photo": record.photo, "qr_text": text, "message": message, "proof": PROOF}))
    return jobs


def whole() -> None:
    """Time the press as a whole with a signature made before, and beside its own key; texts are known after a round."""
    template = load_template(certificate_folder("professional-title"))
    look, _ = load_samples(template)
    signer = KeySigner(Algorithm.RSA_2048, rsa.generate_private_key(65537, 2048))
    with TemporaryDirectory() as cache:
        press = Press(template, look, FontLibrary(FONTS, Path(cache)), signer, [certificate(signer.key)])
        jobs = certificates(press, look, 4 * PRINT_AT_ONCE)
        for with_key in (True, False):
            signer.made = None if with_key else signer.sign(b"made before")
            kind = "with its key" if with_key else "without the key operation"
            timed(f"press: {kind}, {PRINT_AT_ONCE} at once", lambda: list(print_jobs(press, jobs)), 3, len(jobs))
            timed(
                f"press: {kind}, one at a time",
                lambda: [press.print(claims, **parts) for claims, parts in jobs],
                3,
                len(jobs),
            )
        printed = next(print_jobs(press, jobs))
        print(f"press: tail beside the photo, bytes {len(printed.tail) - len(jobs[0][1]['photo']):25,}")


if __name__ == "__main__":
    fonts()
    symbols()
    containers()
    whole()
