"""``template``: list and check templates, look at their samples, make one of a designer's PDF."""

from pathlib import Path
from typing import Annotated

import typer

from credential.errors import Error, InputError
from credential.qr import QrTooSmall
from credential.schema import BadSchema
from press.fonts import MissingGlyph
from press.inspection import TemplateReport, check_template
from press.layout import Overflow
from press.samples import load_samples, preview, preview_svg
from press.strict_table import BadTemplate
from press.template_file import load_template
from registry.database import open_database
from registry.templates import count_credentials, list_versions
from service.checking import cache_folder, font_library
from service.cli.language import say, sentence
from service.cli.opening import settings_of
from service.cli.screens import console, pairs, plain, table
from service.folder import DataFolder
from service.settings import Settings
from service.template_import import import_template
from service.templates import listed_templates, template_folder, template_names
from templates import certificate_folder, certificate_names

template_app = typer.Typer(help=say("证书模板", "certificate templates"), no_args_is_help=True)

FolderArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DIR", help=say("模板目录, 或自带模板的名称", "template folder, or the name of a bundled one")
    ),
]


OutOption = Annotated[
    Path | None,
    typer.Option(
        help=say("图片目录(默认模板目录下的 preview)", "folder for the pictures (default: preview in the template's)")
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
    broken = []
    for one in listed_templates(folder.templates):
        state = say("当前", "today") if one.trouble is None else say("[bold red]不可用[/]", "[bold red]broken[/]")
        shown.add_row(plain(one.name), state, one.kind, "", "", plain(str(one.folder)))
        if one.trouble is not None:
            broken.append((one, one.trouble))
    if folder.exists():
        with open_database(folder.database_url).reading() as session:
            versions, counts = list_versions(session), count_credentials(session)
        for kept in versions:
            cells = (str(kept.number), kept.kind, str(counts.get(kept.digest, 0)))
            shown.add_row(kept.name, *cells, f"{kept.created_at:%Y-%m-%d}", kept.digest.hex()[:16])
    console.print(shown)
    for one, trouble in broken:
        why = sentence(trouble) if isinstance(trouble, Error) else str(trouble)
        console.print(
            say(
                f"[bold red]模板 {plain(one.name)} 不可用:[/] {plain(why)}",
                f"[bold red]the template {plain(one.name)} is broken:[/] {plain(why)}",
            ),
            soft_wrap=True,
        )


def template_import(
    context: typer.Context,
    pdf: Annotated[Path, typer.Argument(metavar="PDF", help=say("一页的 PDF 底图", "the page, one PDF page"))],
    name: Annotated[str, typer.Option(help=say("新模板的名称", "name of the new template"))],
    like: Annotated[
        str, typer.Option(help=say("以哪个模板的字段和版位为起点", "template whose fields and boxes to begin with"))
    ] = "training",
    out: OutOption = None,
) -> None:
    """Make a template folder of a PDF, then check it and draw its samples with the boxes outlined.

    What the check finds is what is left to edit, so it is no failure of the import.
    """
    settings = settings_of(context)
    made = import_template(pdf, name=name, like=like, folder=DataFolder(settings.data).templates)
    facts = made.facts
    console.print(
        pairs(
            say("已导入底图", "imported"),
            {
                say("模板目录", "template folder"): plain(str(made.folder.absolute())),
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
    _draw(settings, made.folder, out or _pictures(settings, made.folder), boxes=True)
    _show_check(check_template(made.folder, font_library(settings)))
    layout, again = plain(str(made.folder.absolute() / "template.toml")), f"yinzheng template check {name}"
    console.print(
        say(
            f"模板目录已保留。下一步: 编辑 {layout} 中的版位(box)和字号, 再运行: {again}",
            f"the folder is kept; next: edit the boxes and sizes in {layout}, then run: {again}",
        ),
        soft_wrap=True,
    )


def template_check(context: typer.Context, folder: FolderArgument) -> None:
    """Check a template; exit code 1 when something is wrong."""
    report = check_template(_folder(context, folder), font_library(settings_of(context)))
    _show_check(report)
    if report.findings:
        raise typer.Exit(1)


def _show_check(report: TemplateReport) -> None:
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
        shown.add_row(plain(one.sample), plain(one.clause), plain(say(one.zh, one.en)))
    console.print(shown)


def template_preview(
    context: typer.Context,
    folder: FolderArgument,
    sample: Annotated[
        str | None, typer.Option(help=say("样例名, 默认全部", "name of a sample; all by default"))
    ] = None,
    out: OutOption = None,
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
    folder_out = out or _pictures(settings_of(context), template.folder)
    folder_out.mkdir(parents=True, exist_ok=True)
    for name in [sample] if sample else known:
        target = folder_out / f"{template.folder.name}-{name}.{'svg' if svg else 'png'}"
        if svg:
            target.write_text(preview_svg(template, fonts, name, boxes=boxes), encoding="utf-8")
        else:
            target.write_bytes(preview(template, fonts, name, boxes=boxes))
        console.print(plain(str(target.absolute())), soft_wrap=True)


def _pictures(settings: Settings, folder: Path) -> Path:
    """Where pictures go by default: beside the samples, or in the cache for a bundled template, which is not ours."""
    if folder.parent == certificate_folder(certificate_names()[0]).parent:
        return cache_folder(settings) / "preview" / folder.name
    return folder / "preview"


def _draw(settings: Settings, folder: Path, out: Path, *, boxes: bool) -> None:
    """Draw what can be drawn; what cannot is told by the check."""
    try:
        template = load_template(folder)
        samples = load_samples(template)[1]
    except (BadTemplate, BadSchema):
        return
    out.mkdir(parents=True, exist_ok=True)
    fonts = font_library(settings)
    for name in samples:
        target = out / f"{folder.name}-{name}.png"
        try:
            target.write_bytes(preview(template, fonts, name, boxes=boxes))
        except (BadTemplate, Overflow, MissingGlyph, QrTooSmall):
            continue
        console.print(plain(str(target.absolute())), soft_wrap=True)


def _folder(context: typer.Context, given: Path) -> Path:
    if given.is_dir():
        return given
    folder = DataFolder(settings_of(context).data).templates
    known = template_names(folder)
    if str(given) not in known:
        raise NoTemplate(given, list(known))
    return template_folder(folder, str(given))
