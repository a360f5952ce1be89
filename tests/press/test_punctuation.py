from itertools import pairwise

import pytest
from fontTools.pens.recordingPen import RecordingPen
from fontTools.ttLib.tables._g_l_y_f import Glyph as Outline
from hypothesis import given
from hypothesis import strategies as st

from press.breaking import read_run, wrap
from press.fonts import FontLibrary, Glyph, MissingFont
from press.layout import Frame, fit
from press.punctuation import MARKS, NOT_FIRST, NOT_LAST, blank_after, blank_before, half, tightened
from press.syntax import POINTS_PER_MM
from press.template import Box, TextBox

PAGE = 210.0
BOX = Box(20, 40, 60, 30)


def frame(library: FontLibrary, **changes: object) -> Frame:
    facts: dict[str, object] = {"face": "text", "size": 10, "one_line_size": 10, "min_size": 6, "lines": 6}
    facts |= {"leading": 1.3, "colour": "#000000", "align": "left", **changes}
    return Frame(TextBox(BOX, BOX, **facts), BOX, library.chain("song", "hana-a"), PAGE)  # type: ignore[arg-type]  # facts of a text box by name


def advances(library: FontLibrary, text: str, *faces: str) -> list[int]:
    return [glyph.advance for glyph in tightened(text, library.chain(*(faces or ("song",))).glyphs(text))]


@pytest.mark.parametrize(
    ("text", "widths"),
    [
        ("甲）。乙", [1000, 500, 1000, 1000]),  # a mark at the end before another
        ("甲，《乙", [1000, 500, 1000, 1000]),
        ("甲）（乙", [1000, 500, 1000, 1000]),
        ("（《甲", [1000, 500, 1000]),  # brackets that open together
        ("甲〔乙〕丙", [1000] * 5),  # marks between characters keep their blanks
        ("甲，乙。丙", [1000] * 5),
    ],
)
def test_marks_that_meet_give_up_one_blank(library: FontLibrary, text: str, widths: list[int]) -> None:
    assert advances(library, text) == widths


def test_a_face_that_centres_its_marks_keeps_them_whole(library: FontLibrary) -> None:
    assert advances(library, "甲：（乙", "hana-a") == [1000, 1000, 1000, 1000]


def contours(glyph: Glyph) -> list[tuple[str, list[tuple[float, float] | None]]]:
    """What is drawn; TrueType says None where a curve has no point of its own."""
    outline, pen = Outline(glyph.outline), RecordingPen()
    outline.expand(None)
    outline.draw(pen, None)
    return [(name, list(points)) for name, points in pen.value]


@pytest.mark.parametrize("face", ["song", "song-bold", "kai"])
@pytest.mark.parametrize("mark", sorted(MARKS - set("‘’“”")))
def test_half_a_mark_is_drawn_like_the_whole_within_its_width(library: FontLibrary, face: str, mark: str) -> None:
    whole = library.chain(face).glyph(mark)
    narrow = half(whole)
    shift = 500 if whole.bounds[0] > 480 else 0
    assert (narrow.advance, narrow.text) == (500, mark)
    assert narrow.bounds[0] >= -20
    assert narrow.bounds[2] <= 520
    moved = [(name, [one and (one[0] - shift, one[1]) for one in points]) for name, points in contours(whole)]
    assert contours(narrow) == moved
    assert half(narrow) is narrow
    assert half(whole) is narrow  # one object, as fonts are built by identity


def test_a_western_quotation_mark_is_as_wide_as_it_is_drawn(library: FontLibrary) -> None:
    assert advances(library, "O’Connor")[1] < 300
    assert advances(library, "兹证明O’Connor于")[4] < 300
    assert max(advances(library, "a “no” of 2021")) < 700
    assert advances(library, "参加“安全”培训") == [1000] * 8


def test_blanks_go_before_the_size_does(library: FontLibrary) -> None:
    used = frame(library, one_line_size=6)
    text = "专业（甲）、专业（乙）、专业（丙）"  # 17 em; the box holds 17.007 at 10 points
    assert fit(text + "丁", used, "a").size == 10
    assert sum(glyph.advance for glyph in fit(text + "丁", used, "a").lines[0].glyphs) < 17008
    assert fit("专" * 18, used, "a").size < 10


@given(text=st.text("安全生产法规演练，。、；：（）《》“”", min_size=1, max_size=120))
def test_no_mark_stands_where_it_may_not(library: FontLibrary, text: str) -> None:
    run = read_run(text, library.chain("song"))
    for is_even in (True, False):
        cuts = wrap(run, 12_000, is_even=is_even)
        assert "".join(text[cut.start : cut.end] for cut in cuts) == text
        for before, after in pairwise(cuts):
            ends, begins = text[before.end - 1], text[after.start]
            could_not = all(char in NOT_FIRST | NOT_LAST for char in text[before.start : before.end][1:])
            assert could_not or (begins not in NOT_FIRST and ends not in NOT_LAST)


@given(text=st.text("安全生产法规演练，。、；：（）《》", min_size=1, max_size=120))
def test_no_line_is_wider_than_asked(library: FontLibrary, text: str) -> None:
    run = read_run(text, library.chain("song"))
    for cut in wrap(run, 12_000, is_even=False):
        glyphs = run.glyphs[cut.start : cut.end]
        if cut.is_tight:
            glyphs = [half(glyph) for glyph in glyphs]
        width = sum(glyph.advance for glyph in glyphs) - blank_before(glyphs[0]) - blank_after(glyphs[-1])
        assert width <= 12_000


def lines(library: FontLibrary, text: str, ems: int) -> list[str]:
    return [text[cut.start : cut.end] for cut in wrap(read_run(text, library.chain("song")), ems * 1000, is_even=False)]


def test_blanks_make_room_for_a_mark_that_may_not_begin_a_line(library: FontLibrary) -> None:
    assert lines(library, "甲、乙、丙丁戊，己庚辛壬", 8)[0] == "甲、乙、丙丁戊，"
    assert (
        lines(library, "甲、乙、丙丁戊己，庚辛壬癸", 8)[0] == "甲、乙、丙丁戊己，"
    )  # nine marks and characters on eight ems


def test_no_character_is_alone_on_the_last_line_of_a_paragraph(library: FontLibrary) -> None:
    assert lines(library, "安全生产法律法规要点。", 9) == ["安全生产法律法规", "要点。"]
    assert lines(library, "安全生产法律法规要。", 8) == ["安全生产法律法", "规要。"]


def test_a_number_stays_with_what_it_counts(library: FontLibrary) -> None:
    assert lines(library, "兹证明于2026年06月27日", 8) == ["兹证明于2026年", "06月27日"]


def test_a_paragraph_fills_its_box_from_edge_to_edge_but_for_its_last_line(library: FontLibrary) -> None:
    used = frame(library, is_filled=True)
    set_lines = fit("风险分级管控与隐患排查治理：危险源辨识方法，" * 3, used, "content").lines
    right = (BOX.x + BOX.width) * POINTS_PER_MM
    assert len(set_lines) > 2
    for line in set_lines[:-1]:
        width = sum(glyph.advance for glyph in line.glyphs) - blank_before(line.glyphs[0])
        end = line.x + blank_before(line.glyphs[0]) / 100
        end += (width - blank_after(line.glyphs[-1])) / 100 + line.tracking * (len(line.glyphs) - 1)
        assert end == pytest.approx(right, abs=0.02)
        assert 0 <= line.tracking <= 1.5
    assert set_lines[-1].tracking == 0


def test_english_words_are_not_pulled_apart(library: FontLibrary) -> None:
    used = frame(library, is_filled=True)
    assert {line.tracking for line in fit("This is to certify that the person " * 4, used, "statement").lines} == {0}


def test_each_paragraph_begins_with_its_indent(library: FontLibrary) -> None:
    used = frame(library, is_filled=True, indent=2.0)
    first, *others = fit("兹证明张喆堃参加企业安全管理人员岗位能力提升培训，特发此证。", used, "statement").lines
    assert first.x == pytest.approx(used.left + 20)
    assert {line.x for line in others} == {used.left}


def test_a_label_in_two_languages_stands_in_two_columns_of_one_size(library: FontLibrary) -> None:
    used = frame(library, lines=1, min_size=7, one_line_size=7, spread=4, column=18.0)
    chinese, english = fit("姓名\tName", used, "label").lines
    assert (chinese.text, english.text) == ("姓名", "Name")
    assert english.x == pytest.approx(used.left + 18 * POINTS_PER_MM)
    assert chinese.y == english.y
    assert chinese.x + 10 + chinese.tracking + 10 == pytest.approx(used.left + 40)  # spread to four characters
    shrunk = fit("姓名\tName of the person in English", used, "label")
    assert shrunk.size < 10
    assert shrunk.lines[0].tracking == pytest.approx(2 * shrunk.size)


def test_digits_come_from_the_face_named_for_latin(library: FontLibrary) -> None:
    chain = library.chain("song:latin", "kai", "hana-a")
    assert [glyph.face for glyph in chain.glyphs("示〔2026〕No.é·“—")] == [
        *("kai", "kai", "song", "song", "song", "song", "kai"),
        *("song", "song", "song", "song"),
        *("kai", "kai", "kai"),
    ]
    assert chain.missing("示2\ue000") == "\ue000"
    with pytest.raises(MissingFont):
        library.chain("song:latin")
