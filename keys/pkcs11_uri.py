"""Names of keys in tokens: PKCS #11 URIs (RFC 7512), the part of them that we use.

``pkcs11:token=bureau;object=pdf.nb;id=%1F%A0`` is a key; ``?pin-source=file:/…``
names the file with its token's PIN where that differs from the settings'.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

from credential.errors import ConfigError

_SCHEME = "pkcs11:"
_UNRESERVED = ""  # all but letters, digits and -._~ is written with per cent signs, which RFC 7512 allows


class BadTokenUri(ConfigError):
    """A reference that does not name one key of one token.

    Only the part before the question mark is told: a PIN may stand behind it.
    """

    code = "bad-token-uri"

    def __init__(self, uri: str) -> None:
        uri = uri.partition("?")[0]
        super().__init__(
            f"{uri!r} does not name a key of a token; write pkcs11:token=LABEL;object=LABEL, with id=%01%02 if need be",
            f"“{uri}”不能确定密码设备中的密钥; 请写成 pkcs11:token=设备标签;object=密钥标签, 必要时加 id=%01%02",
        )
        self.uri = uri


@dataclass(frozen=True, slots=True)
class TokenUri:
    """One key of one token; empty parts are not said.

    Attributes:
        token: label of the token.
        object: label of the key.
        id: of the key.
        pin_file: with the token's PIN; None for that of the settings.
    """

    token: str
    object: str = ""
    id: bytes = b""
    pin_file: Path | None = None

    def __str__(self) -> str:
        parts = [f"token={quote(self.token, safe=_UNRESERVED)}"]
        if self.object:
            parts.append(f"object={quote(self.object, safe=_UNRESERVED)}")
        if self.id:
            parts.append(f"id={''.join(f'%{byte:02X}' for byte in self.id)}")
        query = "" if self.pin_file is None else f"?pin-source=file:{quote_from_bytes(bytes(self.pin_file), safe='/')}"
        return _SCHEME + ";".join(parts) + query


def read_token_uri(uri: str) -> TokenUri:
    """Read a reference.

    Raises:
        BadTokenUri: it names no key, or says something that is not known here.
    """
    path, _, query = uri.removeprefix(_SCHEME).partition("?")
    said = _attributes(uri, path, ";", {"token", "object", "id"})
    asked = _attributes(uri, query, "&", {"pin-source"})
    source = asked.get("pin-source", b"")
    if not uri.startswith(_SCHEME) or not said.get("token") or not (said.get("object") or said.get("id")):
        raise BadTokenUri(uri)
    if source and not source.startswith(b"file:/"):
        raise BadTokenUri(uri)
    try:
        return TokenUri(
            token=said["token"].decode(),
            object=said.get("object", b"").decode(),
            id=said.get("id", b""),
            pin_file=Path(source.removeprefix(b"file:").decode()) if source else None,
        )
    except UnicodeDecodeError as error:
        raise BadTokenUri(uri) from error


def _attributes(uri: str, text: str, separator: str, known: set[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in filter(None, text.split(separator)):
        name, is_said, value = part.partition("=")
        if not is_said or name not in known or name in found:
            raise BadTokenUri(uri)
        found[name] = unquote_to_bytes(value)
    return found
