"""``evidence``: the file that proves, to somebody who cannot ask, that a certificate is older than a theft."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.language import say
from service.cli.opening import house_of
from service.cli.screens import console, plain
from service.evidence import evidence_of


def add_to(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        "evidence",
        help=say(
            "导出一份证书的证据文件: 供离线核验方在签名密钥泄露之后证明该证书更早",
            "write a certificate's evidence file, which proves offline that it is older than the theft of a key",
        ),
    )(evidence)


def evidence(
    context: typer.Context,
    serial: Annotated[str, typer.Argument(metavar="SERIAL", help=say("证书编号", "serial"))],
    out: Annotated[Path, typer.Option(help=say("写入此文件(不覆盖)", "write it to this file, which must not exist"))],
    version: Annotated[int | None, typer.Option(help=say("版本, 默认最新", "version; the newest"))] = None,
    *,
    with_claims: Annotated[
        bool,
        typer.Option(
            "--with-claims",
            help=say(
                "附上签名数据(含身份证号), 供只核验二维码时使用",
                "put the signed claims in (they hold the ID number), for checking a QR code alone",
            ),
        ),
    ] = False,
) -> None:
    """Write the evidence file of a certificate."""
    content = evidence_of(house_of(context), serial, version=version, with_claims=with_claims)
    with out.open("xb") as file:
        file.write(content)
    console.print(
        say(
            f"证据文件已写入 {plain(str(out))}; 请与证书一同保存和出示",
            f"the evidence is in {plain(str(out))}; keep and show it together with the certificate",
        ),
        soft_wrap=True,
    )
