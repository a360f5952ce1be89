"""``archive``: long-term evidence for what was issued: which profile, how it stands, append and renew it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from credential.errors import InputError
from credential.profile import SignatureProfile
from credential.trust import Role, TrustList
from issuer.office import BEIJING
from registry.issuers import set_signature_profile
from service.cli.amended import show_amended
from service.cli.keys import warn_without_lists
from service.cli.language import say, sentence
from service.cli.opening import house_of
from service.cli.screens import console, plain, progress_bar, table
from service.house import House
from service.profiles import MARGIN, NoTimestampAuthority
from service.trust import amend_trust_list

if TYPE_CHECKING:
    from service.archiving import ArchiveStatus, Renewed

archive_app = typer.Typer(help=say("长期保存: 时间戳与存证", "long-term signatures"), no_args_is_help=True)

Days = Annotated[
    int,
    typer.Option(
        min=0, help=say("存证到期前多少天开始续期", "days before the end of its evidence that a file is renewed")
    ),
]


class NoCertificate(InputError):
    """A file that should hold a certificate does not."""

    code = "no-certificate-in-file"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} holds no certificate; give that of the time-stamping authority's CA, PEM or DER",
            f"{path} 不含证书; 请提供时间戳机构的 CA 证书(PEM 或 DER)",
        )


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    archive_app.command("status", help=say("各等级的文件数, 及待续期的数量", "how many files have which profile"))(
        archive_show
    )
    archive_app.command(
        "renew", help=say("追加或续期长期保存凭据, 可随时中断后重新运行", "append and renew evidence; may be stopped")
    )(archive_renew)
    archive_app.command("profile", help=say("设置发证机构的签名等级", "say how an issuer's certificates are signed"))(
        archive_profile
    )
    archive_app.command(
        "trust-tsa", help=say("将时间戳机构的证书加入信任列表", "put a time-stamping authority into the trust list")
    )(archive_trust_tsa)
    app.add_typer(archive_app, name="archive")


def archive_show(context: typer.Context, days: Days = MARGIN.days) -> None:
    """Say how the issued files stand."""
    from service.archiving import archive_status  # noqa: PLC0415 - heavy, and every command imports this file

    status = archive_status(house_of(context), margin=timedelta(days=days))
    if not status.counts:
        console.print(say("尚未签发任何证书", "nothing is issued yet"))
        return
    _show_counts(status)
    due = sum(map(status.due, status.counts))
    if due:
        console.print(
            say(
                f"[yellow]有 {due:,} 份待处理: yinzheng archive renew[/]",
                f"[yellow]{due:,} files are due: yinzheng archive renew[/]",
            )
        )
    else:
        console.print(say("[green]全部文件都已具备所需的凭据[/]", "[green]every file has what its issuer wants[/]"))


def _show_counts(status: "ArchiveStatus") -> None:
    shown = table(
        say("已签发文件的签名等级", "profiles of the issued files"),
        say("发证机构", "issuer"),
        say("要求", "wanted"),
        say("现有", "has"),
        say("文件数", "files"),
        say("待处理", "due"),
        say("最早到期", "first end"),
    )
    for one in status.counts:
        end = "-" if one.first_end is None else one.first_end.astimezone(BEIJING).date().isoformat()
        wanted = status.wanted[one.issuer_id]
        shown.add_row(plain(one.issuer_id), wanted, one.profile, f"{one.files:,}", f"{status.due(one):,}", end)
    console.print(shown)


def archive_renew(context: typer.Context, days: Days = MARGIN.days) -> None:
    """Append what is missing, and renew what will end; exit code 1 when something has to wait."""
    from service.archiving import archive_status, renew_archive  # noqa: PLC0415 - heavy, as above

    house, margin = house_of(context), timedelta(days=days)
    with progress_bar(say("追加凭据", "extending"), archive_status(house, margin=margin).files) as update:
        done = renew_archive(house, margin=margin, on_progress=update)
    _show_renewed(done)
    if done.waiting:
        raise typer.Exit(1)


def _show_renewed(done: "Renewed") -> None:
    console.print(
        say(
            f"已追加 {done.extended:,} 份, 无需处理 {done.current:,} 份",
            f"{done.extended:,} files extended, {done.current:,} need nothing",
        )
    )
    for listed in done.listed:
        console.print(
            say(
                f"[yellow]吊销列表载明 {plain(listed.subject)} 已于 {listed.since:%Y-%m-%d %H:%M} UTC 吊销; "
                "以上文件的时间戳早于吊销, 仍然有效, 但该证书不得再用于签名[/]",
                f"[yellow]the revocation list names {plain(listed.subject)} as revoked since "
                f"{listed.since:%Y-%m-%d %H:%M} UTC; the files above were stamped before and stay good, but nothing "
                "may be signed with it any more[/]",
            )
        )
    for one in done.waiting:
        console.print(
            say(
                f"[yellow]批次 {one.batch_id} 第 {one.number} 块({one.files:,} 份)须稍后再试:[/] "
                f"{plain(sentence(one.error))}",
                f"[yellow]batch {one.batch_id} chunk {one.number} ({one.files:,} files) has to wait:[/] "
                f"{plain(sentence(one.error))}",
            )
        )


def archive_profile(
    context: typer.Context,
    issuer: Annotated[str, typer.Argument(help=say("发证机构代号", "id of the issuer"))],
    profile: Annotated[SignatureProfile, typer.Argument(help=say("签名等级", "PAdES baseline level"))],
) -> None:
    """Set the profile of what an issuer issues from now on; what waits for printing has to be approved anew."""
    house = house_of(context)
    if profile.is_stamped and house.timestamps is None:
        raise NoTimestampAuthority(profile)
    with house.database.transaction() as session:
        set_signature_profile(session, issuer, profile)
    if profile.has_evidence:
        warn_without_lists(house.store.entry(Role.PDF, issuer).chain)
    console.print(
        say(
            f"{plain(issuer)} 今后按 {profile} 签名; 已复核未制证的批次须重新提交复核",
            f"{plain(issuer)} signs at {profile} from now on; batches approved and not yet printed must be approved "
            "anew",
        )
    )


def archive_trust_tsa(
    context: typer.Context,
    certificate: Annotated[
        Path, typer.Argument(help=say("CA 证书文件(PEM 或 DER)", "certificate of its CA, PEM or DER"))
    ],
) -> None:
    """Put the certificate of a time-stamping authority, or of its CA, into the trust list."""
    added = _read_certificate(certificate)
    house: House = house_of(context)

    def add(trust: TrustList) -> TrustList:
        return replace(trust, tsa_certs=tuple(dict.fromkeys([*trust.tsa_certs, added])))

    name = x509.load_der_x509_certificate(added).subject.rfc4514_string()
    show_amended(amend_trust_list(house, add, why=f"time-stamping authority added: {name}"))


def _read_certificate(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        is_pem = content.lstrip().startswith(b"-----")
        loaded = x509.load_pem_x509_certificate(content) if is_pem else x509.load_der_x509_certificate(content)
    except (OSError, ValueError, x509.InvalidVersion) as error:
        raise NoCertificate(path) from error
    return loaded.public_bytes(Encoding.DER)
