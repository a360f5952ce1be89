"""The part of a certificate that all of an issuer's share: compiled once, hashed once, kept by its digest.

A prefix is a PDF without its end. It refers to objects that only the tail will
bring; their numbers are fixed below, so the catalog, the page, the structure
tree and the form are all here, and a tail is content, photo, code and signature.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from fontTools.misc.transform import Transform

from press.artwork import ObjectWriter, draw_page, draw_seal
from press.colour_profile import srgb_profile
from press.embedded_font import cid_font, font_descriptor, type0
from press.fonts import FontChain, FontLibrary, Glyph, gid_hex, subset_font, subset_tag, to_unicode
from press.issuer_look import IssuerLook
from press.metadata import xmp_packet
from press.outline import draw_character
from press.page import PagePlan, StaticText, plan_page
from press.prefix_cache import cache_key, read_cached, write_cached
from press.seal import seal_words
from press.slender import slender
from press.syntax import POINTS_PER_MM, colour, deflated, number, numbers, obj, references, stream, text_string
from press.template import Box, Template

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

_HEADER = b"%PDF-1.7\n%\xe5\x8d\xb0\xe8\xaf\x81\n"  # four or more bytes above 127 (ISO 19005-3, 6.1.2): 印证
FIELD_NAME = "Seal"
STATIC_FONT, VALUE_FONT = b"S", b"V"
_VALUE_FONT_NAME = b"YZVALU+YinzhengValues"
COSE_NAME, PROOF_NAME = "certificate.cose", "certificate.tlog-proof"


class Tail(IntEnum):
    """Numbers of the objects that a tail brings; PHOTO only where the layout has one."""

    CONTENT = 1
    FONT_FILE = 2
    TO_UNICODE = 3
    CID_FONT = 4
    QR = 5
    COSE = 6
    PROOF = 7
    SIGNATURE = 8
    PHOTO = 9


@dataclass(frozen=True, slots=True)
class Prefix:
    """A compiled prefix.

    Attributes:
        content: its bytes; a document is these and a tail.
        digest: SHA-256 of them; names the prefix.
        plan: what tails fill in.
        static_rows: cross-reference rows of its objects, in order of number.
        object_count: objects of a whole document, the free object 0 included.
        glyphs: place in the static font by glyph, as four hex digits.
        state: SHA-256 after the prefix; copy before use.
    """

    content: bytes = field(repr=False)
    digest: bytes
    plan: PagePlan = field(repr=False)
    static_rows: bytes = field(repr=False)
    object_count: int
    glyphs: Mapping[Glyph, bytes] = field(repr=False)
    _states: dict[str, "Hash"] = field(repr=False)

    def state(self, name: str) -> "Hash":
        """Give a fresh copy of a digest that has taken in the prefix."""
        known = self._states.get(name)
        if known is None:
            known = self._states[name] = hashlib.new(name, self.content)
        return known.copy()


def compile_template(
    template: Template, look: IssuerLook, fonts: FontLibrary, *, photo: bool, cache_folder: Path | None = None
) -> Prefix:
    """Compile a template for one issuer, or take it from the cache.

    Args:
        template: checked.
        look: the issuer's part.
        fonts: the pinned faces.
        photo: which of the two layouts.
        cache_folder: where compiled prefixes are kept, by a digest of everything
            that went into them; made if missing, safe to delete, shared by processes.

    Raises:
        BadTemplate: the artwork does not compile or has another size.
        Overflow: one of the issuer's texts does not fit.
        MissingGlyph: one of them has a character that no face draws.
    """
    plan = plan_page(template, look, fonts, photo=photo)
    glyphs = _static_glyphs(plan)
    cached = None if cache_folder is None else cache_folder / f"{cache_key(plan, fonts)}.prefix"
    stored = None if cached is None else read_cached(cached)
    if stored is None:
        content, offsets = _compile(plan, glyphs)
        if cached is not None:
            write_cached(cached, content, offsets)
    else:
        content, offsets = stored
    return Prefix(
        content=content,
        digest=hashlib.sha256(content).digest(),
        plan=plan,
        static_rows=b"".join(b"%010d 00000 n \n" % offset for offset in offsets),
        object_count=_first_static(plan) + len(offsets),
        glyphs={glyph: gid_hex(place) for place, glyph in enumerate(glyphs, 1)},
        _states={},
    )


def _first_static(plan: PagePlan) -> int:
    return Tail.PHOTO + 1 if plan.has_photo else Tail.PHOTO


def _static_glyphs(plan: PagePlan) -> list[Glyph]:
    """Every glyph of the fixed texts and of the vocabulary, each once, in the plan's order."""
    found: dict[Glyph, None] = {}
    for text in plan.texts:
        if text.mcid is None:
            continue  # drawn as outlines
        for line in text.setting.lines:
            found.update(dict.fromkeys(line.glyphs))
    for characters, chain in plan.vocabulary:
        found.update(dict.fromkeys(chain.glyphs(characters)))
    return list(found)


def _compile(plan: PagePlan, glyphs: Sequence[Glyph]) -> tuple[bytes, list[int]]:
    first = _first_static(plan)
    writer = ObjectWriter(first)
    catalog, pages, page, widget, _ = (writer.reserve() for _ in range(5))  # the fifth: value_descriptor
    static_content = writer.add(deflated(b"", _static_content(plan, glyphs)))
    writer.bodies[pages] = b"<</Type/Pages/Kids[%d 0 R]/Count 1>>" % page
    writer.bodies[page] = _page(plan, pages, static_content, widget, _resources(plan, glyphs, writer))
    writer.bodies[widget] = _widget(plan, page, _seal(plan, writer))
    tree = plan.tree.write(writer, page, widget)
    writer.bodies[catalog] = _catalog(plan, writer, pages=pages, widget=widget, tree=tree)
    if catalog != first:
        raise AssertionError("the catalog comes first: trailers refer to it")
    parts, offsets, position = [_HEADER], [], len(_HEADER)
    for index in sorted(writer.bodies):
        offsets.append(position)
        parts.append(obj(index, writer.bodies[index]))
        position += len(parts[-1])
    return b"".join(parts), offsets


def _catalog(plan: PagePlan, writer: ObjectWriter, *, pages: int, widget: int, tree: int) -> bytes:
    template = plan.template
    profile = writer.add(deflated(b"/N 3", srgb_profile()))
    xmp = xmp_packet(template.title, plan.look.name, template.language, template.digest)
    metadata = writer.add(stream(b"/Type/Metadata/Subtype/XML", xmp))
    files = [
        writer.add(_file_specification(COSE_NAME, Tail.COSE, "Data", "证书数据及其签名 (COSE)")),
        writer.add(_file_specification(PROOF_NAME, Tail.PROOF, "Supplement", "透明日志存在性证明 (C2SP tlog-proof)")),
    ]
    names = b" ".join(
        text_string(name) + b" %d 0 R" % index for name, index in zip((COSE_NAME, PROOF_NAME), files, strict=True)
    )
    return b"".join(
        (
            b"<</Type/Catalog/Pages %d 0 R/Lang(%b)" % (pages, template.language.encode("ascii")),
            b"/MarkInfo<</Marked true>>/StructTreeRoot %d 0 R/Metadata %d 0 R" % (tree, metadata),
            b"/OutputIntents[<</Type/OutputIntent/S/GTS_PDFA1/OutputConditionIdentifier(sRGB)",
            b"/Info(sRGB IEC61966-2.1)/DestOutputProfile %d 0 R>>]" % profile,
            b"/ViewerPreferences<</DisplayDocTitle true>>",
            # 1: signatures exist; 2: append only (ISO 32000-1, table 219).
            b"/AcroForm<</Fields[%d 0 R]/SigFlags 3>>" % widget,
            b"/Perms<</DocMDP %d 0 R>>" % Tail.SIGNATURE,
            b"/AF%b/Names<</EmbeddedFiles<</Names[%b]>>>>>>" % (references(files), names),
        )
    )


def _file_specification(name: str, index: int, relationship: str, description: str) -> bytes:
    plain = name.encode("ascii")
    return b"<</Type/Filespec/F(%b)/UF(%b)/AFRelationship/%b/Desc%b/EF<</F %d 0 R/UF %d 0 R>>>>" % (
        *(plain, plain, relationship.encode("ascii"), text_string(description)),
        *(index, index),
    )


def _page(plan: PagePlan, pages: int, static_content: int, widget: int, resources: bytes) -> bytes:
    size = numbers(plan.template.width * POINTS_PER_MM, plan.template.height * POINTS_PER_MM)
    return b"".join(
        (
            b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 %b]" % (pages, size),
            b"/Contents[%d 0 R %d 0 R]/Resources%b" % (static_content, Tail.CONTENT, resources),
            b"/Group<</S/Transparency/CS/DeviceRGB>>/Annots[%d 0 R]/StructParents 0/Tabs/S>>" % widget,
        )
    )


def _resources(plan: PagePlan, glyphs: Sequence[Glyph], writer: ObjectWriter) -> bytes:
    drawing = draw_page(plan.template, writer, photo=plan.has_photo)
    artwork = writer.add(deflated(drawing.form + b"/Resources" + drawing.resources, drawing.content))
    photo = b"/Photo %d 0 R" % Tail.PHOTO if plan.has_photo else b""
    fonts = (STATIC_FONT, _static_font(plan, glyphs, writer), VALUE_FONT, _value_font(plan, writer))
    return b"<</Font<</%b %d 0 R/%b %d 0 R>>/XObject<</Art %d 0 R/QR %d 0 R%b>>>>" % (
        *fonts,
        *(artwork, Tail.QR, photo),
    )


def _static_font(plan: PagePlan, glyphs: Sequence[Glyph], writer: ObjectWriter) -> int:
    program = subset_font(slender(tuple(glyphs), tuple(_largest_size(plan, glyph) for glyph in glyphs)))
    file = writer.add(deflated(b"/Length1 %d" % len(program), program))
    name = subset_tag(glyphs).encode("ascii") + b"+YinzhengTexts"
    descriptor = writer.add(font_descriptor(_chains(plan), name, file))
    descendant = writer.add(cid_font(name, descriptor, glyphs))
    unicode_map = writer.add(deflated(b"", to_unicode([glyph.text for glyph in glyphs])))
    return writer.add(type0(name, descendant, unicode_map))


def _largest_size(plan: PagePlan, glyph: Glyph) -> float:
    """Give the largest size that a glyph may be set in, by the prefix or by a tail."""
    frames = [frame for slot in plan.slots for frame in (slot.frame, slot.label) if frame is not None]
    sizes = [frame.where.size for frame in frames if glyph.face in frame.chain.names]
    set_here = [text for text in plan.texts if any(glyph in line.glyphs for line in text.setting.lines)]
    return max(*sizes, *[text.setting.size for text in set_here], 0)


def _value_font(plan: PagePlan, writer: ObjectWriter) -> int:
    """Write what of the certificate's own font does not depend on its glyphs."""
    writer.bodies[value_descriptor(plan)] = font_descriptor(_chains(plan), _VALUE_FONT_NAME, Tail.FONT_FILE)
    return writer.add(type0(_VALUE_FONT_NAME, Tail.CID_FONT, Tail.TO_UNICODE))


def _chains(plan: PagePlan) -> list[FontChain]:
    return list(dict.fromkeys(slot.frame.chain for slot in plan.slots))


def value_descriptor(plan: PagePlan) -> int:
    """Number of the descriptor that a tail's CID font refers to."""
    return _first_static(plan) + 4


def value_cid_font(plan: PagePlan, glyphs: Sequence[Glyph]) -> bytes:
    """Write the CID font of a certificate's own font."""
    return cid_font(_VALUE_FONT_NAME, value_descriptor(plan), glyphs)


def _static_content(plan: PagePlan, glyphs: Sequence[Glyph]) -> bytes:
    places = {glyph: gid_hex(place) for place, glyph in enumerate(glyphs, 1)}
    parts = [b"/Artifact BMC /Art Do EMC\n"]
    parts += [_static_text(text, places) for text in plan.texts]
    return b"".join(parts)


def _static_text(text: StaticText, places: Mapping[Glyph, bytes]) -> bytes:
    if text.mcid is None:
        return b"/Artifact BMC\n" + _outlined(text) + b"EMC\n"
    parts = [text_state(text.frame.where.colour)]
    for line in text.setting.lines:
        shown = b"".join(places[glyph] for glyph in line.glyphs)
        # Tc is part of the text state: it would spill over into the next text.
        matrix = _turn(text).translate(line.x, line.y)
        facts = (STATIC_FONT, number(text.setting.size), number(line.tracking), numbers(*matrix), shown)
        parts.append(b"/%b %b Tf %b Tc %b Tm <%b>Tj\n" % facts)
    parts.append(b"ET\n")
    if text.spaced:
        parts = [b"/Span<</ActualText%b>>BDC\n" % text_string(text.text), *parts, b"EMC\n"]
    return b"/%b<</MCID %d>>BDC\n" % (text.tag.encode("ascii"), text.mcid) + b"".join(parts) + b"EMC\n"


def _outlined(text: StaticText) -> bytes:
    """Draw an artifact's words as outlines, so that they are no text of the document."""
    parts = [numbers(*colour(text.frame.where.colour)) + b" rg\n"]
    size = text.setting.size
    for line in text.setting.lines:
        place = _turn(text).translate(line.x, line.y)
        for char in line.text:
            parts.append(draw_character(text.frame.chain, char, place.scale(size / 1000)))
            place = place.translate(text.frame.chain.advance(char) / 1000 * size + line.tracking, 0)
    return b"".join(parts)


def text_state(hex_colour: str) -> bytes:
    """Begin a text object in a colour."""
    return b"BT " + numbers(*colour(hex_colour)) + b" rg\n"


def _turn(text: StaticText) -> Transform:
    """Turn about the middle of the text's box."""
    x = (text.frame.box.x + text.frame.box.width / 2) * POINTS_PER_MM
    y = (text.frame.page_height - text.frame.box.y - text.frame.box.height / 2) * POINTS_PER_MM
    return Transform().translate(x, y).rotate(math.radians(text.rotate)).translate(-x, -y)


def _seal(plan: PagePlan, writer: ObjectWriter) -> int:
    """Write the widget's appearance: the drawing as one group, multiplied onto what is under it."""
    place = plan.template.seal
    drawing = draw_seal(plan.template, writer)
    bottom = plan.look.seal_bottom
    if place.bottom:
        bottom = f"{place.bottom}（样章）" if plan.look.is_sample else place.bottom
    words = seal_words(place, plan.look.seal_arc, bottom, plan.seal_chain)
    box = numbers(0, 0, drawing.width, drawing.height)
    form = b"/Type/XObject/Subtype/Form/BBox[%b]" % box
    group = writer.add(
        deflated(
            drawing.form + b"/Group<</S/Transparency/CS/DeviceRGB>>/Resources" + drawing.resources,
            b"q\n" + drawing.content + b"Q\n" + words,
        )
    )
    alpha = number(place.alpha)
    state = b"<</Type/ExtGState/BM/Multiply/ca %b/CA %b>>" % (alpha, alpha)
    resources = b"/Resources<</ExtGState<</Through %b>>/XObject<</Seal %d 0 R>>>>" % (state, group)
    return writer.add(stream(form + resources, b"/Through gs /Seal Do"))


def _widget(plan: PagePlan, page: int, appearance: int) -> bytes:
    template = plan.template
    return b"".join(
        (
            b"<</Type/Annot/Subtype/Widget/FT/Sig/T(%b)" % FIELD_NAME.encode("ascii"),
            b"/TU%b/Contents%b" % (text_string(template.seal.alt), text_string(template.seal.alt)),
            # Print and locked (ISO 32000-1, table 165); PDF/A wants the former.
            b"/F 132/P %d 0 R/Rect[%b]" % (page, rectangle(template.seal.box, template.height)),
            b"/StructParent 1/V %d 0 R/AP<</N %d 0 R>>>>" % (Tail.SIGNATURE, appearance),
        )
    )


def rectangle(box: Box, page_height: float) -> bytes:
    """Write a box as PDF corners."""
    left, top = box.x * POINTS_PER_MM, (page_height - box.y) * POINTS_PER_MM
    return numbers(left, top - box.height * POINTS_PER_MM, left + box.width * POINTS_PER_MM, top)
