"""``hand-over``: the sheet with which holders fetch their certificates."""

from pathlib import Path
from typing import Annotated

import typer

from credential.errors import InputError
from intake.handover_sheet import write_handover_csv, write_handover_workbook
from keys.private_files import FileExists, write_private
from service.batches import view
from service.cli.language import say
from service.cli.opening import house_of
from service.cli.screens import console, plain
from service.handing import hand_over

_WRITERS = {".xlsx": write_handover_workbook, ".csv": write_handover_csv}


class UnknownSheetKind(InputError):
    """The name of the sheet ends in neither of the two kinds."""

    code = "unknown-sheet-kind"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path.name} is neither .xlsx nor .csv; give --out a name with one of these endings",
            f"{path.name} 的扩展名不是 .xlsx 或 .csv; 请更换 --out 的文件名",
        )
        self.path = path


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(
        "hand-over",
        help=say(
            "为一批证书生成领取码并写成领取单(仅列出一次; 再次执行则旧码作废)",
            "make claim codes for a batch and write them as a sheet, shown once; running it again ends the old codes",
        ),
    )(write_sheet)


def write_sheet(
    context: typer.Context,
    batch: Annotated[int, typer.Argument(metavar="BATCH", help=say("批次号", "number of the batch"))],
    person: Annotated[str, typer.Option("--as", help=say("经办人代号", "ID of the person who hands over"))],
    out: Annotated[
        Path, typer.Option(help=say("领取单文件, .xlsx 或 .csv, 不可已存在", "the sheet, .xlsx or .csv; must be new"))
    ],
) -> None:
    """Make the codes only when the sheet can be written; nothing is kept of them but digests."""
    writer = _WRITERS.get(out.suffix.lower())
    if writer is None:
        raise UnknownSheetKind(out)
    if out.exists() or out.is_symlink():
        raise FileExists(out)
    if not out.absolute().parent.is_dir():
        raise FileNotFoundError(2, "no such folder", str(out.absolute().parent))
    house = house_of(context)
    lines = hand_over(house, batch, person)
    write_private(out, writer(lines))
    console.print(
        say(
            f"已为 {len(lines)} 份证书生成领取码, 写入 {plain(str(out))}(权限 600)。领取码仅此一次列出。",
            f"claim codes for {len(lines)} certificates are in {plain(str(out))} (mode 600); they are shown this once",
        )
    )
    left_out = view(house, batch).rows - len(lines)
    if left_out:
        console.print(
            say(
                f"另有 {left_out} 行没有领取码: 未出证, 或证书已撤销、暂扣、被替换、已删除个人信息; 逐行见 "
                f"yinzheng batch show {batch}",
                f"{left_out} rows have no code: not issued, revoked, suspended, replaced or erased; row by row: "
                f"yinzheng batch show {batch}",
            )
        )
