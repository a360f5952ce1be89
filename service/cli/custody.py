"""``keys split|join``: a root key that takes several custodians to use."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from credential.cose import key_id
from credential.errors import Error, InputError
from issuer.office import BEIJING
from keys.file_signer import FileSigner, load_signer
from keys.private_files import read_passphrase
from keys.shares import Share, add_share, read_share
from service.ceremony import deal_sheets, open_by_shares, split_key
from service.cli.keeping import keys_app
from service.cli.language import say, sentence
from service.cli.opening import settings_of
from service.cli.screens import console, pairs, plain
from service.house import SystemClock
from service.roots import RootInDataFolder, fingerprint, write_public_root
from service.share_sheets import Ceremony, read_sheet

KeyFile = Annotated[
    Path, typer.Option("--key", help=say("根密钥文件(加密 PEM)", "file of the root key, encrypted PEM"))
]
Sheets = Annotated[
    list[Path] | None,
    typer.Option("--sheet", help=say("从份额页文件读取, 可多次给出", "read a share from its sheet's file; repeat it")),
]
Visible = Annotated[
    bool, typer.Option("--visible", help=say("显示所输入的单词", "show the words while they are typed"))
]


class WhereSharesGo(InputError):
    """Shares go to sheets or to the screen, one of the two."""

    code = "where-shares-go"

    def __init__(self) -> None:
        super().__init__(
            "say where the shares go: --sheets FOLDER writes one file each, --on-screen shows one after the other for "
            "copying by hand",
            "请指明份额去向: --sheets 目录(每份一个文件), 或 --on-screen(逐份显示, 由保管人手抄)",
        )


def add_to(_app: typer.Typer) -> None:
    """Add the commands of this file, which stand in the group ``keys``."""
    keys_app.command(
        "split",
        help=say(
            "将根密钥的口令拆成若干份, 交不同的人保管(SLIP-39)",
            "split a root key's passphrase among custodians (SLIP-39)",
        ),
    )(keys_split)
    keys_app.command(
        "join", help=say("演练: 核对各保管人的份额能否打开根密钥", "rehearse: do the shares still open the root key")
    )(keys_join)


def keys_split(
    context: typer.Context,
    key: KeyFile,
    threshold: Annotated[int, typer.Option(help=say("使用密钥所需的份数", "shares needed to use the key"))],
    of: Annotated[int, typer.Option("--of", help=say("总份数, 最多 16", "shares in all, at most 16"))],
    sheets: Annotated[
        Path | None,
        typer.Option("--sheets", help=say("份额页写入此目录(权限 700)", "write the sheets into this folder")),
    ] = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(
            "--key-passphrase-file", help=say("该密钥现有口令的文件", "file with the key's present passphrase")
        ),
    ] = None,
    *,
    on_screen: Annotated[
        bool, typer.Option("--on-screen", help=say("逐份显示供手抄, 不写文件", "show each to be copied; no files"))
    ] = False,
    new: Annotated[bool, typer.Option("--new", help=say("新建密钥(Ed25519)", "make the key (Ed25519)"))] = False,
    joined: Annotated[
        bool, typer.Option("--joined", help=say("该密钥现由旧份额打开", "the key is opened by older shares"))
    ] = False,
) -> None:
    """Give a root key a new passphrase that nobody sees, and its shares to the custodians."""
    if (sheets is None) is not on_screen:
        raise WhereSharesGo
    if new and key.resolve().is_relative_to(settings_of(context).data.resolve()):
        raise RootInDataFolder(key)
    deal = show_one_by_one if sheets is None else deal_sheets(sheets)
    present = None if new else _opened(key, passphrase_file, joined=joined)
    made = split_key(
        key, present, threshold=threshold, of=of, deal=deal, day=SystemClock().now().astimezone(BEIJING).date()
    )
    public = write_public_root(made.path, made.public_key)
    console.print(
        pairs(
            say("根密钥的口令已拆分", "the root key's passphrase is split"),
            {
                say("密钥文件", "key file"): plain(str(made.path)),
                say("密钥号", "key ID"): made.key_id,
                say("公钥文件", "public part"): plain(str(public)),
                say("指纹", "fingerprint"): fingerprint(made.public_key),
                say("套号", "set"): made.set_name,
                say("需要", "needed"): say(f"{of} 份中任意 {threshold} 份", f"any {threshold} of {of}"),
                **({} if sheets is None else {say("份额页", "sheets"): plain(str(sheets))}),
                say("下一步", "next"): say(
                    "分发密封后, 用 keys join 逐份核对; 再销毁份额页文件及密钥文件的旧副本(旧口令仍可打开它们)",
                    "hand out and seal, try them with `keys join`; then destroy the sheets' files and every older copy "
                    "of the key file, which the old passphrase still opens",
                ),
            },
        )
    )
    if threshold == of:
        console.print(
            say(
                "[yellow]丢失任何一份, 该密钥即不能再用[/]",
                "[yellow]if any one share is lost, the key cannot be used again[/]",
            )
        )


def keys_join(key: KeyFile, sheet: Sheets = None, *, visible: Visible = False) -> None:
    """Ask the custodians for their shares, and say whether they open the key; nothing is written or signed."""
    shares = ask_shares(sheet or (), visible=visible)
    opened = open_by_shares(key, shares)
    numbers = ", ".join(str(one.number) for one in sorted(shares, key=lambda one: one.number))
    console.print(
        pairs(
            say("份额可以打开该密钥", "the shares open the key"),
            {
                say("密钥文件", "key file"): plain(str(key)),
                say("密钥号", "key ID"): key_id(opened.public_key).hex(),
                say("套号", "set"): shares[0].set_name,
                say("所用份额", "shares used"): numbers,
            },
        )
    )


def open_root(key: Path, sheets: Sequence[Path] = (), *, visible: bool = False) -> FileSigner:
    """Open a root key for signing by the shares of as many custodians as are needed, asking each.

    Raises:
        SharesDisagree: they do not belong together.
        SharesOfAnotherKey: they open another key file.
    """
    return open_by_shares(key, ask_shares(sheets, visible=visible))


def ask_shares(sheets: Sequence[Path] = (), *, visible: bool = False) -> tuple[Share, ...]:
    """Ask one custodian after the other until there are enough; a mistake is told at once, and asked again.

    Raises:
        BadShare, ShareOfAnotherSet, ShareTwice: of a sheet's file, which cannot be typed again.
    """
    shares: tuple[Share, ...] = ()
    for path in sheets:
        shares = add_share(shares, read_sheet(path))
    while not shares or len(shares) < shares[0].threshold:
        wanted = f"{len(shares) + 1} / {shares[0].threshold}" if shares else "1"
        shares = _until_right(
            say(
                f"第 {wanted} 位保管人, 请输入份额(20 个单词或编号, 空格分隔)",
                f"custodian {wanted}, your share (20 words)",
            ),
            partial(_with_typed, shares),
            visible=visible,
        )
        if visible:
            _wipe()
    return shares


def show_one_by_one(ceremony: Ceremony, shares: Sequence[Share]) -> Sequence[Share]:
    """Show each share to its custodian alone, and have it typed back from the paper."""
    return [_copied(ceremony, share) for share in shares]


def _copied(ceremony: Ceremony, share: Share) -> Share:
    of = f"{share.number} / {ceremony.of}"
    while True:
        typer.prompt(
            say(
                f"第 {of} 份: 其他人请回避, 保管人按回车查看",
                f"share {of}: the others look away; press Enter to see it",
            ),
            default="",
            show_default=False,
            prompt_suffix=" ",
        )
        console.print(
            say(
                f"密钥 {ceremony.key_id}, 套号 {share.set_name}, 第 {of} 份, 需 {share.threshold} 份",
                f"key {ceremony.key_id}, set {share.set_name}, share {of}, {share.threshold} needed",
            )
        )
        for number, (word, place) in enumerate(zip(share.words, share.places, strict=True), 1):
            console.print(f"  {number:2}  {word:<10} {place:04d}")
        typer.prompt(
            say("抄好后按回车, 屏幕随即清除", "press Enter when it is copied; the screen is cleared"),
            default="",
            show_default=False,
            prompt_suffix=" ",
        )
        _wipe()
        text = typer.prompt(
            say("请照所抄内容输入, 以核对有无抄错", "type it from your paper, to see that it is right"), hide_input=True
        )
        try:
            if read_share(text) == share:
                return share
        except Error as error:
            _tell(error)
        else:
            console.print(say("[yellow]这是另一份[/]", "[yellow]this is another share[/]"))


def _with_typed(shares: tuple[Share, ...], text: str) -> tuple[Share, ...]:
    return add_share(shares, read_share(text))


def _until_right(question: str, read: Callable[[str], tuple[Share, ...]], *, visible: bool) -> tuple[Share, ...]:
    while True:
        try:
            return read(typer.prompt(question, hide_input=not visible))
        except InputError as error:
            _tell(error)


def _wipe() -> None:
    """Clear the screen, and what could be scrolled back to."""
    console.clear()
    if console.is_terminal:
        console.file.write("\x1b[3J")
        console.file.flush()


def _tell(error: Error) -> None:
    console.print(f"[yellow]{plain(sentence(error))}[/]")


def _opened(key: Path, passphrase_file: Path | None, *, joined: bool) -> FileSigner:
    if joined:
        return open_root(key)
    if passphrase_file is not None:
        return load_signer(key, read_passphrase(passphrase_file, {}, "--key-passphrase-file"))
    question = say("该密钥现有的口令", "the key's present passphrase")
    return load_signer(key, typer.prompt(question, hide_input=True).encode("utf-8"))
