"""What a command says when it has changed the trust list."""

from service.cli.language import say
from service.cli.screens import console, plain
from service.trust import Amended


def show_amended(amended: Amended) -> None:
    """Say whether a change of the trust list is published, or what has to be signed first."""
    if amended.draft is None:
        console.print(
            say(f"信任列表第 {amended.version} 版已发布", f"trust list version {amended.version} is published")
        )
        return
    draft = plain(str(amended.draft))
    console.print(
        say(
            f"[yellow]信任列表第 {amended.version} 版尚未生效, 须由离线根密钥签名[/]\n"
            f"草稿: {draft}\n"
            "下一步: 在离线机器上执行 yinzheng trust sign 草稿 --root 根密钥文件, 再执行 yinzheng trust publish 草稿",
            f"[yellow]trust list version {amended.version} does not count yet: the offline roots must sign it[/]\n"
            f"draft: {draft}\n"
            "next: yinzheng trust sign DRAFT --root FILE on the offline machine, then yinzheng trust publish DRAFT",
        )
    )
