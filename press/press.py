"""The press: checked claims in, the bytes of a signed certificate out.

1. display the claims                    display.py
2. fit each value into its slot          layout.py, slot.py
3. join content, font, photo, QR code    tail.py, glyphs.py, symbol_image.py
4. digest prefix and tail                the prefix's state is copied, not computed
5. sign the digest                       cms.py
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from credential.errors import InputError
from credential.model import Claims, PartialDate, Record
from credential.ports import Signer
from credential.qr import qr_prefix
from credential.qr_capacity import budget
from credential.schema import PARAGRAPH_MARK
from press.cms import CmsTemplate
from press.display import display_values
from press.fonts import FontLibrary, MissingGlyph
from press.issuer_look import IssuerLook
from press.layout import Overflow, fit
from press.page import PagePlan, Slot, plan_page
from press.prefix import Prefix, compile_template
from press.slot import join_content, slot_writers
from press.symbol import SymbolPress
from press.symbol_image import SymbolImage
from press.tail import Jpeg, TailWriter, UnsignedTail, pictures_content, read_jpeg
from press.template import Template

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

__all__ = ["IssuerLook", "LayoutProblem", "MixedUp", "Press", "Printed", "SignedTail"]


CODE_LENGTH = 16  # characters of a verification code, ungrouped
_CACHED_SIZES = 1024  # of photos


class MixedUp(InputError):
    """The things to be printed do not belong together."""

    code = "mixed-up-certificate"


@dataclass(frozen=True, slots=True)
class LayoutProblem:
    """One value that a certificate could not show.

    Attributes:
        key: field of the record.
        code: ``overflow`` or ``missing-glyph``.
        zh: one sentence in Chinese.
        en: the same in English.
    """

    key: str
    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Printed:
    """A signed certificate.

    Attributes:
        prefix_digest: SHA-256 of the prefix that the tail belongs to.
        tail: what follows the prefix.
        digest: SHA-256 of the whole document.
        length: bytes of the whole document.
    """

    prefix_digest: bytes
    tail: bytes = field(repr=False)
    digest: bytes
    length: int


class SignedTail:
    """A certificate that is signed and waits for the time stamp over its signature, if it is to have one.

    Attributes:
        signature: the signature itself, which a time-stamping authority is shown the digest of.
    """

    signature: bytes

    def __init__(self, prefix: Prefix, tail: UnsignedTail, cms: CmsTemplate, room: int) -> None:
        self._prefix = prefix
        self._tail = tail
        self._cms = cms
        self._room = room
        # Both digests take the prefix and the tail up to the signature; mostly they are one.
        covered = _fed(prefix.state(cms.digest_name), tail.before)
        self._whole = covered.copy() if cms.digest_name == "sha256" else _fed(prefix.state("sha256"), tail.before)
        covered.update(tail.after)
        self._digest = covered.digest()

    def sign(self, signer: Signer) -> None:
        """Sign; only the press calls this, before it hands the certificate out.

        Raises:
            UnavailableError: the key store does not answer.
        """
        self.signature = self._cms.sign(self._digest, signer)

    def finish(self, token: bytes = b"") -> Printed:
        """Put the signature's container together, and digest the document.

        Args:
            token: TimeStampToken over ``signature``, DER; empty at B-B.

        Raises:
            ValueError: the token is longer than was said when the certificate was printed.
        """
        contents = self._cms.contents_hex(self._cms.wrap(self._digest, self.signature, token), self._room)
        signed = b"".join((b"<", contents, b">", self._tail.after))
        self._whole.update(signed)
        tail = b"".join((*self._tail.before, signed))
        return Printed(self._prefix.digest, tail, self._whole.digest(), len(self._prefix.content) + len(tail))


class Press:
    """Prints the certificates of one template and issuer; one per process, not shared by threads.

    Args:
        template: checked.
        look: the issuer's part of the page.
        fonts: the pinned faces.
        signer: holds the PDF signing key; None for dry layout only.
        chain: certificates, DER, the signer's first.
        cache_folder: where compiled prefixes are kept between processes; None for nowhere.

    Raises:
        UnusablePDFKey, BadChain: the key or its certificates cannot sign PDFs.
    """

    def __init__(  # noqa: PLR0913 - each is another part's, and all are needed
        self,
        template: Template,
        look: IssuerLook,
        fonts: FontLibrary,
        signer: Signer | None,
        chain: Sequence[bytes],
        *,
        cache_folder: Path | None = None,
    ) -> None:
        self.template = template
        self.look = look
        self._fonts = fonts
        self._signer = signer
        self._cms = None if signer is None else CmsTemplate(chain, signer.algorithm)
        self._cache_folder = cache_folder
        self._layouts: dict[bool, _Layout] = {}
        self._plans: dict[bool, PagePlan] = {}

    def prefix(self, photo: bool) -> Prefix:  # noqa: FBT001 - the layout's one property
        """Give the prefix of a layout, compiled at most once.

        Raises:
            BadTemplate: the artwork does not compile.
            Overflow: one of the issuer's texts does not fit.
        """
        return self._layout(photo=photo).prefix

    @cached_property
    def symbols(self) -> SymbolPress:
        """Makes the QR codes of this template and public address."""
        place = self.template.qr
        return SymbolPress(
            place.version, place.level, quiet=place.quiet, prefix=f"{self.look.public_url}/c/", mask=place.mask
        )

    @cached_property
    def _symbol_image(self) -> SymbolImage:
        return SymbolImage(self.symbols)

    @property
    def qr_budget(self) -> int:
        """Bytes that a COSE message in the QR code may have."""
        place = self.template.qr
        return budget(place.version, place.level, len(qr_prefix(self.look.public_url, "0" * CODE_LENGTH)))

    def check(self, record: Record) -> list[LayoutProblem]:
        """Lay a record out without printing it, and list what would not fit or has no glyph.

        Serial, code and identifier are not known yet; placeholders of the usual length stand for them.
        """
        has_photo = record.photo is not None and self.template.photo_box is not None
        plan = self._plan(photo=has_photo)
        values = display_values(self.template, _placeholder_claims(record, self.look, self.template))
        problems = [_check_slot(slot, values) for slot in plan.slots]
        return [problem for problem in problems if problem is not None]

    def print(self, claims: Claims, *, photo: bytes | None, qr_text: str, message: bytes, proof: str) -> Printed:
        """Print and sign one certificate, without a time stamp; arguments and errors are those of :meth:`sign`."""
        return self.sign(claims, photo=photo, qr_text=qr_text, message=message, proof=proof).finish()

    def print_many(
        self,
        claims: Sequence[Claims],
        *,
        photos: Sequence[bytes | None],
        qr_texts: Sequence[str],
        messages: Sequence[bytes],
        proofs: Sequence[str],
    ) -> list[Printed]:
        """Print and sign some certificates, as :meth:`print` does one after the other.

        One step is done for all of them before the next, so that the code and the
        tables of a step stay in the processor's cache: some sixteen at once take
        a quarter less time than each alone. Their photos are in memory meanwhile.
        """
        return [signed.finish() for signed in self._signed(claims, photos, qr_texts, messages, proofs, 0)]

    def sign(  # noqa: PLR0913 - the parts of one certificate
        self,
        claims: Claims,
        *,
        photo: bytes | None,
        qr_text: str,
        message: bytes,
        proof: str,
        token_bytes: int = 0,
    ) -> SignedTail:
        """Print and sign one certificate, and leave room for the time stamp over its signature.

        Args:
            claims: what it says; its digests must be those of the photo and the prefix.
            photo: JPEG, embedded as it is.
            qr_text: the text of the QR code, within ``qr_budget``.
            message: the signed claims, attached as ``certificate.cose``.
            proof: of the issue leaf, attached as ``certificate.tlog-proof``.
            token_bytes: the longest token there may come; 0 for none.

        Raises:
            MixedUp: issuer, photo or prefix are not those of the claims.
            Overflow, MissingGlyph: a value cannot be shown; ``check`` finds this at intake.
            BadPhoto: the photo is not an embeddable JPEG.
            SymbolOverflow: the text is too long for the QR code.
            UnavailableError: the key store does not answer.
        """
        (signed,) = self._signed([claims], [photo], [qr_text], [message], [proof], token_bytes)
        return signed

    def _signed(  # noqa: PLR0913, PLR0917 - the parts of certificates
        self,
        claims: Sequence[Claims],
        photos: Sequence[bytes | None],
        qr_texts: Sequence[str],
        messages: Sequence[bytes],
        proofs: Sequence[str],
        token_bytes: int,
    ) -> list[SignedTail]:
        if self._signer is None or self._cms is None:
            raise MixedUp("a press without a key cannot print", "没有签名密钥, 不能制证")
        layouts = [self._layout(photo=photo is not None) for photo in photos]
        for one, photo, layout in zip(claims, photos, layouts, strict=True):
            self._check_claims(one, photo, layout.prefix)
        jpegs = [None if photo is None else read_jpeg(photo) for photo in photos]
        shown = [display_values(self.template, one) for one in claims]
        pieces = [[slot.piece(values) for slot in layout.slots] for layout, values in zip(layouts, shown, strict=True)]
        contents = [
            join_content(each, layout.pictures(jpeg)) for each, layout, jpeg in zip(pieces, layouts, jpegs, strict=True)
        ]
        pictures = self._symbol_image.deflated(qr_texts)
        room = self._cms.room_for(token_bytes)
        signed = []
        for one, layout, (content, glyphs), jpeg, picture, message, proof in zip(
            claims, layouts, contents, jpegs, pictures, messages, proofs, strict=True
        ):
            tail = layout.tail.write(
                content,
                glyphs,
                photo=jpeg,
                picture=picture,
                message=message,
                proof=proof.encode("utf-8"),
                signed_at=one.issued_at,
                contents_width=2 * room,
            )
            signed.append(SignedTail(layout.prefix, tail, self._cms, room))
        for each_signed in signed:
            each_signed.sign(self._signer)
        return signed

    def _check_claims(self, claims: Claims, photo: bytes | None, prefix: Prefix) -> None:
        if claims.issuer_name != self.look.name:
            raise MixedUp(
                f"the claims name the issuer {claims.issuer_name}, the press prints for {self.look.name}",
                f"证书数据的发证机构为“{claims.issuer_name}”, 与版面的“{self.look.name}”不符",
            )
        if claims.template_digest != prefix.digest:
            raise MixedUp(
                f"the claims of {claims.serial} are bound to another template or layout",
                f"证书 {claims.serial} 的数据绑定的是另一模板或版面",
            )
        digest = None if photo is None else hashlib.sha256(photo).digest()
        if claims.photo_digest != digest:
            raise MixedUp(
                f"the photo is not the one that the claims of {claims.serial} are bound to",
                f"照片与证书 {claims.serial} 的数据不符",
            )

    def _layout(self, *, photo: bool) -> "_Layout":
        layout = self._layouts.get(photo)
        if layout is None:
            prefix = compile_template(
                self.template, self.look, self._fonts, photo=photo, cache_folder=self._cache_folder
            )
            layout = self._layouts[photo] = _Layout(prefix)
        return layout

    def _plan(self, *, photo: bool) -> PagePlan:
        plan = self._plans.get(photo)
        if plan is None:
            plan = self._plans[photo] = plan_page(self.template, self.look, self._fonts, photo=photo)
        return plan


class _Layout:
    """A prefix with what prints on it."""

    def __init__(self, prefix: Prefix) -> None:
        self.prefix = prefix
        self.slots = slot_writers(prefix)
        self.tail = TailWriter(prefix)
        self._pictures: dict[tuple[int, int], bytes] = {}

    def pictures(self, photo: Jpeg | None) -> bytes:
        """Give the content that places the pictures; photos of a batch mostly have one size."""
        size = (0, 0) if photo is None else (photo.width, photo.height)
        if size not in self._pictures:
            if len(self._pictures) >= _CACHED_SIZES:
                self._pictures.clear()
            self._pictures[size] = pictures_content(self.prefix.plan, photo)
        return self._pictures[size]


def _fed(state: "Hash", parts: Sequence[bytes]) -> "Hash":
    for part in parts:
        state.update(part)
    return state


def _check_slot(slot: Slot, values: Mapping[str, str]) -> LayoutProblem | None:
    _, text = slot.text(values)
    missing = slot.frame.chain.missing(text.replace(PARAGRAPH_MARK, ""))
    if missing:
        error: Overflow | MissingGlyph = MissingGlyph(missing, slot.frame.chain.names)
    else:
        try:
            fit(text, slot.frame, slot.key)
        except Overflow as overflow:
            error = overflow
        else:
            return None
    return LayoutProblem(slot.key, error.code, error.zh, error.en)


def _placeholder_claims(record: Record, look: IssuerLook, template: Template) -> Claims:
    """Make claims of a record as they may look once numbered; only their lengths count."""
    pattern = template.schema.numbering.pattern
    serial = "0" * (20 if pattern is None else pattern.length)
    return Claims(
        issuer="0" * 18,
        issuer_name=look.name,
        serial=serial,
        version=1,
        kind=template.schema.kind,
        identifier=f"1.2.156.3005.2.{'0' * 21}.{'0' * 18}.{serial}.001.0",
        holder=record.holder,
        fields=record.fields,
        issued_at=datetime(2026, 12, 28, tzinfo=UTC),
        issued_on=PartialDate("2026-12-28"),
        expires_on=None,
        status_uri="",
        status_index=0,
        verification_code="0" * CODE_LENGTH,
        photo_digest=None,
        template_digest=b"",
        salt=b"",
    )
