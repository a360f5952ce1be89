"""``serve``: the service over HTTP, until it is told to stop."""

import logging
import socket
from typing import Annotated, Literal

import typer

from credential.errors import ConfigError
from service.cli.language import say
from service.cli.opening import settings_of
from service.cli.screens import console, plain, table
from service.passphrase import is_demo
from service.serving import sample_pages
from service.settings import Settings

HostOption = Annotated[
    str | None, typer.Option("--host", help=say("监听地址(默认 127.0.0.1)", "address (default 127.0.0.1)"))
]
PortOption = Annotated[
    int | None, typer.Option("--port", min=1, max=65535, help=say("端口(默认 8000)", "port (default 8000)"))
]

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

#: Seconds that requests in hand may take once the service was told to stop.
_GRACE_SECONDS = 20


class AddressTaken(ConfigError):
    """The service cannot listen where it was told to."""

    code = "address-taken"

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"cannot listen on {host}:{port} ({reason}); choose another with --host and --port, or end what is there",
            f"无法监听 {host}:{port}({reason}); 请用 --host、--port 另选地址, 或先结束占用它的程序",
        )
        self.host = host
        self.port = port


def add_to(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("serve", help=say("启动网络服务: 核验页面与接口", "run the service: pages and API"))(serve)


def serve(
    context: typer.Context,
    *,
    role: Annotated[
        Literal["all", "issuer", "verifier"] | None,
        typer.Option(
            "--role",
            help=say(
                "all 全部; issuer 签发与领取; verifier 仅核验(不读取任何签发密钥)",
                "all; issuer (issuing, holders); verifier (reads no issuing key)",
            ),
        ),
    ] = None,
    host: HostOption = None,
    port: PortOption = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; then finish the requests and the chunk in hand."""
    # Imported here only: the web's libraries would slow every other command down.
    import uvicorn  # noqa: PLC0415 - see above

    from service.app import create_app  # noqa: PLC0415 - see above

    given = {"role": role, "host": host, "port": port}
    settings = settings_of(context).model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
    log_to_stderr()
    app = create_app(settings)
    with listen(settings) as listening:
        _show_start(settings)
        config = uvicorn.Config(
            app,
            log_config=None,  # ours, set up by create_app: uvicorn's would name paths, and paths hold codes
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,  # whom to believe is ours to decide: service/limits.py
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listening])


def log_to_stderr() -> None:
    """Write our own lines; of the libraries only warnings, since they know nothing of what is personal."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    for name in ("yinzheng", "service", "registry", "issuer", "verifier", "holder"):
        logging.getLogger(name).setLevel(logging.INFO)


def listen(settings: Settings) -> socket.socket:
    """Bind where the settings say.

    Raises:
        AddressTaken: another program listens there, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol is named: without it asyncio does not switch Nagle's algorithm off, and each answer waits 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise AddressTaken(settings.host, settings.port, error.strerror or "input/output") from error
    return listening


def _show_start(settings: Settings) -> None:
    where = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{where}:{settings.port}"
    console.print(say(f"印证服务已启动: [bold]{plain(address)}[/]", f"the service runs: [bold]{plain(address)}[/]"))
    console.print(say("按 Ctrl-C 停止。", "Ctrl-C stops it."))
    if settings.host not in _LOOPBACK:
        console.print(
            say(
                "[yellow]注意:[/] 此端口未加密, 请仅经 HTTPS 反向代理对外提供, 并设置 YINZHENG_TRUSTED_PROXIES。",
                "[yellow]note:[/] this port is not encrypted: only offer it through an HTTPS proxy, named in "
                "YINZHENG_TRUSTED_PROXIES.",
            )
        )
    if is_demo(settings):
        _show_samples(settings, address)


def _show_samples(settings: Settings, address: str) -> None:
    """Name pages worth opening; of a demo only, since a code is for whoever holds the certificate."""
    pages = sample_pages(settings, address)
    if not pages:
        return
    shown = table(
        say("演示数据, 可在浏览器打开", "the demo's data, to open in a browser"),
        say("内容", "what"),
        say("网址", "address"),
    )
    for page in pages:
        shown.add_row(say(page.zh, page.en), plain(page.address))
    console.print(shown)
