"""``init``, ``issuer``, ``person``: what is done once."""

from typing import Annotated

import typer

from credential.errors import InputError
from credential.ports import Algorithm
from service.cli.amended import show_amended
from service.cli.language import say
from service.cli.opening import house_of, settings_of
from service.cli.screens import console, pairs, plain, table
from service.folder import DataFolder
from service.house import DEFAULT_PUBLIC_URL, House, create_house
from service.issuers import NewIssuer, add_new_issuer, add_new_person, all_issuers, all_persons
from service.passphrase import DemoFolder, is_demo
from service.trust import Amended, read_content
from service.trust_drafts import waiting_draft


class TrialDefault(InputError):
    """A real issuer needs values of its own where a sample may take an example's."""

    code = "trial-default"

    def __init__(self, option: str) -> None:
        super().__init__(
            f"an issuer of real certificates needs {option}: what is printed cannot be changed later; for a trial say "
            "--sample, which prints 样本",
            f"正式发证机构必须给出 {option}, 印出后无法更改; 如只是试用, 请加 --sample(证书上印“样本”)",
        )
        self.option = option


issuer_app = typer.Typer(help=say("发证机构", "issuers"), no_args_is_help=True)
person_app = typer.Typer(help=say("经办人与审核人", "persons who submit and approve"), no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("init", help=say("新建数据目录、密钥和开发用根证书", "make the data folder, keys and development CA"))(
        init
    )
    issuer_app.command("add", help=say("登记一个发证机构, 并为它生成密钥和证书", "add an issuer with its keys"))(
        issuer_add
    )
    issuer_app.command("list", help=say("列出发证机构", "list the issuers"))(issuer_list)
    person_app.command("add", help=say("登记一名经办人或审核人", "add a person"))(person_add)
    person_app.command("list", help=say("列出人员", "list the persons"))(person_list)
    app.add_typer(issuer_app, name="issuer")
    app.add_typer(person_app, name="person")


def init(
    context: typer.Context,
    public_url: Annotated[
        str | None,
        typer.Option(
            help=say(f"核验网址, 默认 {DEFAULT_PUBLIC_URL}", f"address people check at; {DEFAULT_PUBLIC_URL}")
        ),
    ] = None,
) -> None:
    """Make a data folder (registry, keys, development CA, trust list), or bring an old one up to date."""
    settings = settings_of(context)
    if is_demo(settings):
        raise DemoFolder(settings.data)
    is_new = not DataFolder(settings.data).exists()
    house = create_house(settings, public_url=public_url)
    console.print(
        pairs(
            say("数据目录已建立", "data folder made")
            if is_new
            else say("数据目录已存在, 已更新到本版本", "the data folder was there; it is up to date now"),
            {
                say("核验网址", "address people check at"): plain(house.installation.public_url),
                say("数据目录", "data folder"): plain(str(house.folder.root)),
                say("信任列表", "trust list"): plain(str(house.folder.trust_list)),
                say("下一步", "next"): "yinzheng issuer add ID --name … --uscc … --division …",
            },
        )
    )
    console.print(
        say(
            "[yellow]这里的证书由自建的开发根证书签发, 仅供试用; 正式使用请换成认证机构签发的证书。[/]",
            "[yellow]certificates come from a development CA of your own: for trials; use those of a real CA to go "
            "live.[/]",
        )
    )


def issuer_add(
    context: typer.Context,
    issuer: Annotated[str, typer.Argument(metavar="ID", help=say("简短代号, 如 demo", "a short name, as demo"))],
    name: Annotated[str, typer.Option(help=say("证书上的机构全称", "full name, as printed"))],
    uscc: Annotated[str, typer.Option(help=say("统一社会信用代码(18 位)", "unified social credit code"))],
    division: Annotated[str, typer.Option(help=say("行政区划代码(6 位)", "division code, 6 digits"))],
    public_url: Annotated[
        str, typer.Option(help=say("核验网址, 默认与 init 时相同", "address people check at; by default that of init"))
    ] = "",
    type_code: Annotated[
        str, typer.Option(help=say("证照类型代码(21 位, GB/T 36904)", "type code of GB/T 36904, 21 characters"))
    ] = "",
    legal_effect: Annotated[
        str, typer.Option(help=say("页脚的法律效力声明", "sentence on legal effect at the foot"))
    ] = "",
    pdf_key: Annotated[Algorithm, typer.Option(help=say("签 PDF 的密钥", "key that signs PDFs"))] = Algorithm.RSA_3072,
    *,
    sample: Annotated[bool, typer.Option("--sample", help=say("印“样本”字样", "print 样本 (sample)"))] = False,
) -> None:
    """Add an issuer; its keys enter the trust list."""
    house = house_of(context)
    if not sample:
        _check_real(house, public_url, type_code)
    added = add_new_issuer(
        house,
        NewIssuer(
            id=issuer,
            name=name,
            uscc=uscc,
            division=division,
            public_url=public_url,
            type_code=type_code,
            legal_effect=legal_effect,
            pdf_algorithm=pdf_key,
            is_sample=sample,
        ),
    )
    waiting = waiting_draft(house.folder)
    if waiting is not None:
        show_amended(Amended(published=False, version=read_content(waiting.envelope).version, draft=waiting.file))
    command = f"yinzheng person add ID --name … --issuer {added.id}"
    shown = plain(added.name)
    console.print(
        say(
            f"已登记发证机构 {added.id}: {shown}; 下一步: {command}",
            f"issuer {added.id} added: {shown}; next: {command}",
        )
    )


def _check_real(house: House, public_url: str, type_code: str) -> None:
    """Refuse to make an issuer of real certificates out of the trial's defaults: what is printed stays."""
    if is_demo(house.settings):
        raise DemoFolder(house.settings.data)
    if (public_url or house.installation.public_url) == DEFAULT_PUBLIC_URL:
        raise TrialDefault("--public-url")
    if not type_code:
        raise TrialDefault("--type-code")


def issuer_list(context: typer.Context) -> None:
    """List the issuers."""
    shown = table(
        say("发证机构", "issuers"),
        "ID",
        say("名称", "name"),
        say("信用代码", "USCC"),
        say("区划", "division"),
        say("核验网址", "address"),
    )
    for one in all_issuers(house_of(context)):
        shown.add_row(one.id, plain(one.name), one.uscc, one.division, one.settings.public_url)
    console.print(shown)


def person_add(
    context: typer.Context,
    person: Annotated[str, typer.Argument(metavar="ID", help=say("简短代号, 如 zhang", "a short name, as zhang"))],
    name: Annotated[str, typer.Option(help=say("姓名", "name"))],
    issuer: Annotated[str, typer.Option(help=say("所属发证机构的代号", "ID of the issuer"))],
    *,
    same_name: Annotated[
        bool,
        typer.Option(
            "--same-name", help=say("确为同名的另一人", "somebody else of the issuer has the same name; I made sure")
        ),
    ] = False,
) -> None:
    """Add a person who may submit or approve for one issuer."""
    add_new_person(house_of(context), person, name=name, issuer=issuer, is_namesake=same_name)
    console.print(say(f"已登记 {person}: {plain(name)}", f"{person} added: {plain(name)}"))


def person_list(context: typer.Context) -> None:
    """List the persons."""
    shown = table(say("人员", "persons"), "ID", say("姓名", "name"), say("机构", "issuer"))
    for one in all_persons(house_of(context)):
        shown.add_row(one.id, plain(one.name), one.issuer_id)
    console.print(shown)
