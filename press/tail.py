"""One certificate's own part: from displayed values to the bytes after the prefix.

Everything but the signature follows from the claims, so the same claims give the
same bytes. The file has one revision and one classic cross-reference table.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import chain, groupby

from credential.errors import InputError
from press.fonts import Glyph, gid_hex, subset_font, to_unicode
from press.layout import Frame, fit
from press.page import PagePlan, Slot
from press.prefix import STATIC_FONT, VALUE_FONT, Prefix, Tail, text_state, value_cid_font
from press.syntax import POINTS_PER_MM, number, numbers, text_string
from press.template import Box

BEIJING = timezone(timedelta(hours=8))
_BYTE_RANGE_WIDTH = 40  # "[0 a b c]" with three numbers of ten digits, the most a classic table can address
_CACHED_TEXTS = 4096  # per slot; series, committees and dates recur, names do not
# Start-of-frame markers: baseline, extended and progressive DCT (ISO/IEC 10918-1, table B.1).
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_COLOURS = {1: b"DeviceGray", 3: b"DeviceRGB"}


class BadPhoto(InputError):
    """The photo is not a JPEG that a certificate can hold as it is."""

    code = "bad-photo"

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(f"the photo {en}: send a grey or RGB JPEG", f"照片{zh}：请使用灰度或 RGB 的 JPEG")


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A JPEG with what a PDF must say about it."""

    content: bytes = field(repr=False)
    width: int
    height: int
    components: int


def read_jpeg(content: bytes) -> Jpeg:
    """Find a JPEG's size in its frame header; the picture itself is not decoded.

    Raises:
        BadPhoto: it is not a JPEG, or has neither one nor three colour components.
    """
    if content[:2] != b"\xff\xd8":
        raise BadPhoto("is not a JPEG", "不是 JPEG 文件")
    at = 2
    try:
        while content[at + 1] not in _FRAMES:
            if content[at] != 0xFF:
                raise BadPhoto("is damaged", "已损坏")
            at += 2 + int.from_bytes(content[at + 2 : at + 4])
        depth, height, width, components = struct.unpack_from(">BHHB", content, at + 4)
    except (struct.error, IndexError) as error:
        raise BadPhoto("is cut short", "不完整") from error
    if depth != 8 or components not in _COLOURS or not width or not height:
        raise BadPhoto(f"has {components} colour components", f"有 {components} 个颜色分量")
    return Jpeg(content, width, height, components)


@dataclass(frozen=True, slots=True)
class Piece:
    """A slot's content with gaps where glyphs of the certificate's own font come."""

    parts: tuple[bytes | tuple[Glyph, ...], ...]


class SlotWriter:
    """Writes a slot's content; remembers texts that recur."""

    def __init__(self, slot: Slot, prefix: Prefix) -> None:
        self._slot = slot
        self._label = None
        if slot.label is not None:
            self._label = _MarkedText("Lbl", slot.label_mcid, slot.label, prefix.glyphs)
        self._value = _MarkedText(slot.tag, slot.mcid, slot.frame, prefix.glyphs)
        self._known: dict[tuple[str, str], Piece] = {}

    def piece(self, values: Mapping[str, str]) -> Piece:
        """Set the slot for the displayed values.

        Raises:
            Overflow: the text does not fit.
            MissingGlyph: a character has no glyph.
        """
        wanted = self._slot.text(values)
        piece = self._known.get(wanted)
        if piece is None:
            if len(self._known) >= _CACHED_TEXTS:
                self._known.clear()
            piece = self._known[wanted] = self._set(*wanted)
        return piece

    def _set(self, label: str, text: str) -> Piece:
        parts = _Parts()
        if self._label is not None:
            self._label.write(parts, label, self._slot.key)
        self._value.write(parts, text, self._slot.key)
        return Piece(parts.finish())


class _MarkedText:
    """Sets texts in a frame as the content of one structure element."""

    def __init__(self, tag: str, mcid: int, frame: Frame, static: Mapping[Glyph, bytes]) -> None:
        self._opening = b"/%b<</MCID %d>>BDC\n" % (tag.encode("ascii"), mcid) + text_state(frame.where.colour)
        self._frame = frame
        self._static = static

    def write(self, parts: "_Parts", text: str, key: str) -> None:
        setting = fit(text, self._frame, key)
        size = number(setting.size)
        parts.add(self._opening)
        for line in setting.lines:
            parts.add(b"%b Tc 1 0 0 1 %b Tm\n" % (number(line.tracking), numbers(line.x, line.y)))
            # A line is cut where it changes between the prefix's font and the certificate's own.
            for is_static, run in groupby(line.glyphs, self._static.__contains__):
                if is_static:
                    shown = b"".join([self._static[glyph] for glyph in run])
                    parts.add(b"/%b %b Tf <%b>Tj\n" % (STATIC_FONT, size, shown))
                else:
                    parts.add(b"/%b %b Tf <" % (VALUE_FONT, size))
                    parts.add_glyphs(tuple(run))
                    parts.add(b">Tj\n")
        parts.add(b"ET EMC\n")


class _Parts:
    def __init__(self) -> None:
        self._parts: list[bytes | tuple[Glyph, ...]] = []
        self._open: list[bytes] = []

    def add(self, content: bytes) -> None:
        self._open.append(content)

    def add_glyphs(self, glyphs: tuple[Glyph, ...]) -> None:
        self._parts += [b"".join(self._open), glyphs]
        self._open = []

    def finish(self) -> tuple[bytes | tuple[Glyph, ...], ...]:
        return (*self._parts, b"".join(self._open))


def join_content(pieces: Sequence[Piece], pictures: bytes) -> tuple[bytes, list[Glyph]]:
    """Join the pieces into a content stream and list the glyphs of the certificate's own font."""
    parts = [part for piece in pieces for part in piece.parts]
    glyphs = list(dict.fromkeys(chain.from_iterable([part for part in parts if isinstance(part, tuple)])))
    places = {glyph: gid_hex(place) for place, glyph in enumerate(glyphs, 1)}
    shown = [part if isinstance(part, bytes) else b"".join([places[glyph] for glyph in part]) for part in parts]
    return b"".join((*shown, pictures)), glyphs


def pictures_content(plan: PagePlan, photo: Jpeg | None) -> bytes:
    """Write the content that places photo and QR code."""
    parts = [_picture(b"QR", plan.qr_mcid, plan.qr_box, plan.template.height)]
    box = plan.template.photo_box
    if photo is not None and plan.photo_mcid is not None and box is not None:
        # A photo is never cropped or stretched: it fills one side of its box and is centred on the other.
        scale = min(box.width / photo.width, box.height / photo.height)
        width, height = photo.width * scale, photo.height * scale
        inner = Box(box.x + (box.width - width) / 2, box.y + (box.height - height) / 2, width, height)
        parts.append(_picture(b"Photo", plan.photo_mcid, inner, plan.template.height))
    return b"".join(parts)


def _picture(name: bytes, mcid: int, box: Box, page_height: float) -> bytes:
    size = numbers(box.width * POINTS_PER_MM, 0, 0, box.height * POINTS_PER_MM)
    corner = numbers(box.x * POINTS_PER_MM, (page_height - box.y - box.height) * POINTS_PER_MM)
    return b"/Figure<</MCID %d>>BDC q %b %b cm /%b Do Q EMC\n" % (mcid, size, corner, name)


@dataclass(frozen=True, slots=True)
class UnsignedTail:
    """A tail but for its signature.

    Attributes:
        before: up to and without the ``<`` of ``/Contents``.
        after: from after its ``>`` to the end.
    """

    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class TailParts:
    """What one certificate brings beside its texts.

    Attributes:
        signed_at: with time zone; written as Beijing time.
        document_id: 16 bytes, from the claims.
        picture: of the QR code, as press/symbol_image.py makes it.
        picture_side: its samples on a side.
        contents_width: characters of hexadecimal kept for the signature.
    """

    content: bytes
    glyphs: Sequence[Glyph]
    photo: Jpeg | None
    picture: bytes
    picture_side: int
    message: bytes
    proof: bytes
    signed_at: datetime
    document_id: bytes
    contents_width: int


def write_tail(prefix: Prefix, parts: TailParts) -> UnsignedTail:
    """Write the tail's objects, its cross-reference table and its trailer."""
    when = pdf_date(parts.signed_at)
    font = subset_font(parts.glyphs)
    side = parts.picture_side
    tail = _Objects(len(prefix.content))
    tail.stream(Tail.CONTENT, b"", parts.content)
    tail.stream(Tail.FONT_FILE, b"/Length1 %d" % len(font), font)
    tail.stream(Tail.TO_UNICODE, b"", to_unicode([glyph.text for glyph in parts.glyphs]))
    tail.add(Tail.CID_FONT, b"%d 0 obj\n%b\nendobj\n" % (Tail.CID_FONT, value_cid_font(prefix.plan, parts.glyphs)))
    picture = b"/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent %d/ColorSpace/%b"
    tail.stream(Tail.QR, picture % (side, side, 1, b"DeviceGray") + b"/Decode[1 0]/Filter/FlateDecode", parts.picture)
    tail.stream(Tail.COSE, _attachment(b"application#2Fcose", parts.message, when), parts.message)
    tail.stream(Tail.PROOF, _attachment(b"text#2Fplain", parts.proof, when), parts.proof)
    if parts.photo is not None:
        facts = (parts.photo.width, parts.photo.height, 8, _COLOURS[parts.photo.components])
        tail.stream(Tail.PHOTO, picture % facts + b"/Filter/DCTDecode", parts.photo.content)
    signature = _signature_head(prefix.plan.look.name, when)
    tail.add(Tail.SIGNATURE, signature)
    opening = tail.position + _BYTE_RANGE_WIDTH + len(b"/Contents")
    closing = opening + parts.contents_width + 2
    after = _end(prefix, tail.offsets, parts.document_id, closing)
    byte_range = b"[0 %d %d %d]" % (opening, closing, len(after))
    return UnsignedTail(b"".join((*tail.parts, byte_range.ljust(_BYTE_RANGE_WIDTH), b"/Contents")), after)


class _Objects:
    """Objects one after another, with their offsets; big contents are not copied before the last join."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.offsets: dict[Tail, int] = {}
        self.parts: list[bytes] = []

    def add(self, index: Tail, whole: bytes) -> None:
        self.offsets[index] = self.position
        self.parts.append(whole)
        self.position += len(whole)

    def stream(self, index: Tail, entries: bytes, content: bytes) -> None:
        self.add(index, b"%d 0 obj\n<<%b/Length %d>>\nstream\n" % (index, entries, len(content)))
        self.parts += (content, b"\nendstream\nendobj\n")
        self.position += len(content) + len(b"\nendstream\nendobj\n")


def pdf_date(moment: datetime) -> bytes:
    """Write a moment as a PDF date in Beijing time (ISO 32000-1, 7.9.4)."""
    return moment.astimezone(BEIJING).strftime("(D:%Y%m%d%H%M%S+08'00')").encode("ascii")


def _attachment(media_type: bytes, content: bytes, when: bytes) -> bytes:
    return b"/Type/EmbeddedFile/Subtype/%b/Params<</Size %d/ModDate%b>>" % (media_type, len(content), when)


def _signature_head(issuer: str, when: bytes) -> bytes:
    # P 1: nothing may change after this signature but validation data (ISO 32000-1, table 254).
    return (
        b"%d 0 obj\n<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/Name%b/M%b"
        b"/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/P 1/V/1.2>>>>]"
        b"/ByteRange" % (Tail.SIGNATURE, text_string(issuer), when)
    )


def _end(prefix: Prefix, offsets: Mapping[Tail, int], document_id: bytes, closing: int) -> bytes:
    end_of_signature = b">>\nendobj\n"
    identifier = document_id.hex().upper().encode("ascii")
    return b"".join(
        (
            end_of_signature,
            b"xref\n0 %d\n0000000000 65535 f \n" % prefix.object_count,
            *(b"%010d 00000 n \n" % offsets[index] for index in sorted(offsets)),
            prefix.static_rows,
            b"trailer\n<</Size %d/Root %d 0 R/ID[<%b><%b>]>>\n"
            % (prefix.object_count, len(offsets) + 1, identifier, identifier),
            b"startxref\n%d\n%%%%EOF\n" % (closing + len(end_of_signature)),
        )
    )
