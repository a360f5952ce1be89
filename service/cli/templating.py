"""``template``: check a template folder, look at its samples."""

from pathlib import Path
from typing import Annotated

import typer

from credential.errors import InputError
from press.inspection import check_template
from press.samples import load_samples, preview, preview_svg
from press.template_file import load_template
from service.checking import font_library
from service.cli.language import say
from service.cli.opening import settings_of
from service.cli.screens import console, pairs, table
from templates import certificate_folder, certificate_names

template_app = typer.Typer(help=say("证书模板", "certificate templates"), no_args_is_help=True)

FolderArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DIR", help=say("模板目录, 或自带模板的名称", "template folder, or the name of a bundled one")
    ),
]


class NoTemplate(InputError):
    """There is no such folder, and no bundled template of that name."""

    code = "no-template"

    def __init__(self, given: Path, known: list[str]) -> None:
        listed = ", ".join(known)
        super().__init__(
            f"{given} is no folder and no bundled template; bundled are {listed}",
            f"{given} 不是目录, 也不是自带模板; 自带模板有 {listed}",
        )
        self.given = given


class UnknownSample(InputError):
    """The template has no sample of this name."""

    code = "unknown-sample"

    def __init__(self, name: str, known: list[str]) -> None:
        listed = ", ".join(known)
        super().__init__(
            f"there is no sample {name!r}; the template has {listed}", f"没有样例“{name}”; 该模板的样例有 {listed}"
        )
        self.name = name


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    template_app.command("list", help=say("列出自带模板", "list the bundled templates"))(template_list)
    template_app.command("check", help=say("检查模板并试排所有样例", "check a template and print all its samples"))(
        template_check
    )
    template_app.command("preview", help=say("把样例画成图片", "draw the samples as pictures"))(template_preview)
    app.add_typer(template_app, name="template")


def template_list() -> None:
    """List the bundled templates."""
    for name in certificate_names():
        console.print(f"{name}  {certificate_folder(name)}")


def template_check(context: typer.Context, folder: FolderArgument) -> None:
    """Check a template; exit code 1 when something is wrong."""
    report = check_template(_folder(folder), font_library(settings_of(context)))
    console.print(
        pairs(
            say("模板检查", "template check"),
            {
                say("样例", "samples"): ", ".join(report.samples) or "-",
                say("二维码容量", "QR budget"): say(f"{report.qr_budget} 字节", f"{report.qr_budget} bytes"),
                say("公共部分", "prefix"): " / ".join(f"{size:,} B" for size in report.prefix_bytes),
                say("每证部分(不含照片)", "tail, photo apart"): f"≤ {report.tail_bytes:,} B",
            },
        )
    )
    if not report.findings:
        console.print(say("[green]没有发现问题[/]", "[green]nothing wrong was found[/]"))
        return
    shown = table(
        say("发现的问题", "what is wrong"), say("样例", "sample"), say("条款", "clause"), say("问题", "finding")
    )
    for one in report.findings:
        shown.add_row(one.sample, one.clause, say(one.zh, one.en))
    console.print(shown)
    raise typer.Exit(1)


def template_preview(
    context: typer.Context,
    folder: FolderArgument,
    sample: Annotated[
        str | None, typer.Option(help=say("样例名, 默认全部", "name of a sample; all by default"))
    ] = None,
    out: Annotated[Path, typer.Option(help=say("图片目录", "folder for the pictures"))] = Path(),
    *,
    svg: Annotated[bool, typer.Option("--svg/--png", help=say("图片格式", "format of the pictures"))] = False,
    boxes: Annotated[
        bool, typer.Option("--boxes", help=say("画出版面框线", "outline the boxes of the layout"))
    ] = False,
) -> None:
    """Draw samples as PNG or SVG files."""
    template = load_template(_folder(folder))
    fonts = font_library(settings_of(context))
    known = list(load_samples(template)[1])
    if sample is not None and sample not in known:
        raise UnknownSample(sample, known)
    out.mkdir(parents=True, exist_ok=True)
    for name in [sample] if sample else known:
        target = out / f"{template.folder.name}-{name}.{'svg' if svg else 'png'}"
        if svg:
            target.write_text(preview_svg(template, fonts, name, boxes=boxes), encoding="utf-8")
        else:
            target.write_bytes(preview(template, fonts, name, boxes=boxes))
        console.print(str(target))


def _folder(given: Path) -> Path:
    if given.is_dir():
        return given
    if str(given) not in certificate_names():
        raise NoTemplate(given, list(certificate_names()))
    return certificate_folder(str(given))
