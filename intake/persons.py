"""Read who a row is about: name, kind of document, its number, sex.

The checks are those of ``credential/identity.py``; here their results become
findings, and numbers that a spreadsheet turned into floats are refused.
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import NamedTuple

from credential.identity import BadIdNumber, BadName, check_id_number, check_name, fold_id_number
from credential.model import DocumentType
from intake.findings import Finding, Reading, error, refused, warning
from intake.values import read_word
from intake.workbook import Cell

# Passport and permit numbers are at most 9 to 12 characters; 30 leaves room for foreign ones.
_OTHER_NUMBER = re.compile(r"[0-9A-Z()/-]{4,30}")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?E\+?\d+")
_TYPE_NAMES: Mapping[str, DocumentType] = {
    "居民身份证": DocumentType.RESIDENT_ID,
    "身份证": DocumentType.RESIDENT_ID,
    "公民身份号码": DocumentType.RESIDENT_ID,
    "港澳居民居住证": DocumentType.RESIDENT_ID,
    "台湾居民居住证": DocumentType.RESIDENT_ID,
    "港澳台居民居住证": DocumentType.RESIDENT_ID,
    "护照": DocumentType.PASSPORT,
    "普通护照": DocumentType.PASSPORT,
    "港澳居民来往内地通行证": DocumentType.HK_MACAO_PERMIT,
    "台湾居民来往大陆通行证": DocumentType.TAIWAN_PERMIT,
    "其他": DocumentType.OTHER,
    **{one.value: one for one in DocumentType},
}
_NAME_NOTES: Mapping[str, tuple[str, str]] = {
    "name-separator": (
        "姓名“{raw}”中的间隔号已规范为“{name}”(U+00B7)",
        "the separator in {raw!r} became U+00B7: {name!r}",
    ),
    "name-space": ("姓名“{raw}”中的空格已去除: “{name}”", "spaces in the name {raw!r} were removed: {name!r}"),
    "name-compatibility-ideograph": (
        "姓名“{name}”含兼容汉字, 已按原样保留, 请与证件核对",
        "the name {name!r} holds a compatibility ideograph, kept as typed; compare it with the ID card",
    ),
}
_NUMBER_NOTES: Mapping[str, tuple[str, str]] = {
    "id-number-full-width": (
        "身份证号中的全角字符已转为半角: {number}",
        "full-width characters became ASCII: {number}",
    ),
    "id-number-apostrophe": (
        "已去除身份证号前的撇号: {number}",
        "the apostrophe before the ID number was removed: {number}",
    ),
    "id-number-space": ("已去除身份证号中的空白: {number}", "white space in the ID number was removed: {number}"),
    "id-number-lower-case": ("身份证号末位的小写 x 已改为大写: {number}", "the lower-case x became X: {number}"),
}


class IdReading(NamedTuple):
    """A number of an identity document, read.

    Attributes:
        number: empty when it is missing or refused.
        sex: by its 17th digit; empty for other documents than 111.
        findings: on the way.
    """

    number: str
    sex: str
    findings: tuple[Finding, ...] = ()


class IdReadings(dict[Cell, IdReading]):
    """Readings of citizen ID numbers by cell; their region's warning is shared."""

    def __init__(self, today: dt.date) -> None:
        super().__init__()
        self._today = today
        self._regions: dict[str, tuple[Finding, ...]] = {}

    def __missing__(self, cell: Cell) -> IdReading:
        reading = self[cell] = self._read(cell)
        return reading

    def _read(self, cell: Cell) -> IdReading:
        if type(cell) is not str:
            return _stored_as_number(cell)
        # Most cells need no folding: 18 capital letters and digits.
        is_clean = len(cell) == 18 and cell.isascii() and cell.isalnum() and cell[17] != "x"
        folded, notes = (cell, ()) if is_clean else fold_id_number(cell)
        if not folded:
            return IdReading("", "")
        if not is_clean and _SCIENTIFIC.fullmatch(folded.upper()):
            return _stored_as_number(folded)
        try:
            checked = check_id_number(folded, today=self._today)
        except BadIdNumber as fault:
            return IdReading("", "", refused(fault).findings)
        findings = _notes(_NUMBER_NOTES, notes, number=checked.number) if notes else ()
        if not checked.region_known:
            findings += self._unknown_region(checked.number[:6])
        return IdReading(checked.number, checked.sex, findings)

    def _unknown_region(self, region: str) -> tuple[Finding, ...]:
        if region not in self._regions:
            finding = warning(
                "id-region-unknown",
                f"身份证号前六位 {region} 不是已知的行政区划代码(可能为历史代码), 请与证件核对",
                f"{region}, the first six digits, is no known division code (it may be a historic one); compare it",
            )
            self._regions[region] = (finding,)
        return self._regions[region]


def read_other_number(cell: Cell, kind: DocumentType) -> IdReading:
    """Read the number of a passport, permit or other document; only its form can be checked."""
    if type(cell) is not str:
        return _stored_as_number(cell)
    folded, notes = fold_id_number(cell)
    number = folded.upper()
    if not number:
        return IdReading("", "")
    if _OTHER_NUMBER.fullmatch(number) is None:
        finding = error(
            "document-number-form",
            f"“{folded[:40]}”不像证件号码(类型 {kind}), 请与证件核对",
            f"{folded[:40]!r} does not look like the number of a document (type {kind}); compare it with the document",
        )
        return IdReading("", "", (finding,))
    return IdReading(number, "", _notes(_NUMBER_NOTES, notes, number=number))


def read_document_type(cell: Cell) -> Reading:
    """Read the kind of identity document: its name or the code of GB/T 36903; empty means 111."""
    word = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else read_word(cell).value
    if not word:
        return Reading(DocumentType.RESIDENT_ID.value)
    if word in _TYPE_NAMES:
        return Reading(_TYPE_NAMES[word].value)
    known = "、".join(name for name in _TYPE_NAMES if not name.isdigit())
    finding = error(
        "unknown-document-type",
        f"证件类型“{word}”未知, 可填: {known}",
        f"the document type {word!r} is unknown; it can be {known}",
    )
    return Reading("", (finding,))


def read_name(cell: Cell) -> Reading:
    """Read a person's name; an empty cell has no finding here."""
    if type(cell) is not str:
        finding = error(
            "name-not-text",
            f"姓名应为文本, 却是“{cell}”, 请更正",
            f"the name is stored as {cell!r}, not as text; correct it",
        )
        return Reading("", (finding,))
    if not cell or cell.isspace():
        return Reading("")
    try:
        folded = check_name(cell)
    except BadName as fault:
        return refused(fault)
    if not folded.notes:
        return Reading(folded.name)
    return Reading(folded.name, _notes(_NAME_NOTES, folded.notes, raw=cell.strip(), name=folded.name))


def read_sex(cell: Cell) -> Reading:
    """Read 男 or 女; nothing else is understood."""
    word = read_word(cell).value if isinstance(cell, str) else str(cell)
    if word in {"", "男", "女"}:
        return Reading(word)
    finding = error("unknown-sex", f"性别“{word}”应为男或女", f"the sex {word!r} must be 男 or 女")
    return Reading("", (finding,))


def sex_contradiction(written: str, derived: str) -> Finding:
    """Say that the sheet and the 17th digit of the ID number disagree."""
    return error(
        "sex-contradicts-id-number",
        f"性别“{written}”与身份证号第17位(表示{derived})不符, 请核对",
        f"the sex {written!r} contradicts the 17th digit of the ID number, which says {derived!r}; compare both",
    )


def _stored_as_number(cell: Cell) -> IdReading:
    shown = f"{cell:.15g}" if isinstance(cell, (int, float)) and not isinstance(cell, bool) else str(cell)
    finding = error(
        "id-stored-as-number",
        f"证件号码存为数字({shown}), 末几位已丢失, 不能推测; 请将该列设为文本格式后重新录入",
        f"the number is stored as a number ({shown}); its last digits are lost and not guessed: "
        "format the column as text and type it again",
    )
    return IdReading("", "", (finding,))


def _notes(texts: Mapping[str, tuple[str, str]], codes: tuple[str, ...], **values: str) -> tuple[Finding, ...]:
    return tuple(warning(code, texts[code][0].format(**values), texts[code][1].format(**values)) for code in codes)
