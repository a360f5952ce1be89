"""Copy a PostgreSQL registry into a file and back, through the programs that belong to the server."""

import shutil
import subprocess
from pathlib import Path

from credential.errors import ConfigError, UnavailableError
from registry.engines import Address


class DumpProgramMissing(ConfigError):
    """PostgreSQL's own programs are not installed on this machine."""

    code = "dump-program-missing"

    def __init__(self, program: str) -> None:
        super().__init__(
            f"the program {program} of PostgreSQL is not here; install the client of the server's version, or name its "
            "folder with YINZHENG_POSTGRESQL_PROGRAMS",
            f"找不到 PostgreSQL 的程序 {program}; 请安装与服务器同版本的客户端, 或用 YINZHENG_POSTGRESQL_PROGRAMS "
            "指明其所在目录",
        )
        self.program = program


class DumpFailed(UnavailableError):
    """PostgreSQL's program did not do it; what it said names the cause."""

    code = "dump-failed"

    def __init__(self, program: str, said: str) -> None:
        cause = " ".join(said.split())[:300] or "it said nothing"
        super().__init__(
            f"{program} failed ({cause}); see to that and run it again", f"{program} 失败({cause}); 请排除原因后重试"
        )
        self.program = program


def dump_postgresql(address: Address, target: Path, *, programs: Path | None = None) -> None:
    """Write one consistent state of the database into a file, while others read and write it.

    Args:
        address: of the database, with its password.
        target: must not exist; in ``pg_dump``'s own format.
        programs: folder of the programs; None looks where the system does.

    Raises:
        DumpProgramMissing: ``pg_dump`` is not installed.
        DumpFailed: it did not do it; nothing is left of the file.
    """
    try:
        _run("pg_dump", address, programs, "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")
    except DumpFailed:
        target.unlink(missing_ok=True)
        raise
    target.chmod(0o600)


def restore_postgresql(address: Address, source: Path, *, programs: Path | None = None) -> None:
    """Put a dump into an empty database, in one transaction.

    Raises:
        DumpProgramMissing: ``pg_restore`` is not installed.
        DumpFailed: it did not do it; the database is as it was.
    """
    _run(
        "pg_restore", address, programs, "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges",
        str(source), names_database=True,
    )  # fmt: skip


def _run(program: str, address: Address, programs: Path | None, *arguments: str, names_database: bool = False) -> None:
    found = shutil.which(program, path=None if programs is None else str(programs))
    if found is None:
        raise DumpProgramMissing(program)
    # The password goes by the environment of the program: an argument is seen in the list of processes.
    secret = {} if address.password is None else {"PGPASSWORD": str(address.password)}
    where = address.set(drivername="postgresql", password=None).render_as_string()
    database = [f"--dbname={where}"] if names_database else [where]
    done = subprocess.run(  # noqa: S603 - a program found by name, arguments of our own, no shell
        [found, *arguments, *database], env=secret, capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise DumpFailed(program, done.stderr.decode("utf-8", "replace"))
