"""Ways to break a certificate in one place.

Where a rule is about bytes, bytes of the certificate are changed and its length kept. Elsewhere pikepdf changes an
object and writes the file anew, so the signature no longer covers it, and nothing else is said of it.
"""

import re
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name

from press.conformance_tags import kids

Change = Callable[[bytes], bytes]


def edited(change: Callable[[pikepdf.Pdf], object]) -> Change:
    """Change objects."""

    as_it_is = pikepdf.StreamDecodeLevel.none

    def apply(document: bytes) -> bytes:
        out = BytesIO()
        with pikepdf.open(BytesIO(document)) as pdf:
            change(pdf)
            pdf.save(out, compress_streams=False, stream_decode_level=as_it_is, fix_metadata_version=False)
        return out.getvalue()

    return apply


def of_root(change: Callable[[Any], object]) -> Change:
    return edited(lambda pdf: change(pdf.Root))


def of_page(change: Callable[[Any], object]) -> Change:
    return edited(lambda pdf: change(pdf.pages[0].obj))


def bytewise(pattern: bytes, new: "bytes | Callable[[re.Match[bytes]], bytes]", count: int = 1) -> Change:
    """Change bytes, and keep the file's length."""

    def apply(document: bytes) -> bytes:
        changed, times = re.subn(pattern, new, document, count=count, flags=re.DOTALL)
        assert times, pattern
        assert len(changed) == len(document)
        return changed

    return apply


def drawing(added: bytes) -> Change:
    """Add to what the page draws."""

    def change(page: Any) -> None:
        page.Contents[1].write(page.Contents[1].read_bytes() + b"\n" + added)

    return of_page(change)


def rewritten(old: bytes, new: bytes, part: int = 1) -> Change:
    """Change what the page draws."""

    def change(page: Any) -> None:
        content = page.Contents[part].read_bytes()
        assert old in content
        page.Contents[part].write(content.replace(old, new, 1))

    return of_page(change)


def put(find: Callable[[Any], Any], key: str, value: Any) -> Change:
    """Set an entry of something under the root."""
    return of_root(lambda root: find(root).__setitem__(key, value))


def drop(find: Callable[[Any], Any], key: str) -> Change:
    return of_root(lambda root: find(root).__delitem__(key))


def root(one: Any) -> Any:
    return one


def page(one: Any) -> Any:
    return one.Pages.Kids[0]


def widget(one: Any) -> Any:
    return one.AcroForm.Fields[0]


def value_font(one: Any) -> Any:
    return page(one).Resources.Font.V


def cid_font(one: Any) -> Any:
    return value_font(one).DescendantFonts[0]


def descriptor(one: Any) -> Any:
    return cid_font(one).FontDescriptor


def photo(one: Any) -> Any:
    return page(one).Resources.XObject.Photo


def appearance(one: Any) -> Any:
    return widget(one).AP.N


def document_element(one: Any) -> Any:
    return kids(one.StructTreeRoot)[0]


def of_tag(tag: str) -> Callable[[Any], Any]:
    return lambda one: next(kid for kid in kids(document_element(one)) if f"/{tag}" == kid.S)


def item(one: Any) -> Any:
    """The first item of the list."""
    return kids(of_tag("L")(one))[0]


def attachment(one: Any) -> Any:
    return one.AF[0]


def tampered_font(change: Callable[[bytes], bytes]) -> Change:
    return of_root(lambda one: descriptor(one).FontFile2.write(change(descriptor(one).FontFile2.read_bytes())))


def tampered_map(old: bytes, new: bytes) -> Change:
    def change(one: Any) -> None:
        cmap = value_font(one).ToUnicode.read_bytes()
        assert re.search(old, cmap)
        value_font(one).ToUnicode.write(re.sub(old, new, cmap, count=1))

    return of_root(change)


def saying(text: bytes) -> Change:
    """Have the first glyph say something else, in whichever form the map is written."""
    return tampered_map(rb"(<0001>(?:\s*<[0-9A-F]{4}>\s*\[)?\s*)<[0-9A-F]+>", rb"\1<" + text + b">")


def tampered_xmp(old: bytes, new: bytes) -> Change:
    def change(one: Any) -> None:
        packet = one.Metadata.read_bytes()
        assert re.search(old, packet, re.DOTALL)
        one.Metadata.write(re.sub(old, new, packet, count=1, flags=re.DOTALL))

    return of_root(change)


def simple_font(**entries: Any) -> Change:
    """Bring a designer's font into the page; no text is shown in it."""

    def change(pdf: pikepdf.Pdf) -> None:
        program = descriptor(pdf.Root).FontFile2
        facts = pdf.make_indirect(
            Dictionary(Type=Name.FontDescriptor, FontName=Name.Plain, Flags=32, FontFile2=program)
        )
        font = Dictionary(
            Type=Name.Font,
            Subtype=Name.TrueType,
            BaseFont=Name.Plain,
            FirstChar=65,
            LastChar=66,
            Widths=[500, 500],
            Encoding=Name.WinAnsiEncoding,
            FontDescriptor=facts,
        )
        for key, value in entries.items():
            if value is None:
                del font[f"/{key}"]
            else:
                font[f"/{key}"] = value
        pdf.pages[0].Resources.Font.X = pdf.make_indirect(font)

    return edited(change)


def encrypted(document: bytes) -> bytes:
    out = BytesIO()
    with pikepdf.open(BytesIO(document)) as pdf:
        pdf.save(out, encryption=pikepdf.Encryption(owner="owner", user=""))
    return out.getvalue()


def second_revision(document: bytes) -> bytes:
    return document + document[document.rfind(b"startxref") :]


def long_name(one: Any) -> None:
    one[f"/{'a' * 128}"] = 1


def marked_form(pdf: pikepdf.Pdf) -> None:
    form = appearance(pdf.Root)
    form.write(b"/P<</MCID 0>>BDC " + form.read_bytes() + b" EMC")


def swapped_parents(one: Any) -> None:
    array = one.StructTreeRoot.ParentTree.Nums[1]
    array[0], array[1] = array[1], array[0]


def backwards(one: Any) -> None:
    document_element(one).K = Array(reversed(kids(document_element(one))))


def deflated_metadata(document: bytes) -> bytes:
    """Pack the metadata in the same room; pikepdf would unpack it again."""
    found = re.search(rb"<</Type/Metadata/Subtype/XML/Length (\d+)>>\nstream\n", document)
    assert found
    end = found.end() + int(found[1])
    packed = zlib.compress(document[found.end() : end])
    head = b"<</Type/Metadata/Subtype/XML/Filter/FlateDecode/Length %d>>\nstream\n"
    room = end - found.start() - len(head % 1000)
    return document[: found.start()] + head % room + packed.ljust(room, b"\0") + document[end:]


def swapped_names(one: Any) -> None:
    first, its, second, other = one.Names.EmbeddedFiles.Names
    one.Names.EmbeddedFiles.Names = Array([second, other, first, its])


def another_length(found: "re.Match[bytes]") -> bytes:
    return found[1] + (b"2" if found[2] == b"1" else b"1") + found[3]


def bad_profile(pdf: pikepdf.Pdf) -> None:
    profile = pdf.make_stream(b"no profile", N=3)
    pdf.pages[0].Resources.ColorSpace = Dictionary(Own=Array([Name.ICCBased, profile]))
