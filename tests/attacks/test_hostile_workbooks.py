"""Workbooks and text files that mean harm: each ends in a result or one clear sentence, in bounded memory.

Every file goes the whole way, as an upload does: it is read, and where intake accepts it, its annotated copy is
written, so that what gets past the first reader reaches the second. All of it runs in a process that may take 2 GB;
a killed or hanging process fails the test.
"""

import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped] # it has no types

from tests.attacks.hostile import Outcome, clear, part
from tests.intake.samples import review_row, rezip, sheet_of

SHEET, BOOK, STRINGS, STYLES = "xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/sharedStrings.xml", "xl/styles.xml"
RELATIONS, TYPES = "xl/_rels/workbook.xml.rels", "[Content_Types].xml"


def with_row(file: Path, row: bytes) -> Path:
    return rezip(file, {SHEET: part(file).replace(b"</sheetData>", row + b"</sheetData>")})


def after_data(file: Path, elements: bytes) -> Path:
    return rezip(file, {SHEET: part(file).replace(b"</sheetData>", b"</sheetData>" + elements)})


# ---- bombs ------------------------------------------------------------------------------------------------------


def nested(good: Path) -> Path:
    inner = BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(40_000_000))
    return rezip(good, {"xl/embeddings/inner.zip": inner.getvalue(), "xl/media/a.bin": bytes(40_000_000)})


def high_ratio(good: Path) -> Path:
    return rezip(good, {"xl/worksheets/sheet9.xml": b"<worksheet>" + b" " * 200_000_000})


def many_entries(good: Path) -> Path:
    with zipfile.ZipFile(good, "a") as archive:
        for number in range(20_000):
            archive.writestr(f"x/{number}.xml", b"")
    return good


def many_bombs_below_the_ratio(good: Path) -> Path:
    return rezip(good, {f"x/{number}.xml": b"<a>" + b" " * 3_900_000 for number in range(80)})


def overlapping(good: Path) -> Path:
    """Two hundred directory entries that share one compressed part (the construction of zbsm.zip, without quoting)."""
    with zipfile.ZipFile(good, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/0000.xml", b"<a>" + b" " * 3_000_000)
    content = good.read_bytes()
    with zipfile.ZipFile(good) as archive:
        start, last = archive.start_dir, archive.infolist()[-1]
    directory_end = content.rindex(b"PK\x05\x06")
    entry_at = content.rindex(b"PK\x01\x02", start, directory_end)
    entry = content[entry_at:directory_end]
    name = last.filename.encode()
    more = b"".join(entry.replace(name, b"x/%04d.xml" % number) for number in range(1, 200))
    end = bytearray(content[directory_end:])
    count = int.from_bytes(end[8:10], "little") + 199
    size = int.from_bytes(end[12:16], "little") + len(more)
    end[8:12] = count.to_bytes(2, "little") * 2
    end[12:16] = size.to_bytes(4, "little")
    good.write_bytes(content[:directory_end] + more + bytes(end))
    return good


def one_long_string_in_every_cell(good: Path) -> Path:
    strings = part(good, STRINGS).replace(b"<t>", b"<t>" + b"x" * 30_000, 1)
    rows = b"".join(
        b'<row r="%d">' % row
        + b"".join(b'<c r="%c%d" t="s"><v>0</v></c>' % (at, row) for at in b"ABCDEFGHIJK")
        + b"</row>"
        for row in range(4, 4_000)
    )
    return with_row(rezip(good, {STRINGS: strings}), rows)


@pytest.mark.parametrize(
    ("make", "codes"),
    [
        (nested, {"copy"}),
        (high_ratio, {"unsafe-workbook"}),
        (many_entries, {"unsafe-workbook"}),
        (many_bombs_below_the_ratio, {"file-too-large"}),
        (overlapping, {"file-too-large", "not-a-workbook", "unsafe-workbook"}),
        (one_long_string_in_every_cell, {"file-too-large"}),
    ],
)
def test_a_bomb_is_refused_or_not_unpacked(
    outcome: Outcome, good: Path, make: Callable[[Path], Path], codes: set[str]
) -> None:
    answer = outcome(make(good))

    assert answer[0] in codes, answer
    assert answer[0] == "copy" or clear(answer, good)


LAUGHS = b"<!DOCTYPE l [<!ENTITY a0 'ha'>%s]>" % b"".join(
    b"<!ENTITY a%d '%s'>" % (level, b"&a%d;" % (level - 1) * 10) for level in range(1, 10)
)
BLOWUP = b"<!DOCTYPE q [<!ENTITY a '" + b"x" * 50_000 + b"'>]>"
OUTSIDE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname"> %b;]>'
REMOTE = b'<!DOCTYPE x SYSTEM "http://example.invalid/a.dtd">'


@pytest.mark.parametrize("name", [SHEET, STRINGS, BOOK, STYLES, TYPES, "xl/theme/theme1.xml", "docProps/core.xml"])
@pytest.mark.parametrize("dtd", [LAUGHS, BLOWUP, OUTSIDE, REMOTE])
def test_no_dtd_reaches_any_reader(outcome: Outcome, good: Path, name: str, dtd: bytes) -> None:
    content = part(good, name)
    at = content.index(b"?>") + 2
    answer = outcome(rezip(good, {name: content[:at] + dtd + content[at:]}))

    assert answer[0] == "unsafe-workbook"
    assert clear(answer, good)


# ---- positions and sizes ----------------------------------------------------------------------------------------

CELL = b'<c r="%s" t="n"><v>1</v></c>'
ROWS = {
    "far corner": b'<row r="1048576">' + CELL % b"XFD1048576" + b"</row>",
    "far row": b'<row r="1048576">' + CELL % b"A1048576" + b"</row>",
    "beyond the last column": b'<row r="9">' + CELL % b"ZZZ9" + b"</row>",
    "beyond the last row": b'<row r="99999999999">' + CELL % b"A99999999999" + b"</row>",
    "row zero": b'<row r="0">' + CELL % b"A0" + b"</row>",
    "negative row": b'<row r="-5">' + CELL % b"A-5" + b"</row>",
    "row that is no number": b'<row r="x"><c r="A4"><v>1</v></c></row>',
    "cell outside its row": b'<row r="4">' + CELL % b"A9" + b"</row>",
    "row out of order": b'<row r="2">' + CELL % b"Z2" + b"</row>",
    "styled emptiness far away": b'<row r="1048576" hidden="1"><c r="XFD1048576" s="1"/></row>',
    "shared string out of range": b'<row r="4"><c r="A4" t="s"><v>99999</v></c></row>',
    "shared string negative": b'<row r="4"><c r="A4" t="s"><v>-1</v></c></row>',
    "shared string no number": b'<row r="4"><c r="A4" t="s"><v>x</v></c></row>',
    "style out of range": b'<row r="4"><c r="A4" s="99999"><v>1</v></c></row>',
    "style negative": b'<row r="4"><c r="A4" s="-7"><v>1</v></c></row>',
    "unknown type": b'<row r="4"><c r="A4" t="zz"><v>1</v></c></row>',
    "boolean that is none": b'<row r="4"><c r="A4" t="b"><v>9e9</v></c></row>',
    "number without end": b'<row r="4"><c r="A4"><v>1e999</v></c></row>',
    "number of a thousand digits": b'<row r="4"><c r="A4"><v>' + b"9" * 1000 + b"</v></c></row>",
    "no number at all": b'<row r="4"><c r="A4"><v>NaN</v></c></row>',
    "no values": b'<row r="4">' + b'<c r="A4"/>' * 3 + b"</row>",
    "deep nesting": b'<row r="4"><c r="A4" t="inlineStr"><is>' + b"<r>" * 5000 + b"</r>" * 5000 + b"</is></c></row>",
    "long text": b'<row r="4"><c r="A4" t="inlineStr"><is><t>' + b"x" * 3_000_000 + b"</t></is></c></row>",
    "formula without end": b'<row r="4"><c r="A4"><f>' + b"(" * 100_000 + b"</f></c></row>",
    "array formula over the sheet": b'<row r="4"><c r="A4"><f t="array" ref="A1:XFD1048576">1</f><v>1</v></c></row>',
    "shared formula over the sheet": b'<row r="4"><c r="A4"><f t="shared" si="0" ref="A1:XFD9">A1</f></c></row>',
}


@pytest.mark.parametrize("what", ROWS)
def test_a_row_that_no_program_writes_ends_in_a_result_or_a_sentence(outcome: Outcome, good: Path, what: str) -> None:
    answer = outcome(with_row(good, ROWS[what]))

    assert answer[0] in {"copy", "list"} or clear(answer, good), answer


AFTER = {
    "merged sheet": b'<mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>',
    "merged columns": b'<mergeCells><mergeCell ref="A1:C1048576"/><mergeCell ref="A1:C1048576"/></mergeCells>',
    "dimension": b'<dimension ref="A1:XFD1048576"/>',
    "counts": b'<mergeCells count="99999999999"><mergeCell ref="A9:B9"/></mergeCells>',
    "merged backwards": b'<mergeCells><mergeCell ref="C3:A1"/><mergeCell ref="A0:B2"/><mergeCell ref=""/></mergeCells>',
    "merged over values": b'<mergeCells><mergeCell ref="A1:K3"/></mergeCells>',
    "filter over the sheet": b'<autoFilter ref="A1:XFD1048576"/>',
    "filter of nothing": b'<autoFilter ref="x"/>',
    "links over the sheet": b'<hyperlinks><hyperlink ref="A1:XFD1048576" location="x!A1"/></hyperlinks>',
    "validation": b'<dataValidations><dataValidation sqref="A1:XFD1048576" type="list"/></dataValidations>',
    "conditional": b'<conditionalFormatting sqref="A1:XFD9"><cfRule dxfId="999"/></conditionalFormatting>',
    "drawing that is not there": b'<drawing xmlns:r="r" r:id="rId99"/><legacyDrawing xmlns:r="r" r:id="rId98"/>',
    "tables that are not there": b'<tableParts count="9"><tablePart xmlns:r="r" r:id="rId97"/></tableParts>',
    "breaks": b'<rowBreaks count="1"><brk id="99999999999999"/></rowBreaks>',
    "page setup of another world": b'<pageSetup paperSize="x" orientation="diagonal"/>',
}


@pytest.mark.parametrize("what", AFTER)
def test_what_stands_after_the_rows_harms_neither_reader(outcome: Outcome, good: Path, what: str) -> None:
    answer = outcome(after_data(good, AFTER[what]))

    assert answer[1] == 2 or clear(answer, good), answer  # rows, or a sentence


def test_columns_and_comments_over_a_whole_sheet_are_left_out(outcome: Outcome, good: Path) -> None:
    comments = b"".join(b'<comment ref="%s" authorId="%d"><text><t>x</t></text></comment>' % one for one in [
        (b"A1:XFD1048576", 0), (b"XFD1048576", 9), (b"A0", 0), (b"", 0), (b"B2", 999_999_999_999),
    ])  # fmt: skip
    relations = (
        b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="c" '
        b'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/comments" '
        b'Target="../comments1.xml"/></Relationships>'
    )
    columns = (
        b'<cols><col min="1" max="16384" width="9"/><col min="x" max="2"/><col min="5" max="3"/>'
        b'<col min="9999999" max="9999999"/></cols><sheetData>'
    )
    changes = {
        SHEET: part(good).replace(b"<sheetData>", columns),
        "xl/comments1.xml": b"<comments><authors><author>a</author></authors><commentList>"
        + comments
        + b"</commentList></comments>",
        "xl/worksheets/_rels/sheet1.xml.rels": relations,
    }
    answer = outcome(rezip(good, changes))

    assert answer[:2] == ("copy", 2)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (STYLES, b"<fills", b"<fillz"),
        (STYLES, b"<cellXfs", b"<cellXfs><xf fontId='999' fillId='999' borderId='-1' numFmtId='x'/></cellXfs><cellXfs"),
        (STYLES, b"<styleSheet", b"<nothing"),
        (BOOK, b'r:id="rId1"', b'r:id="rId999"'),
        (BOOK, b'name="\xe8\xa1\xa8"', b'name="a/b:c*?[]' + b"x" * 300 + b'"'),
        (BOOK, b'name="\xe8\xa1\xa8"', b'name=""'),
        (BOOK, b'sheetId="1"', b'sheetId="99999999999999"'),
        (RELATIONS, b"worksheets/sheet1.xml", b"../../../../etc/passwd"),
        (RELATIONS, b"worksheets/sheet1.xml", b"file:///etc/passwd"),
        (TYPES, b"worksheet+xml", b"chartsheet+xml"),
        (STRINGS, b"<t>", b"<t/></si></si><si><t>"),
        (STRINGS, b"uniqueCount=", b"uniqueCount='99999999999' a="),
        (STRINGS, b"uniqueCount=", b'b=">" uniqueCount="&#57;9999999999" a='),
        (STYLES, b"<cellXfs count=", b'<cellXfs count="99999999999" c='),
        (STYLES, b"<fonts count=", b"<numFmts count='99999999999'/><fonts count="),
    ],
)
def test_a_twisted_part_ends_in_a_result_or_a_sentence(
    outcome: Outcome, good: Path, name: str, old: bytes, new: bytes
) -> None:
    content = part(good, name)
    assert old in content or name in {STRINGS, STYLES}
    answer = outcome(rezip(good, {name: content.replace(old, new, 1)}))

    assert answer[0] in {"copy", "list"} or clear(answer, good), answer


# ---- values that are not what they look like --------------------------------------------------------------------


def test_a_formula_counts_by_its_stored_result_and_the_copy_has_only_that(outcome: Outcome, good: Path) -> None:
    row = "".join(
        f'<c r="{chr(65 + at)}4" t="str"><f>WEBSERVICE("http://example.invalid")</f><v>{value}</v></c>'
        for at, value in enumerate(review_row(5).values())
    )
    answer = outcome(with_row(good, f'<row r="4">{row}</row>'.encode()))

    assert answer[:2] == ("copy", 3)
    sheet = part(good.with_name(good.name + ".copy.xlsx"))
    assert b"<sheetData>" in sheet
    assert b"WEBSERVICE" not in sheet
    assert b"<f>" not in sheet


def test_numbers_as_text_and_dates_as_numbers_stay_what_they_are(outcome: Outcome, tmp_path: Path) -> None:
    file = tmp_path / "rows.xlsx"
    with xlsxwriter.Workbook(file) as book:
        page = book.add_worksheet("表")
        date = book.add_format({"num_format": "yyyy-mm-dd"})
        rows = sheet_of([review_row(1), review_row(3), review_row(5), review_row(7)])
        for line, row in enumerate(rows):
            for at, cell in enumerate(row):
                page.write_string(line, at, cell)
        when = list(review_row(1)).index("取得资格时间")
        page.write_number(1, when, 46203, date)
        page.write_number(2, when, 46203.499999999993, date)
        page.write_number(3, when, 20260630, date)  # no date that any program shows
        page.write_number(4, when, -1, date)
        page.write_string(1, 12, "123456789012345678901234567890")
    answer = outcome(file)

    assert answer[0] == "copy"
    copy = file.with_name("rows.xlsx.copy.xlsx")
    for number in (b"46203", b"46203.49999999999", b"20260630", b"-1", b"123456789012345678901234567890"):
        assert b">" + number in part(copy), number
