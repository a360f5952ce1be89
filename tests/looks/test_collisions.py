"""No text touches another one, whatever is as long as it may be: by the outlines' places, and by the pixels."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from itertools import combinations
from typing import Any

import numpy as np
import pikepdf
import pytest

from credential.schema import FieldKind
from press.display import display_values
from press.fonts import FontLibrary
from press.layout import Setting, fit
from press.look import open_paper
from press.page import PagePlan, plan_page
from press.samples import Sample, load_samples
from press.syntax import POINTS_PER_MM
from press.template import Box, Row, Template
from tests.looks.cases import CASES
from tests.looks.printing import LooksPress, looks_template

LAYOUTS = [(name, photo) for name in CASES for photo in looks_template(name).layouts]


def filled_up(template: Template, sample: Sample) -> Sample:
    """A record whose texts have as many full-width characters as they may have."""
    lengths = {field.key: field.max_length for field in template.schema.fields}
    texts = {FieldKind.TEXT, FieldKind.LONG_TEXT, FieldKind.DOCUMENT_NUMBER}
    full = {
        field.key: "疆" * lengths[field.key]
        for field in template.schema.fields
        if field.kind in texts and not field.key.endswith("_en")
    }
    holder = replace(sample.record.holder, name="露" * lengths["name"])
    fields = {**sample.record.fields, **full}
    return replace(
        sample,
        record=replace(sample.record, holder=holder, fields=fields),
        claims=replace(sample.claims, holder=holder, fields=fields),
    )


def ink(setting: Setting) -> Iterator[Box]:
    """Where each line's outlines lie, in points from the lower left corner."""
    for line in setting.lines:
        x, edges = line.x, []
        for glyph in line.glyphs:
            if glyph.outline:
                left, bottom, right, top = (edge / 1000 * setting.size for edge in glyph.bounds)
                edges.append((x + left, line.y + bottom, x + right, line.y + top))
            x += glyph.advance / 1000 * setting.size + line.tracking
        if edges:
            lefts, bottoms, rights, tops = zip(*edges, strict=True)
            left, bottom = min(lefts), min(bottoms)
            yield Box(left, bottom, max(rights) - left, max(tops) - bottom)


def settings(plan: PagePlan, sample: Sample) -> Iterator[tuple[str, Box, Setting]]:
    """Every text of a certificate that is no decoration, with its box."""
    values = display_values(plan.template, sample.claims)
    for text in plan.texts:
        if text.mcid is not None:
            yield text.text, text.frame.box, text.setting
    for slot in plan.slots:
        label, value = slot.text(values)
        yield slot.key, slot.frame.box, fit(value, slot.frame, slot.key)
        if slot.label is not None:
            yield f"label of {slot.key}", slot.label.box, fit(label, slot.label, slot.key)


def longest(name: str, *, photo: bool) -> Sample:
    template = looks_template(name)
    samples = load_samples(template)[1]
    given = filled_up(template, samples["longest"])
    return given if photo else replace(given, record=replace(given.record, photo=None))


@pytest.mark.parametrize(("name", "photo"), LAYOUTS)
@pytest.mark.parametrize("case", ["longest", "full"])
def test_texts_stay_in_their_boxes_and_apart(library: FontLibrary, name: str, case: str, *, photo: bool) -> None:
    template = looks_template(name)
    look, samples = load_samples(template)
    plan = plan_page(template, look, library, photo=photo)
    sample = longest(name, photo=photo) if case == "full" else samples["longest"]
    placed = []
    for key, box, setting in settings(plan, sample):
        left, bottom = box.x * POINTS_PER_MM, (template.height - box.y - box.height) * POINTS_PER_MM
        right, top = left + box.width * POINTS_PER_MM, bottom + box.height * POINTS_PER_MM
        for line in ink(setting):
            assert left - 0.5 <= line.x, key
            assert line.x + line.width <= right + 0.5, key
            assert bottom - 0.5 <= line.y, key
            assert line.y + line.height <= top + 0.5, key
            placed.append((key, line))
    assert len(placed) > 30
    assert [(one, other) for (one, a), (other, b) in combinations(placed, 2) if a.overlaps(b)] == []


def test_no_place_is_left_for_a_text_of_the_issuer_under_the_seal_s_own_line() -> None:
    for name in CASES:
        template = looks_template(name)
        seal = template.seal
        words = Box(
            seal.box.x + seal.box.width * 0.2,
            seal.box.y + seal.box.height / 2 + seal.bottom_y - seal.bottom_height / 2,
            seal.box.width * 0.6,
            seal.bottom_height,
        )
        boxes = [(key, box) for key, box in template.boxes(photo=True) if key != "seal"]
        assert [key for key, box in boxes if box.overlaps(words)] in ([], ["issued_on"])  # its box reaches down to them


_THROUGH = "/Gs0"  # the name of our graphics state: everything is drawn in half grey, and multiplied


def touching_pixels(document: bytes, dpi: int = 200) -> int:
    """Draw every piece of content in half grey over the others, and count the pixels that came out darker.

    Artwork, marks and the seal, which lie under or over text as they should, are left out.
    """
    with pikepdf.open(BytesIO(document)) as pdf:
        page: Any = pdf.pages[0]
        del page.Annots
        state = pikepdf.Dictionary(BM=pikepdf.Name.Multiply, ca=1, CA=1)
        page.Resources.ExtGState = pikepdf.Dictionary({_THROUGH: state})
        kept: list[Any] = [
            ([pikepdf.Name(_THROUGH)], pikepdf.Operator("gs")),
            ([0.5], pikepdf.Operator("g")),
        ]
        depth = 0  # of decoration
        for instruction in pikepdf.parse_content_stream(page):
            operator, operands = str(instruction.operator), list(instruction.operands)
            if operator in {"BMC", "BDC"}:
                depth += bool(depth) or str(operands[0]) == "/Artifact"
            elif operator == "EMC":
                depth -= bool(depth)
            elif depth or operator in {"rg", "g"}:
                continue
            elif operator == "Do":
                kept += [([0, 0, 1, 1], pikepdf.Operator("re")), ([], pikepdf.Operator("f"))]
            else:
                kept.append((operands, instruction.operator))
        page.Contents = pdf.make_stream(pikepdf.unparse_content_stream(kept))
        out = BytesIO()
        pdf.save(out)
    with open_paper(out.getvalue()) as paper:
        drawn = np.asarray(paper.draw(dpi).convert("L"))
    assert (drawn < 140).sum() > 10_000  # there is something to touch
    return int((drawn < 100).sum())


@pytest.mark.parametrize(("name", "photo"), LAYOUTS)
def test_no_pixel_belongs_to_two_texts(press_of: Callable[[str], LooksPress], name: str, *, photo: bool) -> None:
    assert touching_pixels(press_of(name).print(longest(name, photo=photo))) == 0


def test_texts_that_touch_are_found(library: FontLibrary) -> None:
    given = looks_template("training")
    items = list(given.items)
    for index, item in enumerate(items):
        if isinstance(item, Row) and item.key == "name_en":
            up = replace(item.value.plain_box, y=item.value.plain_box.y - 6)  # the names stand on each other
            items[index] = replace(item, value=replace(item.value, plain_box=up))
    document = LooksPress(replace(given, items=tuple(items)), library).print(longest("training", photo=False))
    assert touching_pixels(document) > 100
