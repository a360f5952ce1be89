"""One certificate's own part: from displayed values to the bytes after the prefix.

Everything but the signature follows from the claims, so the same claims give the
same bytes. The file has one revision and one classic cross-reference table.
"""

import hashlib
import struct
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from credential.errors import InputError
from press.fonts import Glyph, subset_font, to_unicode
from press.page import PagePlan
from press.prefix import Prefix, Tail, value_cid_font
from press.symbol_image import SAMPLES_PER_MODULE
from press.syntax import POINTS_PER_MM, numbers, text_string
from press.template import Box

BEIJING = timezone(timedelta(hours=8))
_CACHED_DATES = 64  # all certificates of a chunk have one
_BYTE_RANGE_WIDTH = 40  # "[0 a b c]" with three numbers of ten digits, the most a classic table can address
# Start-of-frame markers: baseline, extended and progressive DCT (ISO/IEC 10918-1, table B.1).
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_COLOURS = {1: b"DeviceGray", 3: b"DeviceRGB"}
_PICTURE = b"/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent %d/ColorSpace/%b"
_PHOTO = b"%d 0 obj\n<<%b/Filter/DCTDecode/Length %%d>>\nstream\n" % (Tail.PHOTO, _PICTURE)
_ATTACHMENT = b"/Type/EmbeddedFile/Subtype/%b/Params<</Size %%d/ModDate%%b>>"
_END_OF_STREAM = b"\nendstream\nendobj\n"
_END_OF_SIGNATURE = b">>\nendobj\n"
_CONTENTS = b"/Contents"


class BadPhoto(InputError):
    """The photo is not a JPEG that a certificate can hold as it is."""

    code = "bad-photo"

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(f"the photo {en}: send a grey or RGB JPEG", f"照片{zh}：请使用灰度或 RGB 的 JPEG")


class Jpeg(NamedTuple):
    """A JPEG with what a PDF must say about it."""

    content: bytes
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


class UnsignedTail(NamedTuple):
    """A tail but for its signature.

    Attributes:
        before: up to and without the ``<`` of ``/Contents``, in parts, so that the photo is not copied.
        after: from after its ``>`` to the end.
    """

    before: tuple[bytes, ...]
    after: bytes


class TailWriter:
    """Writes the tails of one prefix; what they share is written once, with places for the rest.

    Args:
        prefix: that they follow.
    """

    def __init__(self, prefix: Prefix) -> None:
        self._prefix = prefix
        plan = prefix.plan
        qr = plan.template.qr
        side = SAMPLES_PER_MODULE * (17 + 4 * qr.version + 2 * qr.quiet)
        self._content = _stream(Tail.CONTENT, b"")
        self._font = _stream(Tail.FONT_FILE, b"/Length1 %d")
        self._unicode_map = _stream(Tail.TO_UNICODE, b"")
        self._qr = _stream(Tail.QR, _PICTURE % (side, side, 1, b"DeviceGray") + b"/Decode[1 0]/Filter/FlateDecode")
        self._cose = _stream(Tail.COSE, _ATTACHMENT % b"application#2Fcose")
        self._proof = _stream(Tail.PROOF, _ATTACHMENT % b"text#2Fplain")
        # P 1: nothing may change after this signature but validation data (ISO 32000-1, table 254).
        self._signature = (
            b"%d 0 obj\n<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/Name%b/M%%b"
            b"/Reference[<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/P 1/V/1.2>>>>]"
            b"/ByteRange" % (Tail.SIGNATURE, text_string(plan.look.name))
        )
        own = Tail.PHOTO if plan.has_photo else Tail.SIGNATURE
        self._table = b"%bxref\n0 %d\n0000000000 65535 f \n" % (_END_OF_SIGNATURE, prefix.object_count)
        self._rows = b"%010d 00000 n \n" * own
        self._trailer = b"trailer\n<</Size %d/Root %d 0 R/ID[<%%b><%%b>]>>\nstartxref\n%%d\n%%%%%%%%EOF\n" % (
            *(prefix.object_count, own + 1),
        )

    def write(  # noqa: PLR0913 - what one certificate brings beside its texts
        self,
        content: bytes,
        glyphs: Sequence[Glyph],
        *,
        photo: Jpeg | None,
        picture: bytes,
        message: bytes,
        proof: bytes,
        signed_at: datetime,
        contents_width: int,
    ) -> UnsignedTail:
        """Write a tail's objects, its cross-reference table and its trailer.

        Args:
            content: of the page.
            glyphs: of the certificate's own font.
            photo: None in the layout without one.
            picture: of the QR code, as press/symbol_image.py makes it.
            message: the signed claims.
            proof: of the issue leaf.
            signed_at: with time zone; written as Beijing time.
            contents_width: characters of hexadecimal kept for the signature.
        """
        when = pdf_date(signed_at)
        font = subset_font(glyphs)
        unicode_map = to_unicode([glyph.text for glyph in glyphs])
        cid_font = value_cid_font(self._prefix.plan, glyphs)
        objects = [
            self._content % (len(content), content),
            self._font % (len(font), len(font), font),
            self._unicode_map % (len(unicode_map), unicode_map),
            b"%d 0 obj\n%b\nendobj\n" % (Tail.CID_FONT, cid_font),
            self._qr % (len(picture), picture),
            self._cose % (len(message), when, len(message), message),
            self._proof % (len(proof), when, len(proof), proof),
        ]
        *offsets, end = accumulate(map(len, objects), initial=len(self._prefix.content))
        signature = self._signature % when
        if photo is None:
            before = [b"".join(objects), signature]
            offsets.append(end)
        else:
            # The photo's object lies before that of the signature, though its number is higher.
            facts = (photo.width, photo.height, 8, _COLOURS[photo.components], len(photo.content))
            objects.append(_PHOTO % facts)
            before = [b"".join(objects), photo.content, _END_OF_STREAM + signature]
            offsets += (end + len(objects[-1]) + len(photo.content) + len(_END_OF_STREAM), end)
        opening = len(self._prefix.content) + sum(map(len, before)) + _BYTE_RANGE_WIDTH + len(_CONTENTS)
        closing = opening + contents_width + 2
        # What the message says is unique, so its digest can name the document.
        identifier = hashlib.sha256(message).hexdigest()[:32].upper().encode("ascii")
        after = b"".join(
            (
                self._table,
                self._rows % tuple(offsets),
                self._prefix.static_rows,
                self._trailer % (identifier, identifier, closing + len(_END_OF_SIGNATURE)),
            )
        )
        byte_range = b"[0 %d %d %d]" % (opening, closing, len(after))
        before[-1] += byte_range.ljust(_BYTE_RANGE_WIDTH) + _CONTENTS
        return UnsignedTail(tuple(before), after)


def _stream(index: Tail, entries: bytes) -> bytes:
    """Write a stream with places for its length and data, and for whatever the entries leave open."""
    return b"%d 0 obj\n<<%b/Length %%d>>\nstream\n%%b" % (index, entries) + _END_OF_STREAM


@lru_cache(_CACHED_DATES)
def pdf_date(moment: datetime) -> bytes:
    """Write a moment as a PDF date in Beijing time (ISO 32000-1, 7.9.4)."""
    return moment.astimezone(BEIJING).strftime("(D:%Y%m%d%H%M%S+08'00')").encode("ascii")
