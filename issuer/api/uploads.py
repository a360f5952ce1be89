"""Uploaded files on their way to intake: under names of ours, in a folder that is gone afterwards."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated

from fastapi import File, Form, UploadFile

_ENDINGS = frozenset({".xlsx", ".xlsm", ".xls", ".csv", ".txt", ".tsv"})


@dataclass(frozen=True, slots=True)
class Upload:
    """What came with a form."""

    folder: Path
    sheet: Path
    photos: Path | None


SheetFile = Annotated[
    UploadFile,
    File(description="表格 .xlsx 或 .csv。 The sheet; the bytes decide what it is, its name is not used."),
]
PhotosFile = Annotated[
    UploadFile | None,
    File(description="照片压缩包 .zip, 以证件号码命名。 Portraits, named after ID numbers."),
]
TemplateName = Annotated[
    str,
    Form(max_length=64, pattern=r"^[a-z0-9-]*$", description="证书模板; 空为机构默认。 Empty takes the issuer's own."),
]


@contextmanager
def kept(sheet: UploadFile, photos: UploadFile | None) -> Iterator[Upload]:
    """Write uploads to files that only this process reads, for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="yinzheng-upload-") as name:
        folder = Path(name)
        # Of the sender's name only a known ending is taken: intake holds it against the bytes.
        ending = PurePosixPath((sheet.filename or "").lower()).suffix
        target = folder / f"sheet{ending if ending in _ENDINGS else ''}"
        _write(sheet, target)
        archive = None
        if photos is not None and (photos.filename or photos.size):
            archive = folder / "photos.zip"
            _write(photos, archive)
        yield Upload(folder, target, archive)


def _write(upload: UploadFile, target: Path) -> None:
    upload.file.seek(0)
    with target.open("xb") as file:
        shutil.copyfileobj(upload.file, file)
