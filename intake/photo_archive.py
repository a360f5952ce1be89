"""Find portraits in a zip by ID number; read one at a time, write nothing to disk."""

import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from credential.errors import InputError
from intake.errors import BadPhotoArchive, EmptyFile, UnreadableFile
from intake.findings import Finding, error, warning
from intake.photos import Photo, PhotoRule, check_photo, file_too_large

# One photo for each row of the largest batch, and as many again of other files.
MAX_ENTRIES = 400_000
# A JPEG does not shrink; a file that unpacks to more than this many times its size is no photo.
MAX_RATIO = 100
# 200,000 photos of 80 KB; each is read alone, so this bounds time, not memory.
MAX_TOTAL_BYTES = 16_000_000_000

_ENCRYPTED_FLAG = 0x1
_UTF8_FLAG = 0x800
_CLUTTER = re.compile(r"(?:^|/)(?:__MACOSX/|\.[^./]|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)


class PhotoArchive:
    """A zip of portraits named ``<number>.jpg``, in any folder; X may be lower case."""

    def __init__(self, file: Path, rule: PhotoRule | None = None) -> None:
        """Read the archive's directory, not its files.

        Raises:
            BadPhotoArchive: no zip, encrypted, or beyond the limits above.
            EmptyFile, UnreadableFile: as they say.
        """
        self._rule = PhotoRule() if rule is None else rule
        try:
            if not file.stat().st_size:
                raise EmptyFile(file.name)
            self._archive = zipfile.ZipFile(file)
        except OSError as fault:
            raise UnreadableFile(file.name, fault.strerror or str(fault)) from fault
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as fault:
            raise BadPhotoArchive(file.name, f"it is no sound zip ({fault})", f"不是完好的 zip({fault})") from fault
        # ZipInfo.is_dir() fails on a name that is empty, or begins with the zero byte at which zipfile cuts it.
        files = [one for one in self._archive.infolist() if not one.filename.endswith("/")]
        entries = [one for one in files if not _CLUTTER.search(one.filename)]
        try:
            _refuse(file.name, entries)
        except InputError:
            self._archive.close()
            raise
        self._entries: dict[str, list[zipfile.ZipInfo]] = {}
        for entry in entries:
            self._entries.setdefault(_stem(entry.filename), []).append(entry)
        self._asked: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def photo(self, number: str) -> Photo:
        """Read, judge and clean the photo of one person.

        Args:
            number: of the identity document, upper case.

        Returns:
            The photo; whatever is wrong with it is among its findings, and
            never touches anybody else's.
        """
        self._asked.add(number)
        entries = self._entries.get(number, [])
        if not entries:
            return Photo(None, (_missing(),))
        if len(entries) > 1:
            return Photo(None, (_several([shown_name(one) for one in entries]),))
        (entry,) = entries
        finding = self._refuse_entry(entry)
        if finding is not None:
            return Photo(None, (finding,))
        try:
            content = self._archive.read(entry)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as fault:
            finding = error(
                "photo-damaged",
                f"照片在压缩包中已损坏({fault}), 请重新打包",
                f"the photo is damaged inside the archive ({fault}); pack it again",
            )
            return Photo(None, (finding,))
        return check_photo(content, self._rule)

    def has(self, number: str) -> bool:
        """Whether the archive has any photo of this person; counts as asked for."""
        self._asked.add(number)
        return number in self._entries

    def unused(self) -> Iterator[Finding]:
        """One warning for each file that nobody has asked for."""
        for stem, entries in self._entries.items():
            if stem in self._asked:
                continue
            for entry in entries:
                name = shown_name(entry)
                yield warning(
                    "photo-without-row",
                    f"照片“{name}”没有对应的数据行(文件名应为证件号码), 未使用",
                    f"no row has the ID number that the photo {name!r} is named by; it is not used",
                )

    def _refuse_entry(self, entry: zipfile.ZipInfo) -> Finding | None:
        if stat.S_ISLNK(entry.external_attr >> 16):
            return error(
                "photo-is-a-link",
                "压缩包中的照片是链接而不是文件, 请放入照片本身",
                "the photo is a link, not a file; put the file itself into the archive",
            )
        if entry.file_size >= self._rule.under_bytes:
            return file_too_large(entry.file_size, self._rule)
        if entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
            return error(
                "photo-not-a-photo",
                f"照片解压后是压缩前的 {MAX_RATIO} 倍以上, 不是照片, 请更换",
                f"the photo unpacks to more than {MAX_RATIO} times its size, so it is none; replace it",
            )
        return None


def shown_name(entry: zipfile.ZipInfo) -> str:
    """A file's name for people: without the UTF-8 flag, Chinese programs write GBK."""
    if entry.flag_bits & _UTF8_FLAG:
        return entry.filename[-80:]
    try:
        return entry.filename.encode("cp437").decode("gb18030")[-80:]
    except UnicodeError:
        return entry.filename[-80:]


def _stem(name: str) -> str:
    last = name.replace("\\", "/").rpartition("/")[2]
    return last.rpartition(".")[0].strip().upper() if "." in last else last.strip().upper()


def _refuse(file: str, entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_ENTRIES:
        raise BadPhotoArchive(file, f"it holds more than {MAX_ENTRIES:,} files", f"文件数超过 {MAX_ENTRIES:,}")
    if any(entry.flag_bits & _ENCRYPTED_FLAG for entry in entries):
        raise BadPhotoArchive(file, "it is encrypted; remove the password", "已加密, 请取消密码")
    total = sum(entry.file_size for entry in entries)
    if total > MAX_TOTAL_BYTES:
        raise BadPhotoArchive(file, f"it unpacks to {total:,} bytes", f"解压后达 {total:,} 字节")
    for entry in entries:
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise BadPhotoArchive(
                file, f"{shown_name(entry)} is packed by an unusual method", f"{shown_name(entry)} 的压缩方法不受支持"
            )


def _missing() -> Finding:
    return error(
        "photo-missing",
        "压缩包中没有以该证件号码命名的照片, 请补充",
        "the archive has no photo named by this ID number; add it",
    )


def _several(names: list[str]) -> Finding:
    shown = "、".join(names[:5])
    return error(
        "photo-not-unique",
        f"该证件号码有多张照片({shown}), 请只保留一张",
        f"there are several photos for this ID number ({shown}); keep one",
    )
