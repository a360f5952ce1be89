"""What a designer's PDF may hold; everything else is refused with what it holds and the cure."""

import io
import zlib
from collections.abc import Callable
from typing import Any

import pikepdf
import pytest
import typst
from pikepdf import Array, Dictionary, Name, Pdf, Stream, String
from PIL import Image

from press import artwork_check
from press.artwork_check import check_artwork
from press.strict_table import BadTemplate

PAGE = b'#set page(width: 148mm, height: 210mm, margin: 0mm)\n#rect(width: 50mm, height: 20mm, fill: rgb("#336699"))'


def drawn(content: bytes = b"1 0 0 rg 10 10 50 50 re f", change: Callable[[Pdf], None] = lambda _: None) -> bytes:
    """A small page with this content."""
    pdf = Pdf.new()
    pdf.add_blank_page(page_size=(420, 595))
    pdf.pages[0].obj.Contents = Stream(pdf, content)
    pdf.pages[0].obj.Resources = Dictionary()
    change(pdf)
    out = io.BytesIO()
    pdf.save(out, compress_streams=False)
    return out.getvalue()


def resources(pdf: Pdf) -> Any:
    return pdf.pages[0].obj.Resources


def action(kind: str) -> Dictionary:
    return Dictionary(S=Name("/" + kind), JS=String("app.alert(1)"), F=String("cmd.exe"))


def add_javascript(pdf: Pdf) -> None:
    pdf.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array([String("a"), action("JavaScript")])))


def add_open_action(pdf: Pdf) -> None:
    pdf.Root.OpenAction = action("Launch")


def add_attachment(pdf: Pdf) -> None:
    pdf.attachments["a.txt"] = b"secret"


def add_form(pdf: Pdf) -> None:
    pdf.Root.AcroForm = Dictionary(Fields=Array())


def add_note(pdf: Pdf) -> None:
    pdf.pages[0].obj.Annots = Array([pdf.make_indirect(Dictionary(Type=Name.Annot, Subtype=Name.Text))])


def add_layers(pdf: Pdf) -> None:
    pdf.Root.OCProperties = Dictionary(OCGs=Array())


def add_page(pdf: Pdf) -> None:
    pdf.add_blank_page()


def rotate(pdf: Pdf) -> None:
    pdf.pages[0].obj.Rotate = 90


def add_font(pdf: Pdf) -> None:
    font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding)
    resources(pdf).Font = Dictionary(F1=pdf.make_indirect(font))


def add_spot_colour(pdf: Pdf) -> None:
    tint = Stream(pdf, b"{0 0}", FunctionType=4, Domain=Array([0, 1]), Range=Array([0, 1]))
    resources(pdf).ColorSpace = Dictionary(C1=Array([Name.Separation, Name("/PANTONE 485"), Name.DeviceCMYK, tint]))


def add_cmyk_profile(pdf: Pdf) -> None:
    resources(pdf).ColorSpace = Dictionary(C1=Array([Name.ICCBased, Stream(pdf, b"profile", N=4)]))


def add_cmyk_picture(pdf: Pdf) -> None:
    picture = Stream(pdf, bytes(4), Subtype=Name.Image, Width=1, Height=1, BitsPerComponent=8)
    picture.ColorSpace = Name.DeviceCMYK
    resources(pdf).XObject = Dictionary(I1=picture)


def add_outside_reference(pdf: Pdf) -> None:
    resources(pdf).XObject = Dictionary(
        X1=Stream(pdf, b"", Subtype=Name.Form, BBox=Array([0, 0, 9, 9]), Ref=Dictionary())
    )


def add_postscript(pdf: Pdf) -> None:
    resources(pdf).XObject = Dictionary(X1=Stream(pdf, b"showpage", Subtype=Name.PS))


def add_transfer_function(pdf: Pdf) -> None:
    resources(pdf).ExtGState = Dictionary(G1=Dictionary(TR=Stream(pdf, b"{}", FunctionType=4)))


def add_form_that_draws_itself(pdf: Pdf) -> None:
    form = pdf.make_indirect(Stream(pdf, b"/X1 Do", Subtype=Name.Form, BBox=Array([0, 0, 9, 9])))
    form.Resources = Dictionary(XObject=Dictionary(X1=form))
    resources(pdf).XObject = Dictionary(X1=form)


def add_laughs(pdf: Pdf) -> None:
    """Thirty forms, each of which draws the next one twice: a billion drawings in three kilobytes."""
    form = pdf.make_indirect(Stream(pdf, b"0 0 1 1 re f", Subtype=Name.Form, BBox=Array([0, 0, 9, 9])))
    for _ in range(30):
        outer = pdf.make_indirect(Stream(pdf, b"/X Do /X Do", Subtype=Name.Form, BBox=Array([0, 0, 9, 9])))
        outer.Resources = Dictionary(XObject=Dictionary(X=form))
        form = outer
    resources(pdf).XObject = Dictionary(X=form)


def add_chain(pdf: Pdf) -> None:
    form = pdf.make_indirect(Stream(pdf, b"", Subtype=Name.Form, BBox=Array([0, 0, 9, 9])))
    for _ in range(500):
        outer = pdf.make_indirect(Stream(pdf, b"/X Do", Subtype=Name.Form, BBox=Array([0, 0, 9, 9])))
        outer.Resources = Dictionary(XObject=Dictionary(X=form))
        form = outer
    resources(pdf).XObject = Dictionary(X=form)


def add_bomb(pdf: Pdf) -> None:
    packer = zlib.compressobj(9)
    zeros = b"".join([packer.compress(bytes(1 << 20)) for _ in range(64)]) + packer.flush()
    picture = Stream(pdf, zeros, Subtype=Name.Image, Width=1000, Height=1000, BitsPerComponent=8)
    picture.ColorSpace, picture.Filter = Name.DeviceGray, Name.FlateDecode
    resources(pdf).XObject = Dictionary(I1=picture)


REFUSED = [
    (add_javascript, "JavaScript"),
    (add_open_action, "an action on opening"),
    (add_attachment, "embedded files"),
    (add_form, "a form"),
    (add_note, "annotations"),
    (add_layers, "layers"),
    (add_page, "has 2 pages"),
    (rotate, "rotated"),
    (add_font, "the font Helvetica, which is not embedded"),
    (add_spot_colour, "spot colours; export it in sRGB"),
    (add_cmyk_profile, "CMYK colours"),
    (add_cmyk_picture, "CMYK colours"),
    (add_outside_reference, "another file"),
    (add_postscript, "neither picture nor form"),
    (add_transfer_function, "the print setting TR"),
    (add_form_that_draws_itself, "draws itself"),
    (add_laughs, "grows too large"),
    (add_chain, "nested too deeply"),
    (add_bomb, "grows too large"),
]


@pytest.mark.parametrize(("change", "said"), REFUSED, ids=[one.__name__ for one, _ in REFUSED])
def test_what_a_certificate_cannot_hold_is_refused_by_its_name(change: Callable[[Pdf], None], said: str) -> None:
    assert check_artwork(drawn(), "page.pdf").operators == 3

    with pytest.raises(BadTemplate, match=said) as caught:
        check_artwork(drawn(change=change), "page.pdf")
    assert "page.pdf" in caught.value.zh


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"0 0 0 1 k 0 0 9 9 re f", "CMYK colours"),
        (b"/DeviceCMYK cs 0 0 0 1 sc 0 0 9 9 re f", "CMYK colours"),
        (b"Q 0 0 9 9 re f", "Q without q"),
        (b"q 9 0 0 9 0 0 cm BI /W 1 /H 1 /BPC 8 /CS /G ID \x00 EI Q", "an inline picture"),
        (b"/Perceptual ri 0 0 9 9 re f", "a rendering intent"),
    ],
)
def test_content_that_would_show_something_else_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(BadTemplate, match=said):
        check_artwork(drawn(content), "page.pdf")


def test_an_encrypted_page_is_refused() -> None:
    for user in ("", "secret"):
        out = io.BytesIO()
        with Pdf.open(io.BytesIO(drawn())) as pdf:
            pdf.save(out, encryption=pikepdf.Encryption(owner="owner", user=user))
        with pytest.raises(BadTemplate, match="is encrypted"):
            check_artwork(out.getvalue(), "page.pdf")


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7\n", b"\x89PNG\r\n", b"%PDF-1.7\n" + bytes(1000)])
def test_what_is_no_pdf_is_refused(content: bytes) -> None:
    with pytest.raises(BadTemplate):
        check_artwork(content, "page.pdf")


def test_a_file_over_the_limit_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artwork_check, "MAX_FILE_BYTES", 100)
    with pytest.raises(BadTemplate, match="more than 100"):
        check_artwork(drawn(), "page.pdf")


def test_pages_of_several_tools_are_let_through() -> None:
    made = typst.compile(PAGE + b'\n#text(font: "Libertinus Serif")[Words]')
    assert isinstance(made, bytes)
    of_typst = check_artwork(made, "typst.pdf")
    assert (round(of_typst.width), round(of_typst.height)) == (148, 210)
    assert [name.partition("+")[2][:10] for name in of_typst.fonts] == ["Libertinus"]

    picture = io.BytesIO()
    Image.new("RGB", (148, 210), (250, 240, 230)).save(picture, "PDF", resolution=25.4)
    of_pillow = check_artwork(picture.getvalue(), "pillow.pdf")
    assert (round(of_pillow.width), round(of_pillow.height), of_pillow.pictures) == (148, 210, 1)


def test_what_is_trimmed_away_is_not_counted() -> None:
    def bleed(pdf: Pdf) -> None:
        pdf.pages[0].obj.TrimBox = Array([10, 20, 410, 585])

    facts = check_artwork(drawn(change=bleed), "page.pdf")
    assert facts.width == pytest.approx(400 * 25.4 / 72)
    assert facts.height == pytest.approx(565 * 25.4 / 72)
