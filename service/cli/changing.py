"""``revoke``: what happens to a certificate after it was issued."""

from datetime import date
from typing import Annotated

import typer

from credential.errors import InputError
from credential.model import REASON_NAMES, RevocationReason
from service.changes import revoke_credential
from service.cli.language import say
from service.cli.opening import house_of
from service.cli.screens import console, pairs, plain


class BadDay(InputError):
    """An option that must be a whole date is none."""

    code = "bad-day"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is not a date; write it as 2026-03-05", f"“{text}”不是日期, 请写成 2026-03-05 的形式"
        )
        self.text = text


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("revoke", help=say("撤销一份证书(须两人)", "revoke a certificate; takes two persons"))(revoke)


def revoke(
    context: typer.Context,
    serial: Annotated[str, typer.Argument(metavar="SERIAL", help=say("证书编号", "serial of the certificate"))],
    reason: Annotated[
        RevocationReason,
        typer.Option(
            help=say("原因: ", "reason: ")
            + ", ".join(f"{code.value} {say(*names)}" for code, names in REASON_NAMES.items())
        ),
    ],
    decision: Annotated[str, typer.Option(help=say("决定文号", "number of the decision document"))],
    maker: Annotated[str, typer.Option("--as", help=say("经办人代号", "ID of the person who proposes it"))],
    approve_as: Annotated[str, typer.Option(help=say("审核人代号(须为另一人)", "ID of the second person"))],
    issuer: Annotated[
        str | None, typer.Option(help=say("发证机构代号(编号重复时需要)", "ID of the issuer, where serials repeat"))
    ] = None,
    effective: Annotated[
        str | None, typer.Option(help=say("生效日期, 默认今天", "day it takes effect; today by default"))
    ] = None,
    ban_from: Annotated[
        str | None, typer.Option(help=say("限制申报起始日, 如 2027-01-01", "first day of the ban, as 2027-01-01"))
    ] = None,
    ban_until: Annotated[str | None, typer.Option(help=say("限制申报截止日", "last day of the ban"))] = None,
    ban_basis: Annotated[str | None, typer.Option(help=say("限制申报的依据文件", "document the ban rests on"))] = None,
) -> None:
    """Revoke a certificate; every way of checking shows it at once."""
    done = revoke_credential(
        house_of(context),
        serial,
        issuer=issuer,
        reason=reason,
        decision=decision,
        maker=maker,
        checker=approve_as,
        effective_on=day_of(effective),
        ban_from=day_of(ban_from),
        ban_until=day_of(ban_until),
        ban_basis=ban_basis,
    )
    rows = {
        say("证书编号", "serial"): plain(done.serial),
        say("状态", "state"): say(f"{done.state} 撤销" if done.state == "03" else f"{done.state} 吊销", done.state),
        say("原因", "reason"): say(*REASON_NAMES[reason]),
        say("决定文号", "decision"): plain(decision),
        say("生效", "effective"): done.effective_on.isoformat(),
    }
    if done.ban is not None:
        rows[say("限制申报", "ban")] = (
            f"{done.ban.start} — {done.ban.until} ({done.ban.scope}; {plain(done.ban.basis)})"
        )
    console.print(pairs(say("证书已撤销", "certificate revoked"), rows))


def day_of(text: str | None) -> date | None:
    """Read an option that is a whole date.

    Raises:
        BadDay: it is none.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadDay(text) from error
