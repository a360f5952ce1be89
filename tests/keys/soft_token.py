"""A token of SoftHSM2 in a folder of its own, which can be taken away and put back."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from keys.pkcs11_signer import TokenPlace, end_sessions

LABEL = "bureau"
PIN = "739154"
_SO_PIN = "80614327"

# Where Debian, Fedora, Homebrew and a build of one's own put it.
_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)

Tool = Callable[[str], Path]


def softhsm_module() -> Path:
    """The PKCS #11 module of SoftHSM2."""
    found = [Path(one) for one in _MODULES if Path(one).exists()]
    assert found, "the module of softhsm2 is not installed (.ci/run names the packages)"
    return found[0]


class SoftToken:
    """One initialised token, the only one that this process sees while it is in use.

    Args:
        folder: to be made.
        tool: finds softhsm2-util.
    """

    def __init__(self, folder: Path, tool: Tool) -> None:
        folder.mkdir()
        self.module = softhsm_module()
        self.config = folder / "softhsm2.conf"
        self.pin_file = folder / "pin"
        self._tokens = folder / "tokens"
        self._away = folder / "taken away"
        self._tokens.mkdir()
        self.config.write_text(
            f"directories.tokendir = {self._tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        self.write_pin(PIN)
        self.initialise_another(tool)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to see it."""
        return {"SOFTHSM2_CONF": str(self.config)}

    @property
    def place(self) -> TokenPlace:
        """Makes and opens its keys."""
        return TokenPlace(self.module, LABEL, self.pin_file)

    def write_pin(self, pin: str) -> None:
        """Put another PIN into the file."""
        self.pin_file.write_text(f"{pin}\n")
        self.pin_file.chmod(0o600)

    def take_away(self) -> None:
        """Remove the token, as if it were pulled out."""
        self._tokens.rename(self._away)

    def put_back(self) -> None:
        """Put it in again."""
        self._away.rename(self._tokens)

    def initialise_another(self, tool: Tool) -> None:
        """Make a token of the one label, beside those that are there."""
        end_sessions()  # the module counts its slots when it starts
        words = ("--init-token", "--free", "--label", LABEL, "--so-pin", _SO_PIN, "--pin", PIN)
        subprocess.run([str(tool("softhsm2-util")), *words], env=self.environment, check=True, capture_output=True)

    def use(self, doors: pytest.MonkeyPatch) -> None:
        """Let this process see this token and no other."""
        end_sessions()
        for name, value in self.environment.items():
            doors.setenv(name, value)
