"""What a page shows: read quickly where that is enough, and to its end where it is not."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pytest

from press.fonts import FontLibrary
from press.samples import PrintedSample, SamplePress
from press.template import Template
from tests.press.certificates import PROJECT, template
from tests.press.test_training import training
from tests.verifier.making import write_pdf
from tests.verifier.world import NOW, DirectReader, World
from verifier import look as look_module
from verifier.look import Look, is_our_code, look_at
from verifier.reasons import Word
from verifier.report import DocumentReport, is_altered
from verifier.symbol import read_symbols
from verifier.verdict import Presented


@pytest.fixture(scope="module")
def samples(unpacked_fonts: Path) -> list[PrintedSample]:
    """Every sample of both templates: with and without photo, across and upright."""
    library = FontLibrary(PROJECT / "templates" / "fonts", unpacked_fonts)
    made = []
    for one in (template(), training()):
        assert isinstance(one, Template)
        press = SamplePress(one, library)
        made += [press.print(name) for name in press.samples]
    return made


def test_the_code_of_every_sample_is_found_by_its_squares_alone(samples: list[PrintedSample]) -> None:
    assert len(samples) > 10
    for one in samples:
        quick = look_at(one.document, ends_at_ours=True)
        assert quick == Look((one.qr_text,), is_whole=False)
        whole = look_at(one.document)
        assert quick.symbols == whole.symbols
        assert whole.is_whole
        assert whole.text


def test_a_page_whose_squares_have_no_code_of_ours_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look_at(write_pdf(), ends_at_ours=True) == look_at(write_pdf())
    monkeypatch.setattr(look_module, "read_symbols", lambda _: ("https://example.org/",))
    assert look_at(write_pdf(), ends_at_ours=True).is_whole


def test_a_code_that_is_covered_is_not_found_by_its_square(world: World) -> None:
    """What people do not see is not read: a square is cut out of the page, not taken out of the file."""
    document = world.issued.document
    assert not look_at(document, ends_at_ours=True).is_whole
    rectangle = b"1 1 1 rg 0 0 2000 2000 re f"
    covering = write_update(document, rectangle)
    look = look_at(covering, ends_at_ours=True)
    assert look.is_whole
    assert look.symbols == ()


def write_update(document: bytes, content: bytes) -> bytes:
    """Draw something over the first page in another revision (pikepdf, which writes the file anew)."""
    import pikepdf  # noqa: PLC0415 - of this one test

    with pikepdf.open(BytesIO(document)) as pdf:
        pdf.pages[0].contents_add(b"Q " * 20 + content, prepend=False)
        out = BytesIO()
        pdf.save(out)
    return out.getvalue()


class QuickReader(DirectReader):
    """Does what a sandbox's child does with a document that was altered."""

    def __init__(self, *first: str) -> None:
        super().__init__()
        self.looks: list[bool] = []
        self.first = first

    def look(self, document: bytes) -> Look:
        self.looks.append(True)
        return super().look(document)

    def read(
        self, document: bytes, *, anchors: Sequence[bytes], crls: Sequence[bytes], now: datetime
    ) -> tuple[DocumentReport, Look]:
        report = self.examine(document, anchors=anchors, crls=crls, now=now)
        found = look_at(document, ends_at_ours=is_altered(report))
        return report, dataclasses.replace(found, symbols=self.first or found.symbols)


def altered(document: bytes) -> bytes:
    at = document.rindex(b"/ByteRange") - 2000
    return document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :]


def test_the_quick_look_at_an_altered_file_gives_the_verdict_of_the_whole_one(world: World) -> None:
    document = altered(world.issued.document)
    world.reader = DirectReader()
    whole = world.online.verify_file(document, NOW)
    world.reader = reader = QuickReader()
    assert world.online.verify_file(document, NOW) == whole
    assert (whole.verdict, whole.presented) == (Word.TAMPERED, Presented.ALTERED)
    assert whole.credential is not None
    assert reader.looks == []


def test_a_quick_look_that_leads_nowhere_is_followed_by_a_whole_one(world: World) -> None:
    document = altered(world.issued.document)
    world.reader = DirectReader()
    whole = world.online.verify_file(document, NOW)
    unknown = f"{world.press.look.public_url}/c/0000000000000000"
    assert is_our_code(unknown)
    world.reader = reader = QuickReader(unknown)
    assert world.online.verify_file(document, NOW) == whole
    assert reader.looks == [True]


def test_a_cut_out_is_the_page_as_it_is_drawn(samples: list[PrintedSample]) -> None:
    """Not only the code: its surroundings are there too, so that a reader finds its edges."""
    from press.look import open_paper  # noqa: PLC0415 - of this one test

    with open_paper(samples[0].document) as paper:
        page = paper.draw(200)
        squares = list(paper.draw_squares(200, 4))
        assert list(paper.draw_squares(200, 0)) == []
    assert [read_symbols(one) for one in squares] == [(samples[0].qr_text,)]
    assert all(one.width < page.width / 3 and one.height < page.height / 3 for one in squares)
