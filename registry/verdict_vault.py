"""The part of the vault that a verifier's process holds: it opens records by code, and finds nobody.

Three keys are derived from the master key and handed over in a file: the one
that unwraps record keys, the one of the blind index of verification codes, and
the one that draws the decoys of a look-up by serial (registry/lookup.py).
The master key does not follow from them, nor does any other key of the vault:
persons, names and batches cannot be looked up, reserve records not opened, and
no leaf of another history can be made.
"""

import json
from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC

from credential.errors import ConfigError
from registry.vault import KEY_BYTES, Vault

FORMAT = "yinzheng-verdict-keys/1"
VERDICT_PURPOSES = ("wrap", "blind/code", "blind/candidates")


class BadVerdictKeys(ConfigError):
    """The content is not what :func:`write_verdict_keys` made."""

    code = "bad-verifier-key"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the verifier's key file cannot be used ({why}); make it anew with: yinzheng keys export-verifier",
            f"核验密钥文件无法使用({why}); 请用 yinzheng keys export-verifier 重新导出",
        )


class KeyNotHeld(ConfigError):
    """A verifier's process was asked for what only the issuing side can do."""

    code = "key-not-held"

    def __init__(self, purpose: str) -> None:
        super().__init__(
            f"a verifier holds no key for {purpose}; ask the issuing side",
            f"核验进程没有用于 {purpose} 的密钥; 请在发证端操作",
        )


class VerdictVault(Vault):
    """Opens records and computes the blind index of codes; holds no master key."""

    def __init__(self, keys: Mapping[str, bytes], random: Callable[[int], bytes]) -> None:
        self._keys = dict(keys)
        self._random = random
        self._wrapping = AESGCM(self._derive("wrap"))
        self._blinding: dict[str, HMAC] = {}

    def _derive(self, purpose: str) -> bytes:
        try:
            return self._keys[purpose]
        except KeyError as error:
            raise KeyNotHeld(purpose) from error


def write_verdict_keys(vault: Vault) -> bytes:
    """Write the verifier's keys as the content of a file; only the verifier may read it."""
    keys = vault.keys_for(VERDICT_PURPOSES)
    content = {"format": FORMAT} | {purpose: key.hex() for purpose, key in keys.items()}
    return json.dumps(content, indent=1).encode() + b"\n"


def read_verdict_keys(content: bytes) -> dict[str, bytes]:
    """Read what :func:`write_verdict_keys` wrote.

    Raises:
        BadVerdictKeys: it is something else.
    """
    try:
        found = json.loads(content)
        if found.pop("format") != FORMAT or found.keys() != set(VERDICT_PURPOSES):
            raise BadVerdictKeys(f"it is not {FORMAT}")
        keys = {str(purpose): bytes.fromhex(key) for purpose, key in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadVerdictKeys("it is damaged") from error
    if any(len(key) != KEY_BYTES for key in keys.values()):
        raise BadVerdictKeys("a key in it has another length")
    return keys
