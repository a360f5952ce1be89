"""The master key of the registry at rest: 32 bytes under scrypt and AES-256-GCM.

One ASCII line (format and cost of scrypt, authenticated), then salt, nonce and
the encrypted key with its tag.
"""

import os
import re
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from keys.file_signer import BadKeyFile, WrongPassphrase
from keys.pkcs8 import SALT_BYTES, ScryptCost
from keys.private_files import read_private, write_private

MASTER_KEY_BYTES = 32

_NONCE_BYTES = 12
_TAG_BYTES = 16
_HEAD = re.compile(rb"yinzheng-master-key/1 scrypt ([1-9][0-9]{0,6}) ([1-9][0-9]?) ([1-9][0-9]?)\n")
_BODY_BYTES = SALT_BYTES + _NONCE_BYTES + MASTER_KEY_BYTES + _TAG_BYTES


def create_master_key(path: Path, passphrase: bytes, cost: ScryptCost) -> bytes:
    """Make a master key from the system's randomness and keep it, durably, in a file of mode 600.

    Raises:
        FileExists: the file is there already; it is left as it is.
    """
    master_key = os.urandom(MASTER_KEY_BYTES)
    head = b"yinzheng-master-key/1 scrypt %d %d %d\n" % cost
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(_NONCE_BYTES)
    write_private(path, head + salt + nonce + _cipher(passphrase, salt, cost).encrypt(nonce, master_key, head))
    return master_key


def load_master_key(path: Path, passphrase: bytes) -> bytes:
    """Open a master key file.

    Raises:
        OpenToOthers: others may read the file.
        UnreadablePrivateFile: it is missing.
        WrongPassphrase: it does not open the file, or the file was changed.
        BadKeyFile: not a master key file of this format.
    """
    content = read_private(path)
    match = _HEAD.match(content)
    if match is None or len(content) != match.end() + _BODY_BYTES:
        raise BadKeyFile(path, "it is no master key file", "不是主密钥文件")
    cost = ScryptCost(*map(int, match.groups()))
    body = content[match.end() :]
    salt, nonce, sealed = body[:SALT_BYTES], body[SALT_BYTES:][:_NONCE_BYTES], body[SALT_BYTES + _NONCE_BYTES :]
    try:
        return _cipher(passphrase, salt, cost).decrypt(nonce, sealed, match[0])
    except InvalidTag as error:
        raise WrongPassphrase(path) from error
    except (ValueError, MemoryError) as error:
        raise BadKeyFile(path, "its cost of scrypt makes no sense", "scrypt 参数无效") from error


def _cipher(passphrase: bytes, salt: bytes, cost: ScryptCost) -> AESGCM:
    return AESGCM(Scrypt(salt, MASTER_KEY_BYTES, cost.n, cost.r, cost.p).derive(passphrase))
