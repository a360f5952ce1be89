"""``token``: who may call the API, with what rights, for how long."""

from typing import Annotated

import typer

from issuer.api.callers import Scope
from issuer.office import BEIJING
from registry.tokens import ApiToken
from service.cli.language import say
from service.cli.opening import house_of
from service.cli.screens import console, pairs, plain, table
from service.tokens import MAX_DAYS, all_tokens, create_token, revoke

token_app = typer.Typer(help=say("接口令牌", "tokens of the API"), no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    token_app.command("create", help=say("创建令牌, 只显示一次", "make a token; it is shown once"))(token_create)
    token_app.command("list", help=say("列出令牌(不含密文)", "list the tokens, without their secrets"))(token_list)
    token_app.command("revoke", help=say("吊销令牌, 不可恢复", "revoke a token, for good"))(token_revoke)
    app.add_typer(token_app, name="token")


def token_create(
    context: typer.Context,
    person: Annotated[str, typer.Option(help=say("人员代号", "ID of the person it acts for"))],
    scope: Annotated[
        list[Scope],
        typer.Option(
            help=say(
                "权限, 可重复给出: read 查询, submit 提交, approve 复核, change 变更, hand-over 发放领取码",
                "what it may do; give it once for each",
            )
        ),
    ],
    days: Annotated[int, typer.Option(min=1, max=MAX_DAYS, help=say("有效天数", "days until it expires"))] = 90,
    label: Annotated[str, typer.Option(help=say("用途说明", "what it is for"))] = "",
) -> None:
    """Make a token for a person; what is printed cannot be shown again."""
    text, token = create_token(house_of(context), person, scopes=[one.value for one in scope], days=days, label=label)
    console.print(
        pairs(
            say(
                "令牌已创建, 只显示这一次, 请立即妥善保存", "the token is made; it is shown this once, keep it safe now"
            ),
            {
                "ID": token.id,
                say("机构", "issuer"): token.issuer_id,
                say("人员", "person"): token.person_id,
                say("权限", "scopes"): " ".join(token.scopes),
                say("有效期至", "expires"): _day(token),
            },
        )
    )
    # On a line of its own and never wrapped, so that it can be copied or read by a script.
    typer.echo(text)


def token_list(context: typer.Context) -> None:
    """List the tokens, newest first."""
    house = house_of(context)
    now = house.now()
    shown = table(
        say("令牌", "tokens"),
        "ID",
        say("机构", "issuer"),
        say("人员", "person"),
        say("权限", "scopes"),
        say("有效期至", "expires"),
        say("状态", "state"),
        say("用途", "for"),
    )
    for one in all_tokens(house):
        if one.revoked_at is not None:
            state = say("已吊销", "revoked")
        else:
            state = say("有效", "good") if one.is_good(now) else say("已过期", "expired")
        shown.add_row(one.id, one.issuer_id, one.person_id, " ".join(one.scopes), _day(one), state, plain(one.label))
    console.print(shown)


def token_revoke(
    context: typer.Context,
    token: Annotated[str, typer.Argument(metavar="ID", help=say("令牌 ID, 见 token list", "its ID, as listed"))],
) -> None:
    """Revoke a token for good; the next request with it is refused."""
    revoked = revoke(house_of(context), token)
    console.print(say(f"令牌 {revoked.id} 已吊销", f"the token {revoked.id} is revoked"))


def _day(token: ApiToken) -> str:
    return f"{token.expires_at.astimezone(BEIJING):%Y-%m-%d}"
