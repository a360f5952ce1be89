"""A template's samples: invented people, printed to see and test what a template does.

The signature is made with a key of the moment and means nothing; the QR code has
the real form and length.
"""

import hashlib
import io
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from PIL import Image, ImageDraw

from credential.claims import encode_claims
from credential.cose import sign_message, signature_bytes
from credential.model import Claims, DocumentType, Holder, PartialDate, Record
from credential.ports import Algorithm
from credential.qr import encode_qr_claims, fit_qr_claims, qr_text
from credential.schema import PARAGRAPH_MARK
from credential.serial import identifier
from press.fonts import FontLibrary
from press.issuer_look import IssuerLook
from press.look import render
from press.press import Press
from press.strict_table import BadTemplate, StrictTable
from press.syntax import POINTS_PER_MM
from press.template import Box, Template
from press.vector_look import draw_svg

PREVIEW_DPI = 150
_MM_PER_INCH = 25.4


class ThrowawaySigner:
    """A key that lives as long as the process; signs samples and nothing else."""

    algorithm = Algorithm.P256

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.public_key = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        """Sign the message, ECDSA with SHA-256, DER."""
        return self._key.sign(message, ec.ECDSA(hashes.SHA256()))

    def certificate(self) -> bytes:
        """Make a self-signed certificate that says it is a sample, DER."""
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "SAMPLE, signs nothing real")])
        builder = x509.CertificateBuilder(name, name, self._key.public_key(), serial_number=1)
        builder = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        builder = builder.not_valid_after(datetime(2050, 1, 1, tzinfo=UTC))
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.DER)


@dataclass(frozen=True, slots=True)
class Sample:
    """One invented certificate.

    Attributes:
        record: as intake would give it.
        claims: all but photo and template digests, which printing adds.
    """

    name: str
    record: Record
    claims: Claims = field(repr=False)


@dataclass(frozen=True, slots=True)
class PrintedSample:
    """A sample as a document, with what was put in."""

    document: bytes = field(repr=False)
    claims: Claims
    qr_text: str
    message: bytes
    proof: str


def load_samples(template: Template) -> tuple[IssuerLook, Mapping[str, Sample]]:
    """Read the folder ``samples``: the issuer, and the samples by name.

    Raises:
        BadTemplate: a file is missing or makes no sense.
    """
    folder = template.folder / "samples"
    table = _table(folder / "issuer.toml")
    look = IssuerLook(
        name=table.text("name"),
        public_url=table.text("public_url"),
        legal_effect=table.text("legal_effect"),
        seal_arc=table.text("seal_arc"),
        seal_bottom=table.text("seal_bottom"),
        is_sample=table.flag("is_sample", True),
    )
    issuer = _Issuer(look, table.text("uscc"), table.text("type_code"))
    table.finish()
    paths = sorted(path for path in folder.glob("*.toml") if path.name != "issuer.toml")
    return look, {path.stem: _sample(path, issuer, template.schema.kind) for path in paths}


class SamplePress:
    """Prints a template's samples with a key of the moment.

    Args:
        template: checked.
        fonts: the pinned faces.
        look: of an issuer, instead of the samples' own.
        cache_folder: as a press has it.

    Raises:
        BadTemplate: the samples make no sense.
    """

    def __init__(
        self,
        template: Template,
        fonts: FontLibrary,
        *,
        look: IssuerLook | None = None,
        cache_folder: Path | None = None,
    ) -> None:
        own, self.samples = load_samples(template)
        self.look = look or own
        self._signer = ThrowawaySigner()
        chain = (self._signer.certificate(),)
        self.press = Press(template, self.look, fonts, self._signer, chain, cache_folder=cache_folder)

    def print(self, name: str) -> PrintedSample:
        """Print one sample.

        Raises:
            BadTemplate: there is no such sample.
            Overflow, MissingGlyph, BadPhoto: the template cannot show it.
        """
        if name not in self.samples:
            known = ", ".join(sorted(self.samples))
            raise BadTemplate("samples", f"there is no {name!r}; there are {known}", f"没有样例“{name}”; 现有 {known}")
        sample = self.samples[name]
        photo = sample.record.photo
        prefix = self.press.prefix(photo is not None)
        digest = None if photo is None else hashlib.sha256(photo).digest()
        claims = replace(sample.claims, issuer_name=self.look.name, photo_digest=digest, template_digest=prefix.digest)
        message = sign_message(encode_claims(claims), self._signer)
        fitted = fit_qr_claims(
            claims,
            0,
            self.press.qr_budget,
            signature_bytes(self._signer.algorithm),
            in_qr=self.press.template.schema.in_qr,
        )
        code = sign_message(encode_qr_claims(fitted), self._signer)
        text = qr_text(self.look.public_url, claims.verification_code, code)
        proof = "c2sp.org/tlog-proof@v1\n"  # samples are in no log
        printed = self.press.print(claims, photo=photo, qr_text=text, message=message, proof=proof)
        return PrintedSample(prefix.content + printed.tail, claims, text, message, proof)


def preview(template: Template, fonts: FontLibrary, name: str, *, boxes: bool, dpi: int = PREVIEW_DPI) -> bytes:
    """Print a sample and draw it as PNG, on request with the boxes of its layout outlined.

    Raises:
        BadTemplate: the template or the sample makes no sense.
        Overflow, MissingGlyph: the template cannot show the sample.
    """
    samples = SamplePress(template, fonts)
    image = render(samples.print(name).document, dpi)
    if boxes:
        pen = ImageDraw.Draw(image)
        for _, box in template.boxes(photo=samples.samples[name].record.photo is not None):
            pen.rectangle(_pixels(box, dpi), outline="#0060C0")
    out = io.BytesIO()
    # Eight bits of colour are enough for a preview, and a quarter of the size.
    image.quantize(256, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def preview_svg(template: Template, fonts: FontLibrary, name: str, *, boxes: bool) -> str:
    """Print a sample and draw it as SVG, on request with the boxes of its layout outlined.

    Raises:
        BadTemplate: the template or the sample makes no sense.
        Overflow, MissingGlyph: the template cannot show the sample.
    """
    samples = SamplePress(template, fonts)
    drawing = draw_svg(samples.print(name).document)
    if not boxes:
        return drawing
    lines = [
        f'<rect x="{box.x * POINTS_PER_MM:.2f}" y="{box.y * POINTS_PER_MM:.2f}" width="{box.width * POINTS_PER_MM:.2f}"'
        f' height="{box.height * POINTS_PER_MM:.2f}" fill="none" stroke="#0060C0" stroke-width="0.4"/>'
        for _, box in template.boxes(photo=samples.samples[name].record.photo is not None)
    ]
    return drawing.replace("</svg>", "\n".join([*lines, "</svg>"]))


def _pixels(box: Box, dpi: int) -> tuple[float, float, float, float]:
    scale = dpi / _MM_PER_INCH
    return box.x * scale, box.y * scale, (box.x + box.width) * scale, (box.y + box.height) * scale


def _table(path: Path) -> StrictTable:
    place = f"samples/{path.name}"
    try:
        return StrictTable(tomllib.loads(path.read_text(encoding="utf-8")), place)
    except FileNotFoundError as error:
        raise BadTemplate(place, "is missing", "缺失") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadTemplate(place, f"is not TOML: {error}", f"不是有效的 TOML: {error}") from error


@dataclass(frozen=True, slots=True)
class _Issuer:
    look: IssuerLook
    uscc: str
    type_code: str  # of the licence identifier: who defined the kind of licence


def _sample(path: Path, issuer: _Issuer, kind: str) -> Sample:
    table = _table(path)
    photo_name = table.text("photo", "")
    holder = Holder(
        name=table.text("name"),
        id_type=DocumentType(table.choice("id_type", tuple(DocumentType), DocumentType.RESIDENT_ID)),
        id_number=table.text("id_number"),
        sex=table.text("sex", ""),
    )
    record = Record(
        row=1,
        holder=holder,
        fields={key: value.replace("\n", PARAGRAPH_MARK) for key, value in table.strings("fields").items()},
        photo=(path.parent / photo_name).read_bytes() if photo_name else None,
    )
    serial, issued_on = table.text("serial"), table.text("issued_on")
    claims = Claims(
        issuer=issuer.uscc,
        issuer_name=issuer.look.name,
        serial=serial,
        version=1,
        kind=kind,
        identifier=identifier(issuer.type_code, issuer.uscc, serial, 1),
        holder=holder,
        fields=record.fields,
        issued_at=datetime.fromisoformat(f"{issued_on}T02:03:04+00:00"),
        issued_on=PartialDate(issued_on),
        expires_on=None,
        status_uri=f"{issuer.look.public_url}/status/0",
        status_index=0,
        verification_code=table.text("verification_code"),
        photo_digest=None,
        template_digest=b"",
        salt=bytes(16),
    )
    table.finish()
    return Sample(path.stem, record, claims)
