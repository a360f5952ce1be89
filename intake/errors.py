"""Why a whole file is refused; what is wrong with one row is a Problem instead.

Every sentence names the file and the cure, so that the bureau can help itself.
"""

from collections.abc import Mapping, Sequence

from credential.errors import InputError


class EmptyFile(InputError):
    """The file has no content at all."""

    code = "empty-file"

    def __init__(self, file: str) -> None:
        super().__init__(
            f"{file} is empty; send the file that holds the rows",
            f"文件 {file} 是空的, 请重新导出后再提交",
        )


class UnreadableFile(InputError):
    """The operating system does not let us read the file."""

    code = "unreadable-file"

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(
            f"{file} cannot be opened ({reason}); check the path and the permissions",
            f"无法打开文件 {file}({reason}), 请检查路径和权限",
        )


class OldWorkbook(InputError):
    """An ``.xls`` workbook (OLE2), which stores long numbers and rare characters badly."""

    code = "old-workbook"

    def __init__(self, file: str) -> None:
        super().__init__(
            f"{file} is in the old .xls format; open it and save it as an Excel workbook (.xlsx)",
            f"文件 {file} 是旧版 .xls 格式, 请打开后另存为 Excel 工作簿(.xlsx)",
        )


class EncryptedWorkbook(InputError):
    """A workbook behind a password."""

    code = "encrypted-workbook"

    def __init__(self, file: str) -> None:
        super().__init__(
            f"{file} is encrypted; remove its password and save it again",
            f"文件 {file} 已加密, 请取消密码后重新保存",
        )


class MacroWorkbook(InputError):
    """A workbook that carries a program."""

    code = "macro-workbook"

    def __init__(self, file: str) -> None:
        super().__init__(
            f"{file} contains macros; save it as an Excel workbook without macros (.xlsx)",
            f"文件 {file} 含有宏, 请另存为不含宏的 Excel 工作簿(.xlsx)",
        )


class NotAWorkbook(InputError):
    """A file that claims or seems to be a workbook but is none that we read."""

    code = "not-a-workbook"

    def __init__(self, file: str, found: str, found_zh: str) -> None:
        super().__init__(
            f"{file} is not an .xlsx workbook: {found}; export it as .xlsx or .csv",
            f"文件 {file} 不是 .xlsx 工作簿: {found_zh}, 请导出为 .xlsx 或 .csv",
        )


class WebPage(InputError):
    """A page of HTML, MHTML or XML under a workbook's name, as many systems export them."""

    code = "web-page"

    def __init__(self, file: str) -> None:
        super().__init__(
            f"{file} is a web page or XML text that some system calls a workbook; open it in Excel or WPS and save it "
            f"as an Excel workbook (.xlsx)",
            f"文件 {file} 实际是网页或 XML 文本(有些系统以 .xls 名义导出), "
            f"请用 Excel 或 WPS 打开后另存为 Excel 工作簿(.xlsx)",
        )


class WrongExtension(InputError):
    """The name says one thing, the content another."""

    code = "wrong-extension"

    def __init__(self, file: str, cure: str) -> None:
        content, content_zh = ("a workbook", "Excel 工作簿") if cure == ".xlsx" else ("text", "纯文本")
        super().__init__(
            f"{file} is {content} by its content, whatever its name says; rename it to {cure} or export it again",
            f"文件 {file} 的内容是{content_zh}, 与扩展名不符, 请改名为 {cure} 或重新导出",
        )


class UnsafeWorkbook(InputError):
    """A workbook with a construction that no spreadsheet program writes."""

    code = "unsafe-workbook"

    def __init__(self, file: str, reason: str, reason_zh: str) -> None:
        super().__init__(
            f"{file} is refused: {reason}; copy the rows into a new workbook and save it",
            f"文件 {file} 被拒绝: {reason_zh}, 请把数据复制到新建的工作簿后保存",
        )


class FileTooLarge(InputError):
    """A file that would need more memory than intake may take."""

    code = "file-too-large"

    def __init__(self, file: str, reason: str, reason_zh: str) -> None:
        super().__init__(
            f"{file} is too large: {reason}; split it into smaller files",
            f"文件 {file} 过大: {reason_zh}, 请拆分后分别提交",
        )


class TooManyRows(InputError):
    """More rows than one batch may have."""

    code = "too-many-rows"

    def __init__(self, file: str, limit: int) -> None:
        super().__init__(
            f"{file} reaches beyond row {limit}; delete stray cells below the data or split it into several files",
            f"文件 {file} 超过 {limit} 行, 请删除数据下方的多余单元格或拆分后提交",
        )


class BadEncoding(InputError):
    """A text file that is neither UTF-8 nor GB18030 throughout: characters were lost."""

    code = "bad-encoding"

    def __init__(self, file: str, line: int, sample: str) -> None:
        super().__init__(
            f"{file} is neither UTF-8 nor GB18030 at line {line} (bytes {sample}), characters would be lost; "
            f"save it as .xlsx or as CSV UTF-8",
            f"文件 {file} 第 {line} 行(字节 {sample})既不是 UTF-8 也不是 GB18030 编码, 会丢失字符, "
            f"请另存为 .xlsx 或“CSV UTF-8”",
        )


class BadTable(InputError):
    """A text file whose quotes do not close, or whose cells are absurdly long."""

    code = "bad-table"

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(
            f"{file} cannot be split into cells at line {line} ({reason}); check the quotation marks or send .xlsx",
            f"文件 {file} 第 {line} 行无法分列({reason}), 请检查引号或改用 .xlsx",
        )


class NoHeaderRow(InputError):
    """None of the first rows names the columns."""

    code = "no-header-row"

    def __init__(self, file: str, rows: int, headings: Sequence[str]) -> None:
        shown = "、".join(headings)
        super().__init__(
            f"{file} has no header row in its first {rows} rows; one row must hold headings such as {shown}",
            f"文件 {file} 的前 {rows} 行中没有表头, 应有一行写明 {shown} 等列名",
        )


class SeveralSheets(InputError):
    """More than one sheet has a header row; intake does not guess which is meant."""

    code = "several-sheets"

    def __init__(self, file: str, sheets: Sequence[str]) -> None:
        super().__init__(
            f"{file} has several sheets with a header row ({', '.join(sheets)}); name one of them or delete the rest",
            f"文件 {file} 有多个带表头的工作表({'、'.join(sheets)}), 请指定要读取的一个, 或删除其余",
        )


class UnknownSheet(InputError):
    """The sheet asked for is not in the file."""

    code = "unknown-sheet"

    def __init__(self, file: str, sheet: str, sheets: Sequence[str]) -> None:
        super().__init__(
            f"{file} has no sheet {sheet!r}; it has {', '.join(sheets) or 'none'}",
            f"文件 {file} 没有工作表“{sheet}”, 现有: {'、'.join(sheets) or '无'}",
        )


class DuplicateHeading(InputError):
    """Two columns mean the same field."""

    code = "duplicate-heading"

    def __init__(self, file: str, meaning: str, columns: Sequence[str]) -> None:
        super().__init__(
            f"{file} has several columns for {meaning} ({', '.join(columns)}); keep one and delete or rename the rest",
            f"文件 {file} 有多列都表示“{meaning}”({'、'.join(columns)}), 请只保留一列, 其余删除或改名",
        )


class UnknownShape(InputError):
    """The headings fit no form of sheet that the template knows."""

    code = "unknown-shape"

    def __init__(self, file: str, shapes: Mapping[str, Sequence[str]]) -> None:
        shown = "; ".join(f"{name}: {', '.join(headings)}" for name, headings in shapes.items())
        super().__init__(
            f"the headings of {file} fit no known form of sheet; the forms are told by these headings ({shown})",
            f"文件 {file} 的表头不属于任何已知表式, 各表式须有的列为({shown})",
        )


class MissingColumns(InputError):
    """A column that every row needs is not in the sheet."""

    code = "missing-columns"

    def __init__(self, file: str, headings: Sequence[str]) -> None:
        shown = "、".join(headings)
        super().__init__(
            f"{file} lacks the columns {shown}; add them",
            f"文件 {file} 缺少列: {shown}, 请补充",
        )


class NoRows(InputError):
    """There is a header row and nothing below it."""

    code = "no-rows"

    def __init__(self, file: str) -> None:
        super().__init__(
            f"{file} has a header row but no rows below it; nothing could be issued",
            f"文件 {file} 只有表头, 没有数据行",
        )


class BadPhotoArchive(InputError):
    """The archive of photos cannot be used as a whole."""

    code = "bad-photo-archive"

    def __init__(self, file: str, reason: str, reason_zh: str) -> None:
        super().__init__(
            f"the photo archive {file} is refused: {reason}; pack the photos again as a plain zip",
            f"照片压缩包 {file} 被拒绝: {reason_zh}, 请重新打包为普通 zip",
        )


class FileExists(InputError):
    """The file to be written is there already; nothing of a person's is overwritten."""

    code = "file-exists"

    def __init__(self, file: str) -> None:
        super().__init__(
            f"{file} exists already and is not overwritten; choose another name",
            f"文件 {file} 已存在, 不会被覆盖, 请换一个文件名",
        )


class UnwritableFile(InputError):
    """The operating system does not let us write the file."""

    code = "unwritable-file"

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(
            f"{file} cannot be written ({reason}); check the folder and its permissions",
            f"无法写入文件 {file}({reason}), 请检查目录和权限",
        )


class NotXlsxName(InputError):
    """A workbook under another ending would not open by a double click."""

    code = "not-xlsx-name"

    def __init__(self, file: str) -> None:
        super().__init__(
            f"{file} is to be a workbook, so its name must end in .xlsx; rename it",
            f"结果是 Excel 工作簿, 文件名 {file} 必须以 .xlsx 结尾, 请改名",
        )


class CannotCopy(InputError):
    """A workbook that intake reads but that is not copied; a list of its problems is made instead."""

    code = "cannot-copy"

    def __init__(self, reason: str, reason_zh: str) -> None:
        super().__init__(
            f"the workbook is not copied with its formats, since {reason}; correct it by the list of problems",
            f"工作簿无法带格式复制({reason_zh}), 请按问题清单修改",
        )
