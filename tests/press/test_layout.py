import pytest
from hypothesis import given
from hypothesis import strategies as st

from credential.schema import PARAGRAPH_MARK
from press.fonts import FontLibrary, MissingGlyph
from press.layout import Frame, Overflow, Setting, fit
from press.punctuation import blank_after, blank_before
from press.syntax import POINTS_PER_MM
from press.template import Box, TextBox

PAGE = 210.0
BOX = Box(99, 60.4, 65, 9.2)


def frame(library: FontLibrary, *, align: str = "left", lines: int = 2, spread: int = 0, box: Box = BOX) -> Frame:
    where = TextBox(box, box, "value", 15, 11, 7, lines, 1.15, "#000000", align, 0, spread)
    return Frame(where, box, library.chain("kai", "song"), PAGE)


def extents(setting: Setting) -> list[tuple[float, float, float, float]]:
    """Left, right, bottom and top of each line's em boxes, points; blanks of marks at its ends are no part of it."""
    size = setting.size
    return [
        (
            line.x + blank_before(line.glyphs[0]) / 1000 * size,
            line.x
            + (sum(glyph.advance for glyph in line.glyphs) - blank_after(line.glyphs[-1])) / 1000 * size
            + line.tracking * (len(line.text) - 1),
            line.y - 0.12 * size,
            line.y + 0.88 * size,
        )
        for line in setting.lines
    ]


def ink(setting: Setting) -> list[tuple[float, float]]:
    """Where each line's outlines begin and end, points."""
    found = []
    for line in setting.lines:
        x, edges = line.x, []
        for glyph in line.glyphs:
            left, _, right, _ = glyph.bounds
            edges += [x + left / 1000 * setting.size, x + right / 1000 * setting.size]
            x += glyph.advance / 1000 * setting.size + line.tracking
        found.append((min(edges), max(edges)))
    return found


@given(text=st.text("张李王阿依努尔·买提江评审会2026〔〕，。A", min_size=1, max_size=50))
def test_whatever_fits_stays_inside_its_box(library: FontLibrary, text: str) -> None:
    used = frame(library)
    setting = fit(text, used, "name")
    for left, right, bottom, top in extents(setting):
        assert left >= BOX.x * POINTS_PER_MM - 0.02
        assert right <= (BOX.x + BOX.width) * POINTS_PER_MM + 0.02
        assert bottom >= (PAGE - BOX.y - BOX.height) * POINTS_PER_MM
        assert top <= (PAGE - BOX.y) * POINTS_PER_MM
    for left, right in ink(setting):
        assert left >= BOX.x * POINTS_PER_MM - 0.02
        assert right <= (BOX.x + BOX.width) * POINTS_PER_MM + 0.02


@given(text=st.text("张李王阿依努尔·买提江评审会2026，。", min_size=1, max_size=50))
def test_lines_together_are_the_text(library: FontLibrary, text: str) -> None:
    assert "".join(line.text for line in fit(text, frame(library), "name").lines) == text


def test_twelve_characters_keep_the_full_size(library: FontLibrary) -> None:
    setting = fit("张" * 12, frame(library), "name")
    assert (setting.size, len(setting.lines)) == (15, 1)


def test_longer_text_shrinks_before_it_wraps(library: FontLibrary) -> None:
    assert (fit("张" * 16, frame(library), "name").size, len(fit("张" * 16, frame(library), "name").lines)) == (11.5, 1)
    assert len(fit("张" * 20, frame(library), "name").lines) == 2


def test_fifty_characters_fit_in_two_lines(library: FontLibrary) -> None:
    setting = fit("阿" * 48 + "·尔", frame(library), "name")
    assert len(setting.lines) == 2
    assert setting.size >= 7


def test_too_much_text_overflows(library: FontLibrary) -> None:
    with pytest.raises(Overflow, match="the name of 60 characters"):
        fit("张" * 60, frame(library), "name")
    with pytest.raises(Overflow):
        fit("张" * 26, frame(library, lines=1), "name")


def test_wrapped_lines_are_even(library: FontLibrary) -> None:
    lines = fit("评" * 19, frame(library), "committee").lines
    assert sorted(len(line.text) for line in lines) == [9, 10]


def test_a_name_is_broken_after_a_separator(library: FontLibrary) -> None:
    lines = fit("阿依努尔·买买提江·阿卜杜热合曼·吐尔逊江", frame(library), "name").lines
    assert lines[0].text.endswith("·")


def test_a_name_is_set_smaller_rather_than_broken_within_a_part(library: FontLibrary) -> None:
    name = "古丽巴哈尔阿卜杜热合曼艾尔肯江玉素甫·买买提艾力江"  # the first part is too long for two lines of 10
    setting = fit(name, frame(library), "name")
    assert [line.text[-1] for line in setting.lines] == ["·", "江"]
    assert fit("阿" * len(name), frame(library), "name").size - 1 <= setting.size < 10


def test_punctuation_never_begins_a_line(library: FontLibrary) -> None:
    for length in range(15, 40):
        lines = fit("评" * length + "，审" * 4, frame(library), "statement").lines
        assert all(line.text[0] != "，" for line in lines)


def test_numbers_stay_whole(library: FontLibrary) -> None:
    lines = fit("示例自治区人力资源社会保障厅文件2026第1234567号", frame(library), "document").lines
    assert sum("1234567" in line.text for line in lines) == 1


@pytest.mark.parametrize("align", ["left", "centre", "right"])
def test_text_is_aligned_in_its_box(library: FontLibrary, align: str) -> None:
    used = frame(library, align=align)
    left, right, bottom, top = extents(fit("馆员", used, "title"))[0]
    box_left, box_right = BOX.x * POINTS_PER_MM, (BOX.x + BOX.width) * POINTS_PER_MM
    middle = (PAGE - BOX.y - BOX.height / 2) * POINTS_PER_MM
    wanted = {
        "left": box_left,
        "centre": (box_left + box_right - (right - left)) / 2,
        "right": box_right - (right - left),
    }
    assert left == pytest.approx(wanted[align])
    assert (bottom + top) / 2 == pytest.approx(middle)


def test_a_short_label_is_spread(library: FontLibrary) -> None:
    used = frame(library, spread=4)
    left, right, *_ = extents(fit("姓名", used, "label"))[0]
    assert right - left == pytest.approx(4 * 15)


def test_a_missing_glyph_is_no_overflow(library: FontLibrary) -> None:
    with pytest.raises(MissingGlyph):
        fit("\ue000", frame(library), "name")


PARAGRAPHS = st.text("法规演练安全培训，。 abc", min_size=1, max_size=40).map(str.strip).filter(bool)


@given(paragraphs=st.lists(PARAGRAPHS, min_size=2, max_size=5))
def test_paragraphs_fill_lines_of_their_own_from_the_top(library: FontLibrary, paragraphs: list[str]) -> None:
    box = Box(20, 100, 60, 60)
    where = TextBox(box, box, "value", 10, 10, 4, 60, 1.3, "#000000", "left", is_filled=True, is_on_top=True)
    used = Frame(where, box, library.chain("kai", "song"), PAGE)
    setting = fit(PARAGRAPH_MARK.join(paragraphs), used, "content")

    lines = iter(line.text for line in setting.lines)
    for paragraph in paragraphs:
        taken = ""
        while "".join(taken.split()) != "".join(paragraph.split()):
            taken += next(lines)  # the lines of one paragraph hold all of it, and nothing of the next
    assert next(lines, None) is None
    assert extents(setting)[0][3] == pytest.approx((PAGE - 100) * POINTS_PER_MM)
    assert all(bottom >= (PAGE - 160) * POINTS_PER_MM for _, _, bottom, _ in extents(setting))
