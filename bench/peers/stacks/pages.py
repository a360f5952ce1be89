"""The page of a certificate by each typesetter, as its documentation says; each gives an unsigned PDF.

Runs in the peers' own environment. A typesetter's fonts and templates are loaded once where its documentation
shows a way to; what it loads again for each document, it loads again.
"""

import html
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fpdf import FPDF  # type: ignore[import-untyped] # in the peers' environment only, as the rest
from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped] # as above
from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped] # as above
from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped] # as above
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped] # as above
from typst import Compiler
from weasyprint import CSS, HTML  # type: ignore[import-not-found] # as above
from weasyprint.text.fonts import FontConfiguration  # type: ignore[import-not-found] # as above

Page = Callable[[dict[str, Any]], bytes]

TYPST = """
#let given = json(bytes(sys.inputs.given))
#let height = given.page.at(1)
#set page(width: given.page.at(0) * 1pt, height: height * 1pt, margin: 0pt)
#let at(x, y, body) = place(top + left, dx: x * 1pt, dy: (height - y) * 1pt, body)
#for (x, y, w, h) in given.frames { at(x, y + h, rect(width: w * 1pt, height: h * 1pt, stroke: 1pt + rgb("#A81A1A"))) }
#for (x, y, w, _) in given.rules { at(x, y, line(length: w * 1pt, stroke: 0.35pt + rgb("#C9B899"))) }
#for one in given.lines {
  at(one.x, one.y, text(font: given.families.at(one.font), weight: if one.font.contains("Bold") { 700 } else { 400 },
    size: one.size * 1pt, fill: rgb(one.colour), top-edge: "baseline", bottom-edge: "baseline", box(one.text)))
}
#let (x, y, w, h) = given.photo
#at(x, y + h, image(given.file, width: w * 1pt, height: h * 1pt, alt: "照片"))
#let (x, y, w, h) = given.qr
#at(x, y + h, image(bytes(sys.inputs.symbol), format: "svg", width: w * 1pt, height: h * 1pt, alt: "二维码"))
"""
FAMILIES = {
    "NotoSerifSC-Bold.ttf": "Noto Serif SC",
    "NotoSerifSC-Regular.ttf": "Noto Serif SC",
    "LXGWWenKai-Regular.ttf": "LXGW WenKai",
}


def typst(scene: dict[str, Any], folder: Path, symbol: Callable[[str], str], *, tagged: bool) -> Page:
    """Typst, by a compiler that is kept, so that fonts and template are read once."""
    (folder / "certificate.typ").write_text(TYPST, encoding="utf-8")
    compiler = Compiler(str(folder / "certificate.typ"), font_paths=[str(folder)], ignore_system_fonts=True)
    fixed = {key: scene[key] for key in ("page", "frames", "rules", "photo", "qr")} | {"families": FAMILIES}

    def page(job: dict[str, Any]) -> bytes:
        given = fixed | {"lines": job["lines"], "file": job["photo"]}
        inputs = {"given": json.dumps(given, ensure_ascii=False), "symbol": symbol(job["qr"])}
        document = compiler.compile(format="pdf", sys_inputs=inputs, pdf_tags=tagged)
        if not isinstance(document, bytes):
            raise TypeError(type(document))
        return document

    return page


def reportlab(scene: dict[str, Any], folder: Path, symbol: Callable[[str], Any]) -> Page:
    """ReportLab: a canvas, fonts registered once."""
    for name, path in scene["fonts"].items():
        pdfmetrics.registerFont(TTFont(name, path))

    def page(job: dict[str, Any]) -> bytes:
        out = io.BytesIO()
        canvas = Canvas(out, pagesize=scene["page"])
        canvas.setStrokeColor("#A81A1A")
        for frame in scene["frames"]:
            canvas.rect(*frame)
        canvas.setLineWidth(0.35)
        for x, y, width, _ in scene["rules"]:
            canvas.line(x, y, x + width, y)
        for one in job["lines"]:
            canvas.setFont(one["font"], one["size"])
            canvas.setFillColor(one["colour"])
            canvas.drawString(one["x"], one["y"], one["text"])
        x, y, width, height = scene["photo"]
        canvas.drawImage(str(folder / job["photo"]), x, y, width, height)
        x, y, width, height = scene["qr"]
        canvas.drawImage(ImageReader(symbol(job["qr"])), x, y, width, height)
        canvas.save()
        return out.getvalue()

    return page


def fpdf2(scene: dict[str, Any], folder: Path, symbol: Callable[[str], Any], sign: Callable[[Any], None]) -> Page:
    """fpdf2: a document adds its fonts itself; there is no way to share them."""
    height = scene["page"][1]

    def page(job: dict[str, Any]) -> bytes:
        pdf = FPDF(unit="pt", format=scene["page"])
        pdf.set_auto_page_break(False)
        for name, path in scene["fonts"].items():
            pdf.add_font(name, fname=path)
        pdf.add_page()
        pdf.set_draw_color("#A81A1A")
        for x, y, width, tall in scene["frames"]:
            pdf.rect(x, height - y - tall, width, tall)
        for x, y, width, _ in scene["rules"]:
            pdf.line(x, height - y, x + width, height - y)
        for one in job["lines"]:
            pdf.set_font(one["font"], size=one["size"])
            pdf.set_text_color(one["colour"])
            pdf.text(one["x"], height - one["y"], one["text"])
        x, y, width, tall = scene["photo"]
        pdf.image(str(folder / job["photo"]), x, height - y - tall, width, tall)
        x, y, width, tall = scene["qr"]
        pdf.image(symbol(job["qr"]), x, height - y - tall, width, tall)
        sign(pdf)
        return bytes(pdf.output())

    return page


def weasyprint(scene: dict[str, Any], folder: Path, symbol: Callable[[str], str]) -> Page:
    """WeasyPrint: HTML with boxes at their places, fonts by ``@font-face`` from one kept configuration."""
    wide, height = scene["page"]
    faces = "".join(
        f"@font-face {{ font-family: '{name}'; src: url('{Path(path).as_uri()}') }}"
        for name, path in scene["fonts"].items()
    )
    configuration = FontConfiguration()
    style = CSS(
        string=f"{faces} @page {{ size: {wide}pt {height}pt; margin: 0 }} body {{ margin: 0 }}"
        " div, img, svg { position: absolute; line-height: 1; white-space: pre }",
        font_config=configuration,
    )
    fixed = "".join(
        f"<div style='left:{x}pt;top:{height - y - tall}pt;width:{w}pt;height:{tall}pt;border:1pt solid #A81A1A'></div>"
        for x, y, w, tall in scene["frames"]
    ) + "".join(
        f"<div style='left:{x}pt;top:{height - y}pt;width:{w}pt;border-top:0.35pt solid #C9B899'></div>"
        for x, y, w, _ in scene["rules"]
    )

    def box(name: str) -> str:
        x, y, width, tall = scene[name]
        return f"style='left:{x}pt;top:{height - y - tall}pt;width:{width}pt;height:{tall}pt'"

    def page(job: dict[str, Any]) -> bytes:
        lines = "".join(
            f'<div style="left:{one["x"]}pt;top:{height - one["y"] - 0.86 * one["size"]}pt;'
            f"font:{one['size']}pt '{one['font']}';color:{one['colour']}\">{html.escape(one['text'])}</div>"
            for one in job["lines"]
        )
        code = symbol(job["qr"])
        body = f"<body>{fixed}{lines}<img {box('photo')} src='{job['photo']}'><img {box('qr')} src=\"{code}\"></body>"
        document = HTML(string=body, base_url=str(folder))
        return bytes(document.write_pdf(stylesheets=[style], font_config=configuration))

    return page
