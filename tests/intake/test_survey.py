from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.survey import Survey, _Parser, column_index, column_letter, survey_sheet
from intake.workbook import Workbook
from tests.intake.samples import rezip

HEAD = b'<?xml version="1.0"?><worksheet><sheetData>'
FOOT = b"</sheetData></worksheet>"


@given(st.integers(0, 16_383))
def test_letters_and_numbers_of_columns_go_both_ways(index: int) -> None:
    assert column_index(column_letter(index)) == index


def test_known_column_letters() -> None:
    assert [column_letter(index) for index in (0, 25, 26, 27, 701, 702, 16_383)] == [
        "A", "Z", "AA", "AB", "ZZ", "AAA", "XFD",
    ]  # fmt: skip


CELL = st.tuples(
    st.sampled_from([b"", b"<f>1+1</f>", b"<f/>", b'<f t="shared" si="0"/>']),
    st.sampled_from([b"", b"<v></v>", b"<v/>", b"<v>7</v>"]),
    st.sampled_from([b"", b' t="str"', b' t="e"', b' t="s"', b' s="3"']),
)
ROW = st.tuples(
    st.sampled_from([b"", b' hidden="1"', b' hidden="true"', b' hidden="0"', b' ht="0"']), st.lists(CELL, max_size=4)
)


@given(rows=st.lists(ROW, max_size=6), quote=st.sampled_from([b'"', b"'"]), prefix=st.sampled_from([b"", b"x:"]))
def test_the_quick_search_finds_what_the_parser_finds(
    rows: Sequence[tuple[bytes, list[tuple[bytes, bytes, bytes]]]], quote: bytes, prefix: bytes
) -> None:
    content, hidden, without = HEAD, set(), set()
    for number, (state, cells) in enumerate(rows, 1):
        content += b'<row r="%d"%s>' % (number, state)
        if state not in {b"", b' hidden="0"'}:
            hidden.add(number)
        for column, (formula, value, kind) in enumerate(cells):
            content += b'<c r="%s%d"%s>%s%s</c>' % (column_letter(column).encode(), number, kind, formula, value)
            if kind == b' t="e"' or (formula and b"7" not in value and kind != b' t="str"'):
                without.add((number, column))
        content += b"</row>"
    content += FOOT
    if prefix:
        for name in (b"row", b"c", b"f", b"v"):
            content = content.replace(b"<" + name, b"<x:" + name).replace(b"</" + name, b"</x:" + name)
    content = content.replace(b'"', quote) if quote != b'"' else content
    assert survey_sheet("x", content, []) == Survey(frozenset(hidden), frozenset(without))
    assert _Parser("x", []).parse(content) == survey_sheet("x", content, [])


def test_cells_without_positions_are_counted() -> None:
    content = HEAD + b"<row><c><v>1</v></c><c><f>1</f></c></row><row hidden='1'><c><f>2</f><v/></c></row>" + FOOT
    assert survey_sheet("x", content, []) == Survey(frozenset({2}), frozenset({(1, 1), (2, 0)}))


@pytest.mark.parametrize("letters", ["A", "Z", "AA", "BZ"])
def test_positions_agree_with_the_reader_of_cells(make_xlsx: Callable[..., Path], letters: str) -> None:
    cell = b'<row r="3" hidden="1"><c r="%s3"><f>1</f></c><c r="CA3" t="str"><v>end</v></c></row>' % letters.encode()
    file = make_xlsx({"表": [["x"]]})
    part = HEAD + b'<row r="1"><c r="A1" t="str"><v>x</v></c></row>' + cell + FOOT
    table = Workbook(rezip(file, {"xl/worksheets/sheet1.xml": part})).table("表")
    assert table.rows[2][column_index("CA")] == "end"
    ((row, column),) = table.survey.without_result
    assert (row, column_letter(column)) == (3, letters)
    assert not table.rows[row - 1][column]
