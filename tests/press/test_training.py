"""The second template has nothing in common with the first but the program."""

import re
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pikepdf
import pytest

from credential.qr import parse_qr_text
from credential.schema import PARAGRAPH_MARK, PhotoNeed
from press.conformance import check_document
from press.display import display_values
from press.fonts import FontLibrary
from press.inspection import check_template
from press.look import extract_text, render
from press.samples import PrintedSample, SamplePress
from press.template import Template
from press.template_file import load_template
from tests.press.certificates import PROJECT
from verifier.symbol import read_symbols

FOLDER = PROJECT / "templates" / "certificate" / "training"
SAMPLES = ["foreign", "longest", "ordinary", "rare", "shortest"]

training = cache(lambda: load_template(FOLDER))


@pytest.fixture(scope="module")
def samples(library: FontLibrary) -> dict[str, PrintedSample]:
    press = SamplePress(training(), library)
    assert sorted(press.samples) == SAMPLES
    return {name: press.print(name) for name in SAMPLES}


def test_it_shares_neither_page_nor_photo_nor_titles_with_the_first() -> None:
    template: Template = training()

    assert (template.width, template.height) == (210, 297)
    assert template.schema.photo is PhotoNeed.NONE
    assert template.photo_box is None
    assert template.schema.titles is None
    assert template.layouts == (False,)
    assert {field.key for field in template.schema.fields}.isdisjoint({"series", "title", "level", "qualified_on"})


def test_the_template_passes_its_own_check(library: FontLibrary) -> None:
    report = check_template(FOLDER, library)

    assert report.findings == ()
    assert list(report.samples) == SAMPLES
    assert len(report.prefix_bytes) == 1


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_well_formed_and_shows_every_value(name: str, samples: dict[str, PrintedSample]) -> None:
    one = samples[name]
    text = "".join(extract_text(one.document).split())

    assert list(check_document(one.document)) == []
    for key, value in display_values(training(), one.claims).items():
        if key not in {"sex", "id_type", "result", "issuer_name"}:  # which this template does not show by themselves
            assert "".join(value.split()) in text, key


@pytest.mark.parametrize("name", SAMPLES)
def test_the_code_of_every_sample_is_read_from_the_picture(name: str, samples: dict[str, PrintedSample]) -> None:
    one = samples[name]

    assert one.qr_text in read_symbols(render(one.document, 200))
    assert parse_qr_text(one.qr_text).code == one.claims.verification_code


def test_paragraphs_stand_below_each_other_in_both_languages(
    samples: dict[str, PrintedSample], tmp_path: Path, tool: Callable[[str], Path]
) -> None:
    file = tmp_path / "ordinary.pdf"
    file.write_bytes(samples["ordinary"].document)
    ran = subprocess.run([tool("pdftotext"), "-raw", file, "-"], capture_output=True, check=True, text=True)
    for key in ("content", "content_en"):
        paragraphs = samples["ordinary"].claims.fields[key].split(PARAGRAPH_MARK)
        assert len(paragraphs) == 4
        places = [ran.stdout.index(one[:12]) for one in paragraphs]
        assert places == sorted(places)


def test_english_is_tagged_as_english(
    samples: dict[str, PrintedSample], tmp_path: Path, tool: Callable[[str], Path]
) -> None:
    file = tmp_path / "ordinary.pdf"
    file.write_bytes(samples["ordinary"].document)
    with pikepdf.open(file) as pdf:
        languages = [
            str(one.get("/Lang"))
            for one in pdf.objects
            if isinstance(one, pikepdf.Dictionary) and "/S" in one and "/P" in one and "/Lang" in one
        ]
        assert str(pdf.Root.Lang) == "zh-CN"
    assert languages == ["en"] * 6
    ran = subprocess.run([tool("pdfinfo"), "-struct-text", file], capture_output=True, check=True, text=True)
    order = [ran.stdout.index(words) for words in ("培训合格证书", "Certificate of Training", "Course content")]
    assert order == sorted(order)


@pytest.mark.parametrize("command", [["qpdf", "--check"], ["mutool", "info"], ["pdfsig"]])
def test_other_readers_find_no_fault(
    command: list[str], samples: dict[str, PrintedSample], tmp_path: Path, tool: Callable[[str], Path]
) -> None:
    file = tmp_path / "longest.pdf"
    file.write_bytes(samples["longest"].document)
    ran = subprocess.run([tool(command[0]), *command[1:], file], capture_output=True, check=True, text=True)
    said = ran.stdout + ran.stderr
    assert re.search(r"\b(warning|error)\b", said.replace("No syntax or stream encoding errors", "")) is None
    if command == ["pdfsig"]:
        assert "Signature is Valid" in said
        assert "Total document signed" in said
