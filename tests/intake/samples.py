"""Rows, workbooks and portraits made on the spot; every person in them is invented."""

import random
import tomllib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from credential.errors import InputError
from credential.schema import RecordSchema, parse_schema

TEMPLATE = Path(__file__).resolve().parents[2] / "templates/certificate/professional-title"
TODAY = date(2026, 11, 22)
REVIEW = [
    "姓名",
    "性别",
    "身份证号",
    "系列名称",
    "专业名称",
    "资格名称",
    "级别",
    "评审组织",
    "批准文号",
    "取得资格时间",
    "取得方式",
]
EXCHANGE = [
    "姓名", "身份证号", "系列名称", "资格名称", "专业名称", "发证时间", "发证单位", "职称任职文件", "证书编号", "备注",
]  # fmt: skip
Row = Mapping[str, Any]


def id_number(sequence: int, *, birth: str = "19800101", region: str = "330299") -> str:
    """A number with a right check digit that belongs to nobody."""
    body = f"{region}{birth}{sequence:03}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(weight * int(digit) for weight, digit in zip(weights, body, strict=True))
    return body + "10X98765432"[total % 11]


def review_row(sequence: int = 1, **changes: Any) -> dict[str, Any]:
    """A row of the review sheet that is right in every cell, with some cells changed."""
    return {
        "姓名": "张喆堃",
        "性别": "男" if sequence % 2 else "女",
        "身份证号": id_number(sequence),
        "系列名称": "工程技术人员",
        "专业名称": "机械工程",
        "资格名称": "高级工程师",
        "级别": "副高级",
        "评审组织": "示例市工程技术高级工程师评审委员会",
        "批准文号": "示人社发〔2026〕18号",
        "取得资格时间": "2026-06-30",
        "取得方式": "评审",
        **changes,
    }


def exchange_row(sequence: int = 1, **changes: Any) -> dict[str, Any]:
    """The same for the exchange sheet."""
    return {
        "姓名": "李䶮𣲵",
        "身份证号": id_number(sequence),
        "系列名称": "工程系列",
        "资格名称": "高级工程师",
        "专业名称": "机械工程",
        "发证时间": "2018.12.12",
        "发证单位": "示例自治区人事厅",
        "职称任职文件": "示人发〔2018〕2号",
        "证书编号": f"示G{sequence:06}",
        "备注": "",
        **changes,
    }


def full_schema() -> RecordSchema:
    record = tomllib.loads((TEMPLATE / "record.toml").read_text(encoding="utf-8"))
    return parse_schema(record, tomllib.loads((TEMPLATE / "titles.toml").read_text(encoding="utf-8")))


def refusal_of(call: Callable[[], object]) -> InputError | None:
    """The input error that a call ends in; any other exception goes through."""
    try:
        call()
    except InputError as error:
        return error
    return None


def sheet_of(rows: Sequence[Row]) -> list[list[Any]]:
    """Header and cells of rows."""
    return [list(rows[0]), *(list(row.values()) for row in rows)]


def rezip(path: Path, changes: Mapping[str, bytes | None]) -> Path:
    """Replace, add or (None) remove parts of a workbook."""
    with zipfile.ZipFile(path) as archive:
        parts: dict[str, bytes | None] = {name: archive.read(name) for name in archive.namelist()}
    parts.update(changes)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            if part is not None:
                archive.writestr(name, part)
    return path


def portrait(width: int = 295, height: int = 413, *, background: str = "white", seed: int = 1) -> Image.Image:
    """A drawn head and shoulders with grain, so that its JPEG is larger than 30K."""
    picture = Image.new("RGB", (width, height), background)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((width * 0.3, height * 0.15, width * 0.7, height * 0.6), fill="#d8b59a")
    draw.ellipse((width * 0.1, height * 0.65, width * 0.9, height * 1.4), fill="#27406b")
    grain = random.Random(seed)  # noqa: S311 - grain of a test picture
    size = (width // 2, height // 2)
    noise = Image.frombytes("L", size, grain.randbytes(size[0] * size[1]))
    picture.paste(noise, (width // 4, height // 2))
    return picture


def jpeg_bytes(picture: Image.Image, **options: Any) -> bytes:
    """Write a JPEG at a size within the rule."""
    written = BytesIO()
    picture.save(written, "JPEG", **{"quality": 95, **options})
    return written.getvalue()
