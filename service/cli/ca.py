"""``ca``: the installation's own certificate authority, what it issued, and what of it is revoked."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from credential.errors import InputError
from service.cli.language import say
from service.cli.opening import house_of
from service.cli.screens import console, plain, table
from service.crl import REASONS, issued_certs, publish_crls, revoke_signing_cert

_BASE = 16  # serial numbers of certificates are shown as openssl shows them


class BadCertNumber(InputError):
    """A certificate's number, day or reason cannot be read."""

    code = "bad-cert-number"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is not what is asked for: a number as `yinzheng ca show` prints it, a day as 2026-07-08, a "
            f"reason of {', '.join(REASONS)}",
            f"“{text}”无效: 证书序列号请照 yinzheng ca show 所列填写, 日期如 2026-07-08, "
            f"原因须为 {', '.join(REASONS)} 之一",
        )


ca_app = typer.Typer(help=say("自建的开发用 CA", "the installation's own CA, for trials"), no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    ca_app.command("show", help=say("列出它签发的证书", "list the certificates that it issued"))(ca_show)
    ca_app.command("revoke", help=say("吊销签名证书, 立即发布吊销列表", "revoke a certificate"))(ca_revoke)
    ca_app.command("refresh", help=say("重新发布吊销列表", "publish the revocation lists anew"))(ca_refresh)
    app.add_typer(ca_app, name="ca")


def ca_show(context: typer.Context) -> None:
    """List the certificates of the own CA."""
    shown = table(
        say("自建 CA 签发的证书", "certificates of the own CA"),
        say("密钥", "key"),
        say("证书序列号", "number"),
        say("有效至", "until"),
        say("状态", "state"),
    )
    for one in issued_certs(house_of(context)):
        state = say("有效", "good")
        if one.revoked is not None:
            since = f"{one.revoked.revoked_at:%Y-%m-%d %H:%M}"
            state = say(f"{since} 起吊销", f"revoked since {since}") + f" ({one.revoked.reason.value})"
        shown.add_row(one.name, f"{one.cert.serial_number:x}", f"{one.cert.not_valid_after_utc:%Y-%m-%d}", state)
    console.print(shown)


def ca_revoke(
    context: typer.Context,
    number: Annotated[str, typer.Argument(help=say("证书序列号(十六进制)", "number of the certificate, hexadecimal"))],
    reason: Annotated[str, typer.Option(help=say("原因: ", "why: ") + ", ".join(REASONS))],
    since: Annotated[str, typer.Option(help=say("自何日起(UTC), 默认现在", "since which day (UTC), or now"))] = "",
    cert: Annotated[
        Path | None,
        typer.Option(help=say("证书文件(密钥库中已没有它时)", "file of the certificate, if the key store lost it")),
    ] = None,
) -> None:
    """Revoke a signing certificate for good."""
    house = house_of(context)
    try:
        day = None if not since else datetime.strptime(since, "%Y-%m-%d").replace(tzinfo=UTC)
        wanted = int(number, _BASE)
    except ValueError as error:
        raise BadCertNumber(since or number) from error
    if reason not in REASONS:
        raise BadCertNumber(reason)
    content = None if cert is None else cert.read_bytes()
    made = revoke_signing_cert(house, wanted, reason, cert=content, revoked_at=day)
    shown = plain(f"{made.serial_number:x}")
    console.print(
        say(
            f"证书 {shown} 已吊销, 吊销列表已发布。本系统的核验以信任列表为准: 若密钥已泄露, 还须执行 "
            "yinzheng keys compromised",
            f"the certificate {shown} is revoked and the lists are published. Our own verifiers go by the trust list: "
            "if the key was lost, run yinzheng keys compromised as well",
        )
    )


def ca_refresh(context: typer.Context) -> None:
    """Publish the revocation lists anew."""
    made = publish_crls(house_of(context))
    console.print(say(f"已发布 {len(made)} 份吊销列表", f"{len(made)} revocation lists were published"))
