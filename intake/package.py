"""Open the zip inside an ``.xlsx`` file without trusting it.

Every XML part is inflated here, once, within limits, and handed on in a fresh
stored zip. So the reader of cells (calamine) never sees what this module has not:
no entry whose size is a lie, no second entry of the same name, no DTD.
"""

import re
import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from intake.errors import EncryptedWorkbook, FileTooLarge, MacroWorkbook, NotAWorkbook, UnsafeWorkbook

# 200,000 rows of 15 columns take about 150 MB of XML; beyond this memory, not the bureau, decides.
MAX_XML_BYTES = 256_000_000
# A workbook of Excel has some 12 parts and a few per sheet.
MAX_ENTRIES = 2_000
# Sheets full of equal rows reach 150 : 1; deflate itself cannot exceed 1032 : 1.
MAX_RATIO = 400
# Below this size a high ratio does no harm and happens with sheets full of empty styled cells.
RATIO_FROM_BYTES = 4_000_000

_ENCRYPTED_FLAG = 0x1
_PROLOG = re.compile(rb"""(?:\xef\xbb\xbf)?\s*<(?!\?xml[^>]*?encoding\s*=\s*["'](?!utf-?8["']))""", re.IGNORECASE)
# Attributes such as uniqueCount="4". calamine reserves memory by them, and ends the whole process when there is none.
_COUNT = re.compile(rb"""ount\s*=\s*["']([^"'<]{0,40})""")
_FOREIGN = {
    "xl/workbook.bin": ("a binary workbook (.xlsb)", "二进制工作簿(.xlsb)"),
    "mimetype": ("an OpenDocument file", "OpenDocument 文件"),
    "word/document.xml": ("a Word document", "Word 文档"),
    "ppt/presentation.xml": ("a PowerPoint presentation", "PowerPoint 演示文稿"),
}


def read_parts(file: Path) -> dict[str, bytes]:
    """Inflate every XML part of a workbook, within the limits above.

    Args:
        file: a zip by its first bytes; not trusted.

    Returns:
        The bytes of each ``.xml`` and ``.rels`` part by name, as in the archive.

    Raises:
        EncryptedWorkbook, MacroWorkbook, NotAWorkbook, UnsafeWorkbook, FileTooLarge:
            as they say.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _refuse_foreign(file.name, entries)
            wanted = [entry for entry in entries if entry.filename.lower().endswith((".xml", ".rels"))]
            _refuse_oversize(file.name, wanted)
            parts = {entry.filename: archive.read(entry) for entry in wanted}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise NotAWorkbook(file.name, f"its zip is damaged ({error})", f"压缩结构已损坏({error})") from error
    for name, part in parts.items():
        _refuse_unsafe_xml(file.name, name, part)
    if any(b"macroEnabled" in part for name, part in parts.items() if name.lower() == "[content_types].xml"):
        raise MacroWorkbook(file.name)
    return parts


def pack_parts(parts: Mapping[str, bytes]) -> BytesIO:
    """Put checked parts into a new zip, stored, for the cell reader."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name), part)
    packed.seek(0)
    return packed


def _refuse_foreign(file: str, entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_ENTRIES:
        raise UnsafeWorkbook(
            file,
            f"it has {len(entries)} parts, more than {MAX_ENTRIES}",
            f"含 {len(entries)} 个部件, 超过 {MAX_ENTRIES}",
        )
    names = {entry.filename.lower() for entry in entries}
    if len(names) != len(entries):
        raise UnsafeWorkbook(file, "two of its parts have the same name", "有同名部件")
    if any(entry.flag_bits & _ENCRYPTED_FLAG for entry in entries):
        raise EncryptedWorkbook(file)
    if any(name.rsplit("/", 1)[-1] == "vbaproject.bin" for name in names):
        raise MacroWorkbook(file)
    if "xl/workbook.xml" not in names:
        for name, (found, found_zh) in _FOREIGN.items():
            if name in names:
                raise NotAWorkbook(file, f"it is {found}", f"实际是{found_zh}")
        raise NotAWorkbook(file, "it is a zip archive without a workbook", "是不含工作簿的压缩包")


def _refuse_oversize(file: str, entries: list[zipfile.ZipInfo]) -> None:
    total = sum(entry.file_size for entry in entries)
    if total > MAX_XML_BYTES:
        raise FileTooLarge(
            file,
            f"its parts are {total:,} bytes unpacked, more than {MAX_XML_BYTES:,}",
            f"解压后 {total:,} 字节, 超过 {MAX_XML_BYTES:,}",
        )
    for entry in entries:
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise UnsafeWorkbook(
                file, f"{entry.filename} is packed by an unusual method", f"{entry.filename} 压缩方法异常"
            )
        if entry.file_size > RATIO_FROM_BYTES and entry.file_size > MAX_RATIO * entry.compress_size:
            raise UnsafeWorkbook(
                file,
                f"{entry.filename} unpacks to more than {MAX_RATIO} times its size (a zip bomb)",
                f"{entry.filename} 解压比超过 {MAX_RATIO}(疑似压缩炸弹)",
            )


def _refuse_unsafe_xml(file: str, name: str, part: bytes) -> None:
    # A part in UTF-16 would hide a DTD from the search for ASCII bytes below.
    if part and _PROLOG.match(part) is None:
        raise UnsafeWorkbook(file, f"{name} is not XML in UTF-8", f"{name} 不是 UTF-8 编码的 XML")
    if b"<!DOCTYPE" in part or b"<!ENTITY" in part:
        raise UnsafeWorkbook(file, f"{name} declares a DTD or entities", f"{name} 含有 DTD 或实体声明")
    for match in _COUNT.finditer(part):
        written = match[1].strip()
        if b"&" in written or (written.isdigit() and int(written) > len(part)):
            raise UnsafeWorkbook(
                file,
                f"{name} claims to have {written[:20].decode('latin-1')} entries, more than it has bytes",
                f"{name} 声称有 {written[:20].decode('latin-1')} 项, 多于其字节数",
            )
