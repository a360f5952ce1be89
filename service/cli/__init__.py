"""The command line: one thin door to each thing the house can do.

Exit codes: 0 done (``verify``: valid), 1 refused or not valid, 2 could not
tell, bad usage or something unavailable, 3 a fault of ours.
"""

import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from credential.errors import ConfigError, Error, UnavailableError
from service.cli.language import choose_language, say, sentence
from service.settings import read_settings

EXIT_REFUSED = 1
EXIT_UNKNOWN = 2
EXIT_FAULT = 3


def main() -> None:
    """Run the command line; the outermost handler of every error."""
    try:
        settings = read_settings()
        choose_language(settings.lang, os.environ)
        # Imported once the language is chosen, since help texts are built on import.
        from service.cli.commands import app  # noqa: PLC0415 - see above

        app(obj=settings)
    except (UnavailableError, ConfigError) as error:
        complain(error)
        sys.exit(EXIT_UNKNOWN)
    except Error as error:
        complain(error)
        sys.exit(EXIT_REFUSED)
    except Exception as error:  # noqa: BLE001 - the outermost handler: people get a sentence, the file the trace
        sys.stderr.write(_fault(error))
        sys.exit(EXIT_FAULT)


def complain(error: Error) -> None:
    """Print one error as a sentence with its code."""
    sys.stderr.write(f"{say('错误', 'error')} [{error.code}]: {sentence(error)}\n")


def _fault(error: Exception) -> str:
    """Keep the trace in a file and say where it is; nothing personal is printed."""
    name = f"yinzheng-fault-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.txt"
    try:
        Path(name).write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        name = ""
    return say(
        f"程序内部故障({type(error).__name__}), 不是您的操作有误; 数据未受影响, 可原样重试; 详情见 {name}, "
        "请转交技术人员\n",
        f"a fault of the program ({type(error).__name__}), not of yours; nothing is lost, the same command may be run "
        f"again; details are in {name}\n",
    )
