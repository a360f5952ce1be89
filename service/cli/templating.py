"""``template``: list and check templates, look at their samples, make one of a designer's PDF."""

from pathlib import Path
from typing import Annotated

import typer

from credential.errors import InputError
from press.fonts import MissingGlyph
from press.inspection import check_template
from press.layout import Overflow
from press.samples import load_samples, preview, preview_svg
from press.strict_table import BadTemplate
from press.template_file import load_template
from registry.database import open_database
from registry.templates import count_credentials, list_versions
from service.checking import font_library
from service.cli.language import say
from service.cli.opening import settings_of
from service.cli.screens import console, pairs, plain, table
from service.folder import DataFolder
from service.settings import Settings
from service.template_import import import_template
from service.templates import template_folder, template_names

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
    template_app.command(
        "list", help=say("列出模板及其版本和出证数量", "list the templates, their versions and how many certificates")
    )(template_list)
    template_app.command("check", help=say("检查模板并试排所有样例", "check a template and print all its samples"))(
        template_check
    )
    template_app.command("preview", help=say("把样例画成图片", "draw the samples as pictures"))(template_preview)
    template_app.command("import", help=say("由设计师的 PDF 建立模板", "make a template of a designer's PDF"))(
        template_import
    )
    app.add_typer(template_app, name="template")


def template_list(context: typer.Context) -> None:
    """List bundled and own templates; with an installation, their versions and certificates too."""
    settings = settings_of(context)
    folder = DataFolder(settings.data)
    shown = table(
        say("证书模板", "certificate templates"),
        say("名称", "name"),
        say("版本", "version"),
        say("证书种类", "kind"),
        say("证书数", "certificates"),
        say("首次使用", "first used"),
        say("摘要或目录", "digest or folder"),
    )
    for name in template_names(folder.templates):
        place = template_folder(folder.templates, name)
        kind = load_template(place).schema.kind
        shown.add_row(name, say("当前", "today"), kind, "", "", plain(str(place)))
    if folder.exists():
        with open_database(folder.database_url).reading() as session:
            versions, counts = list_versions(session), count_credentials(session)
        for one in versions:
            cells = (str(one.number), one.kind, str(counts.get(one.digest, 0)))
            shown.add_row(one.name, *cells, f"{one.created_at:%Y-%m-%d}", one.digest.hex()[:16])
    console.print(shown)


def template_import(
    context: typer.Context,
    pdf: Annotated[Path, typer.Argument(metavar="PDF", help=say("一页的 PDF 底图", "the page, one PDF page"))],
    name: Annotated[str, typer.Option(help=say("新模板的名称", "name of the new template"))],
    like: Annotated[
        str, typer.Option(help=say("以哪个模板的字段和版位为起点", "template whose fields and boxes to begin with"))
    ] = "training",
    out: Annotated[Path, typer.Option(help=say("图片目录", "folder for the pictures"))] = Path(),
) -> None:
    """Make a template folder of a PDF, then check it and draw its samples with the boxes outlined."""
    settings = settings_of(context)
    made = import_template(pdf, name=name, like=like, folder=DataFolder(settings.data).templates)
    facts = made.facts
    console.print(
        pairs(
            say("已导入底图", "imported"),
            {
                say("模板目录", "template folder"): plain(str(made.folder)),
                say("页面", "page"): f"{facts.width:.1f} x {facts.height:.1f} mm",
                say("嵌入字体", "embedded fonts"): plain(", ".join(facts.fonts) or "-"),
                say("图片", "pictures"): str(facts.pictures),
            },
        )
    )
    if facts.fonts:
        console.print(
            say(
                "底图中的文字按装饰处理, 读屏软件不会朗读; 需要朗读的文字请写入 template.toml",
                "words in the artwork count as decoration and are not read aloud; "
                "words that matter belong into template.toml",
            )
        )
    console.print(say("请编辑 template.toml 中的版位", "next: edit the boxes in template.toml"))
    _draw(settings, made.folder, out, boxes=True)
    template_check(context, made.folder)


def template_check(context: typer.Context, folder: FolderArgument) -> None:
    """Check a template; exit code 1 when something is wrong."""
    report = check_template(_folder(context, folder), font_library(settings_of(context)))
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
    template = load_template(_folder(context, folder))
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


def _draw(settings: Settings, folder: Path, out: Path, *, boxes: bool) -> None:
    """Draw what can be drawn; what cannot is told by the check."""
    try:
        template = load_template(folder)
    except BadTemplate:
        return
    out.mkdir(parents=True, exist_ok=True)
    fonts = font_library(settings)
    for name in load_samples(template)[1]:
        target = out / f"{folder.name}-{name}.png"
        try:
            target.write_bytes(preview(template, fonts, name, boxes=boxes))
        except (BadTemplate, Overflow, MissingGlyph):
            continue
        console.print(str(target))


def _folder(context: typer.Context, given: Path) -> Path:
    if given.is_dir():
        return given
    folder = DataFolder(settings_of(context).data).templates
    known = template_names(folder)
    if str(given) not in known:
        raise NoTemplate(given, list(known))
    return template_folder(folder, str(given))
