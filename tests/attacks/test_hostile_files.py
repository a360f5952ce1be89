"""Files of other kinds, under a workbook's name or none: each is refused by what it is, and with the cure."""

from pathlib import Path

import pytest

from tests.attacks.hostile import Make, Outcome, clear
from tests.intake.samples import review_row, rezip

# ---- other kinds of file ----------------------------------------------------------------------------------------

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
TABLE = "<table><tr>" + "".join(f"<td>{heading}</td>" for heading in review_row(1)) + "</tr></table>"
HTML = f'<html xmlns:x="urn:schemas-microsoft-com:office:excel"><meta charset="utf-8">{TABLE}</html>'
XML_2003 = '<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook/>'
MHTML = 'MIME-Version: 1.0\r\nX-Document-Type: Workbook\r\nContent-Type: multipart/related; boundary="b"\r\n\r\n--b\r\n'
FILES = {
    "biff.xls": (OLE + bytes(512) + "Workbook".encode("utf-16-le") + bytes(512), "old-workbook", ".xlsx"),
    "biff.xlsx": (OLE + bytes(512) + "Workbook".encode("utf-16-le") + bytes(512), "old-workbook", ".xlsx"),
    "encrypted.xlsx": (OLE + bytes(512) + "EncryptedPackage".encode("utf-16-le"), "encrypted-workbook", "密码"),
    "old-biff2.xls": (b"\x09\x00\x04\x00\x02\x00\x10\x00" + bytes(400), "not-a-workbook", "工作簿"),
    "page.xls": (HTML.encode(), "web-page", "另存为"),
    "page.xlsx": (HTML.encode("gbk", "replace"), "web-page", "另存为"),
    "page.csv": (HTML.encode(), "web-page", "另存为"),
    "page16.xls": (HTML.encode("utf-16"), "web-page", "另存为"),
    "bare.xls": (("\ufeff \r\n" + TABLE).encode(), "web-page", "另存为"),
    "xml2003.xls": (XML_2003.encode(), "web-page", "另存为"),
    "mhtml.xls": (MHTML.encode(), "web-page", "另存为"),
    "empty.xlsx": (b"", "empty-file", "空"),
    "empty.csv": (b"", "empty-file", "空"),
    "nul.csv": (b"\xe5\x90\x8d,\x00\x00\n", "not-a-workbook", "工作簿"),
    "late-nul.csv": ("姓名,身份证号,性别\n" .encode() * 900 + b"\x00,1,2\n", None, ""),
    "utf16.csv": ("姓名,身份证号\n".encode("utf-16"), "bad-encoding", "UTF-8"),
    "utf16-bare.csv": ("姓名,身份证号\nab,1\n".encode("utf-16-le"), "not-a-workbook", "工作簿"),
    "utf32.csv": ("姓名\n".encode("utf-32"), "bad-encoding", "UTF-8"),
    "big5.csv": (b"\xa9m\xa6W,\xff\xff\xfe\n", "bad-encoding", "UTF-8"),
    "rar.xlsx": (b"Rar!\x1a\x07\x01\x00\xff\xff" + bytes(90), "not-a-workbook", "工作簿"),
    "empty-zip.xlsx": (b"PK\x05\x06" + bytes(18), "not-a-workbook", "工作簿"),
    "half.xlsx": (b"PK\x03\x04", "not-a-workbook", "工作簿"),
    "quotes.csv": (b'"' * 200_001, "bad-table", "引号"),
    "one-long-line.csv": (b"x" * 5_000_000, None, ""),
    "wide.csv": (b"," * 100_000, "file-too-large", "拆分"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_another_kind_of_file_is_refused_by_what_it_is_and_with_the_cure(
    outcome: Outcome, tmp_path: Path, name: str
) -> None:
    content, code, cure = FILES[name]
    file = tmp_path / name
    file.write_bytes(content)
    answer = outcome(file)

    assert clear(answer, file), answer
    if code is not None:
        assert (answer[0], cure in answer[2]) == (code, True), answer


def test_a_workbook_with_macros_is_refused_with_the_cure(outcome: Outcome, good: Path) -> None:
    file = rezip(good, {"xl/vbaProject.bin": OLE}).rename(good.with_suffix(".xlsm"))
    answer = outcome(file)

    assert answer[0] == "macro-workbook"
    assert "另存为不含宏的" in answer[2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_text_file_in_each_usual_encoding_gives_the_same_rows(
    outcome: Outcome, make_csv: Make, encoding: str
) -> None:
    assert outcome(make_csv([review_row(1), review_row(3, 姓名="李𣲵")], encoding=encoding))[:2] == ("list", 2)
