"""The command line: one thin door to each thing the house can do.

Exit codes: 0 done (``verify``: valid), 1 refused or not valid, 2 could not
tell, bad usage or something unavailable, 3 a fault of ours, 130 stopped by
whoever ran it (Ctrl-C, or no answer to a question).
"""

import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from typer.exceptions import Abort, TyperException

from credential.errors import ConfigError, Error, UnavailableError
from service.cli.language import choose_language, say, sentence
from service.settings import read_settings

EXIT_REFUSED = 1
EXIT_UNKNOWN = 2
EXIT_FAULT = 3
EXIT_STOPPED = 130
"""As of every program that ends by SIGINT."""


class FileTrouble(UnavailableError):
    """A file or folder cannot be read or written: a wrong path, missing rights, a full disk."""

    code = "file-trouble"

    def __init__(self, error: OSError) -> None:
        where = " → ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
        reason = f"{where}: {error.strerror or type(error).__name__}" if where else str(error)
        super().__init__(
            f"a file or folder cannot be used ({reason}); check the path, its rights and the disk, then run the same "
            "command again",
            f"无法使用文件或目录({reason}); 请检查路径、权限和磁盘空间, 然后原样重试",
        )


def main() -> None:
    """Run the command line; the outermost handler of every error."""
    choose_language(os.environ.get("YINZHENG_LANG", ""), os.environ)  # so that bad settings are told in it
    logging.getLogger("pyhanko").setLevel(logging.CRITICAL)  # of what it finds we tell in our words, without a trace
    logging.getLogger("pyhanko_certvalidator").setLevel(logging.CRITICAL)
    try:
        if sys.stdin is None:  # closed by whoever started this: a question then gets no answer, rather than a fault
            sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - stays open as long as the process
        settings = read_settings()
        choose_language(settings.lang, os.environ)
        # Imported once the language is chosen, since help texts are built on import.
        from service.cli.commands import app  # noqa: PLC0415 - see above

        code = app(obj=settings, standalone_mode=False)
        if code == EXIT_STOPPED:  # how the library tells of Ctrl-C
            _say_interrupted()
        sys.exit(code)
    except Abort:
        sys.stderr.write(say("已取消, 未作任何更改\n", "cancelled, nothing was changed\n"))
        sys.exit(EXIT_STOPPED)
    except KeyboardInterrupt:
        _say_interrupted()
        sys.exit(EXIT_STOPPED)
    except TyperException as error:
        # It needs the lists of reasons, which a command that is written rightly does without.
        from service.cli.usage import usage_sentence  # noqa: PLC0415 - see above

        sys.stderr.write(usage_sentence(error))
        sys.exit(EXIT_UNKNOWN)
    except (UnavailableError, ConfigError) as error:
        complain(error)
        sys.exit(EXIT_UNKNOWN)
    except Error as error:
        complain(error)
        sys.exit(EXIT_REFUSED)
    except OSError as error:
        complain(FileTrouble(error))
        sys.exit(EXIT_UNKNOWN)
    except Exception as error:  # noqa: BLE001 - the outermost handler: people get a sentence, the file the trace
        sys.stderr.write(_fault(error))
        sys.exit(EXIT_FAULT)


def _say_interrupted() -> None:
    sys.stderr.write(say("\n已中断; 可原样重试\n", "\ninterrupted; the same command may be run again\n"))


def complain(error: Error) -> None:
    """Print one error as a sentence with its code."""
    sys.stderr.write(f"{say('错误', 'error')} [{error.code}]: {sentence(error)}\n")


def _fault(error: Exception) -> str:
    """Keep the trace in a file and say where it is; nothing personal is printed."""
    path = Path(f"yinzheng-fault-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.txt")
    try:
        path.touch(mode=0o600)  # a trace may quote a row
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        where = say(f"; 详情见 {path}, 请转交技术人员", f"; details are in {path}")
    except OSError:
        where = ""
    kind = type(error).__name__
    return say(
        f"程序内部故障({kind}), 不是您的操作有误; 数据未受影响, 可原样重试{where}\n",
        f"a fault of the program ({kind}), not of yours; nothing is lost, the same command may be run again{where}\n",
    )
