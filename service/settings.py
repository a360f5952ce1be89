"""What an operator may set, each with its unit; read once at start and passed down.

Every name is also an environment variable with the prefix ``YINZHENG_``. Secrets
are given by file, never by value on the command line.
"""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from credential.errors import ConfigError

PREFIX = "YINZHENG_"

#: Read elsewhere, so not unknown: the passphrase itself (for containers that
#: have no secret files) and the switch of the test suite.
_READ_ELSEWHERE = frozenset({"YINZHENG_PASSPHRASE", "YINZHENG_TEST_ALL"})


class UnknownSetting(ConfigError):
    """A variable with our prefix that means nothing, probably a misspelling."""

    code = "unknown-setting"

    def __init__(self, name: str, known: list[str]) -> None:
        nearest = get_close_matches(name.upper(), known, 1)
        en, zh = (f"; did you mean {nearest[0]}?", f", 是否应为 {nearest[0]}?") if nearest else ("", "")
        super().__init__(
            f"the environment variable {name} is not a setting{en}; known are {', '.join(known)}",
            f"环境变量 {name} 不是有效的设置项{zh}; 可用的有: {', '.join(known)}",
        )
        self.name = name


class BadSetting(ConfigError):
    """A setting has a value that it cannot have."""

    code = "bad-setting"

    def __init__(self, name: str, value: str, why: str, why_zh: str = "") -> None:
        super().__init__(
            f"the setting {name} cannot be {value!r} ({why}); correct or remove it",
            f"设置项 {name} 的值“{value}”无效({why_zh or why}); 请改正或删除",
        )
        self.name = name


class Settings(BaseSettings):
    """The settings of one process."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    data: Path = Field(
        default=Path("data"), description="The data folder: registry, keys, files, log. Back it up as a whole."
    )
    passphrase_file: Path | None = Field(
        default=None,
        description="File (mode 600) whose first line opens the keys; else YINZHENG_PASSPHRASE is read.",
    )
    pkcs11_module: Path | None = Field(
        default=None,
        description="The PKCS #11 library of the token or HSM that signing keys are kept in (docs/keys.md).",
    )
    pkcs11_token: str = Field(default="", description="Label of the token that new keys are made in.")
    pkcs11_pin_file: Path | None = Field(
        default=None, description="File (mode 600) whose one line is the PIN of the token's user."
    )
    key_places_file: Path | None = Field(
        default=None,
        description="TOML file with a table for each plug-in that keeps signing keys, handed to it as it is "
        "(docs/keys.md).",
    )
    database: str = Field(
        default="",
        description="The registry's database, postgresql://user@host/database without password; empty for a file in "
        "the data folder.",
    )
    database_password_file: Path | None = Field(
        default=None, description="File (mode 600) whose first line is the password of the database's user."
    )
    postgresql_programs: Path | None = Field(
        default=None,
        description="Folder with pg_dump and pg_restore of the server's version, for backups; by default where the "
        "system looks for programs.",
    )
    verifier_key: Path | None = Field(
        default=None,
        description="File (mode 600) of yinzheng keys export-verifier, for serve --role verifier; by default "
        "verifier.key in the data folder.",
    )
    witness: Path = Field(
        default=Path("witness"),
        description="Folder of `yinzheng witness`, which cosigns other bureaus' logs: a key and what was cosigned. "
        "Apart from the data folder, and never restored from a backup.",
    )
    lang: Literal["", "zh", "en"] = Field(
        default="", description="Language of the command line: zh or en; empty follows the system's locale."
    )
    role: Literal["all", "issuer", "verifier"] = Field(
        default="all",
        description="What `yinzheng serve` does: all; issuer (issuing and holders); verifier (no issuing key is read).",
    )
    host: str = Field(default="127.0.0.1", description="Address that `yinzheng serve` listens on.")
    port: int = Field(default=8000, ge=1, le=65535, description="TCP port that `yinzheng serve` listens on.")
    workers: int = Field(
        default=0, ge=0, le=256, description="Processes that print and sign; 0 means one for each core."
    )
    tsa_urls: str = Field(
        default="",
        description="Addresses of time-stamping authorities (RFC 3161), comma separated; their certificates "
        "stand in the trust list.",
    )
    stamp_minutes: int = Field(
        default=15,
        ge=1,
        le=1440,
        description="Minutes between two time stamps of the log's checkpoint; should a key be stolen, what no stamp "
        "from before the theft covers becomes unknown.",
    )
    trusted_proxies: str = Field(
        default="",
        description="Networks whose X-Forwarded-For is believed, comma separated, as 127.0.0.1/32,10.0.0.0/8.",
    )
    limit_verify: str = Field(default="120/minute", description="Verifying and looking up, for each client address.")
    limit_serial: str = Field(default="20/minute", description="Verifying by serial and name, likewise.")
    limit_upload: str = Field(default="20/minute", description="Verifying files, likewise.")
    limit_claim: str = Field(default="60/hour", description="Claim codes tried, likewise.")
    limit_download: str = Field(
        default="600/hour", description="Requests for a claimed file and parts of it, likewise."
    )
    limit_photo: str = Field(default="60/hour", description="Ends of ID numbers tried, likewise.")
    limit_witness: str = Field(default="600/minute", description="Checkpoints that a witness is sent, likewise.")
    max_upload_mb: int = Field(
        default=256, ge=1, le=4096, description="Largest sheet or photo archive that the issuing API takes, megabytes."
    )
    crl_days: int = Field(
        default=7, ge=1, le=90, description="Days that a revocation list (CRL) of the own CA is good for."
    )
    claim_code_days: int = Field(
        default=90, ge=1, le=3650, description="Days that a holder's claim code may be used from its making."
    )


def read_settings(environ: Mapping[str, str] | None = None, **given: object) -> Settings:
    """Read the settings from the environment and from what the caller was given.

    Args:
        environ: only used to find misspelt names; the process environment by default.
        given: values that win over the environment; None means not given.

    Raises:
        UnknownSetting: a variable with our prefix is not a setting.
        BadSetting: one has a value that it cannot have.
    """
    names = [PREFIX + name.upper() for name in Settings.model_fields]
    for name in os.environ if environ is None else environ:
        if name.upper().startswith(PREFIX) and name.upper() not in {*names, *_READ_ELSEWHERE}:
            raise UnknownSetting(name, [*names, "YINZHENG_PASSPHRASE"])
    try:
        return Settings.model_validate(
            {**Settings().model_dump(), **{name: value for name, value in given.items() if value is not None}}
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise BadSetting(PREFIX + str(first["loc"][0]).upper(), str(first["input"]), *_expected(first)) from error


def _expected(error: ErrorDetails) -> tuple[str, str]:
    """Say what a value has to be, from the library's finding, in English and Chinese."""
    limits = error.get("ctx", {})
    kind = error["type"]
    if kind == "literal_error":
        return error["msg"], f"可选值: {str(limits.get('expected', '')).replace(' or ', ', ')}"
    if kind.startswith("int_"):
        return error["msg"], "须为整数"
    words = {"ge": "不小于", "gt": "大于", "le": "不大于", "lt": "小于"}
    told = [f"须{word} {limits[key]}" for key, word in words.items() if key in limits]
    return error["msg"], ", ".join(told) or "格式不符"
