"""Certificates look as they were approved; what a change of looks is, and what is none."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from credential.serial import identifier
from press.fonts import FontLibrary
from press.template import Box, Label, Row, Template, TextBox
from tests.looks.cases import CASES
from tests.looks.pictures import (
    APPROVED,
    FINENESS,
    LAYOUTS,
    Picture,
    case_file,
    differences,
    draw,
    page_file,
    read_approved,
)
from tests.looks.printing import LooksPress, looks_template
from verifier.compare import shown_values

ALL = [(name, case) for name, cases in CASES.items() for case in cases]


@pytest.mark.parametrize(("name", "case"), ALL)
def test_a_certificate_looks_as_it_was_approved(press_of: Callable[[str], LooksPress], name: str, case: str) -> None:
    sample = press_of(name).samples[case]
    drawn = draw(press_of(name).print(sample))
    for dpi in FINENESS:
        approved = read_approved(name, case, dpi, photo=sample.record.photo is not None)
        assert differences(drawn[dpi], approved, dpi) == [], f"at {dpi} dpi, millimetres; see tests/looks/README.md"


def test_twenty_certificates_a_template_are_approved_and_nothing_else_is_kept() -> None:
    assert {name: len(cases) for name, cases in CASES.items()} == {"professional-title": 20, "training": 20}
    expected = {case_file(name, case, dpi) for name, case in ALL for dpi in FINENESS}
    pages = {page_file("professional-title", layout, dpi) for layout in LAYOUTS for dpi in FINENESS}
    pages |= {page_file("training", "plain", dpi) for dpi in FINENESS}
    assert set(APPROVED.rglob("*.*")) == expected | pages
    assert sum(file.stat().st_size for file in expected | pages) < 3_000_000


def ordinary(name: str, dpi: int) -> Picture:
    return read_approved(name, "ordinary", dpi, photo=name == "professional-title")


def within(found: list[tuple[int, int]], box: Box) -> bool:
    """Whether a difference lies in a box, give or take a square."""
    side = 5
    return any(box.x - side <= x <= box.x + box.width and box.y - side <= y <= box.y + box.height for x, y in found)


@pytest.mark.parametrize(
    ("field", "text", "box"),
    [
        ("title", "高级工程帅", Box(99, 106.4, 65, 9.2)),  # 师, without one stroke
        ("approval_document", "示人社发〔2026〕13号", Box(198.5, 69.6, 72.5, 9.2)),
        ("specialty", "电子与倌息工程", Box(99, 97.2, 65, 9.2)),
    ],
)
def test_another_character_is_another_look(
    press_of: Callable[[str], LooksPress], field: str, text: str, box: Box
) -> None:
    press = press_of("professional-title")
    sample = press.samples["ordinary"]
    claims = replace(sample.claims, fields={**sample.claims.fields, field: text})
    drawn = draw(press.print(replace(sample, claims=claims)), 150)
    assert within(differences(drawn[150], ordinary("professional-title", 150), 150), box)


@pytest.mark.parametrize("name", CASES)
def test_another_digit_of_the_smallest_text_is_another_look(press_of: Callable[[str], LooksPress], name: str) -> None:
    sample = press_of(name).samples["ordinary"]
    claims = sample.claims
    serial = claims.serial[:-2] + ("6" if claims.serial[-2] == "8" else "3") + claims.serial[-1]  # 8 to 6, 5 or 2 to 3
    type_code = claims.identifier.split(".")[5]
    claims = replace(claims, serial=serial, identifier=identifier(type_code, claims.issuer, serial, claims.version))
    drawn = draw(press_of(name).print(replace(sample, claims=claims)), 150)
    foot = Box(30, looks_template(name).height - 22, looks_template(name).width - 60, 6)
    assert within(differences(drawn[150], ordinary(name, 150), 150), foot)


def moved(template: Template, shift: float) -> tuple[Template, list[Box]]:
    """A template with a label of a row and the site's name moved to the right, and the boxes where they were."""
    boxes: list[Box] = []

    def shifted(where: TextBox) -> TextBox:
        boxes.append(where.place(photo=template.photo_box is not None))
        box, plain = (replace(one, x=one.x + shift) for one in (where.box, where.plain_box))
        return replace(where, box=box, plain_box=plain)

    items = list(template.items)
    for index, item in enumerate(items):
        if isinstance(item, Row) and item.key in {"id_number", "serial", "hours"}:
            items[index] = replace(item, label=shifted(item.label))
        elif isinstance(item, Label) and "{host}" in item.text:
            items[index] = replace(item, where=shifted(item.where))
    return replace(template, items=tuple(items)), boxes


@pytest.mark.parametrize("name", CASES)
def test_a_label_half_a_millimetre_off_is_another_look(library: FontLibrary, name: str) -> None:
    template, boxes = moved(looks_template(name), 0.5)
    press = LooksPress(template, library)
    drawn = draw(press.print(press.samples["ordinary"]))
    assert len(boxes) == 3
    for dpi in FINENESS:
        found = differences(drawn[dpi], ordinary(name, dpi), dpi)
        assert all(within(found, box) for box in boxes)


@pytest.mark.parametrize("dpi", FINENESS)
def test_another_rounding_of_edges_is_no_other_look(dpi: int) -> None:
    approved = ordinary("training", dpi)
    noise = np.random.default_rng(7).integers(-4, 5, approved.shape)
    rounded = np.clip(approved.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    assert differences(rounded, approved, dpi) == []


def test_what_is_missing_is_another_look() -> None:
    approved = ordinary("training", 150)
    blank = approved.copy()
    blank[180:200, 500:700] = 255  # of the title
    assert differences(blank, approved, 150) != []
    with pytest.raises(ValueError, match="broadcast"):
        differences(approved[:-1], approved, 150)


@pytest.mark.parametrize(
    ("name", "case"),
    [
        *[("professional-title", case) for case in ("brackets", "squeezed", "exchanged", "foreign")],
        *[("training", case) for case in ("book-title", "quotes", "many-paragraphs", "longest")],
    ],
)
def test_other_readers_take_out_every_text_whole(
    press_of: Callable[[str], LooksPress], tool: Callable[[str], str], tmp_path: Path, name: str, case: str
) -> None:
    sample = press_of(name).samples[case]
    paper = tmp_path / "paper.pdf"
    paper.write_bytes(press_of(name).print(sample))
    values = shown_values(looks_template(name), sample.claims)
    for command in (
        [tool("pdftotext"), "-raw", str(paper), "-"],
        [tool("mutool"), "draw", "-q", "-F", "txt", str(paper)],
    ):
        text = "".join(subprocess.run(command, capture_output=True, check=True, text=True).stdout.split())
        assert [key for key, value in values.items() if "".join(value.split()) not in text] == []
