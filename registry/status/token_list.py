"""Token Status Lists: the bytes of the list, and the two signed forms of it. Pure.

Source: IETF draft-ietf-oauth-status-list ("Token Status List"), sections 4, 5
and 8.3: a CWT (``application/statuslist+cwt``, a tagged COSE_Sign1 with the
type in header 16) and a JWT (``statuslist+jwt``), both ES256.

Our profile is stricter than the draft where that is safe: ``exp`` and ``ttl``
must be there, and a list past ``exp`` says nothing: the answer is then
"unknown", never "valid".
"""

import hashlib
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from credential.cbor import encode
from credential.cose import key_id
from credential.errors import ConfigError, InputError
from credential.ports import Algorithm, Signer

SLOTS = 1 << 20
"""Slots in a list of ours; a list is one herd to hide in."""

BITS = 2
TTL = timedelta(seconds=600)
LIFETIME = timedelta(hours=24)
CWT_TYPE = "application/statuslist+cwt"
JWT_TYPE = "statuslist+jwt"

MAX_TOKEN_BYTES = 2 << 20  # an incompressible list of ours has 256 KiB, in base64 350 KB
MAX_LIST_BYTES = 1 << 20  # inflated: 2^20 slots of the widest kind, 8 bits
MAX_CLOCK_SKEW = timedelta(minutes=5)  # a list from further in the future is refused

_OPENED = 8  # lists kept as they were opened: a quarter of a megabyte each, and most questions are about the newest

_SUB, _EXP, _IAT, _TTL, _STATUS_LIST = 2, 4, 6, 65534, 65533
_ALG, _KID, _TYP = 1, 4, 16
_ES256 = -7
_SIGN1_TAG = b"\xd2"  # CBOR tag 18
_COORDINATE_BYTES = 32
_LATEST = 253_402_300_799  # 9999-12-31T23:59:59Z, the last second that Python knows


class BadStatusToken(InputError):
    """A token that is no status list, or not signed by the key that was asked for."""

    code = "bad-status-token"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(f"the status list token is bad: {why_en}", f"状态列表令牌无效:{why_zh}")


class StatusExpired(InputError):
    """A genuine status list that is too old to say anything; it means unknown, never valid."""

    code = "status-expired"

    def __init__(self, sub: str, exp: datetime) -> None:
        super().__init__(
            f"the status list {sub} expired at {exp.isoformat()}; fetch a newer one",
            f"状态列表 {sub} 已于 {exp.isoformat()} 过期,请获取新列表",
        )
        self.sub = sub
        self.exp = exp


class WrongStatusKey(ConfigError):
    """A key that cannot sign or verify status lists."""

    code = "wrong-status-key"

    def __init__(self, found: str) -> None:
        super().__init__(
            f"status lists are signed with a P-256 key, and this is {found}", f"状态列表须用 P-256 密钥,实为 {found}"
        )


@dataclass(frozen=True, slots=True)
class StatusList:
    """A status list that was verified, or is about to be signed.

    Attributes:
        sub: address of the list, as credentials name it.
        iat: when it was issued, UTC, whole seconds.
        exp: from then on it says nothing.
        ttl: fetch a newer one after this long.
        bits: of each slot; 1, 2, 4 or 8.
        data: the slots, inflated, the first in the lowest bits.
    """

    sub: str
    iat: datetime
    exp: datetime
    ttl: timedelta
    bits: int
    data: bytes = field(repr=False)

    def value(self, index: int) -> int:
        """Return the value of a slot; compare with ``StatusValue``.

        Raises:
            BadStatusToken: the list has no such slot.
        """
        per_byte = 8 // self.bits
        if not 0 <= index < len(self.data) * per_byte:
            raise BadStatusToken(f"it has no slot {index}", f"没有第 {index} 位")
        byte, place = divmod(index, per_byte)
        return self.data[byte] >> (place * self.bits) & ((1 << self.bits) - 1)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the inflated list, which the log's status-list leaf commits to."""
        return hashlib.sha256(self.data).digest()


# ---- the bytes of a list --------------------------------------------------------------------------------------


def pack_statuses(statuses: Iterable[tuple[int, int]], bits: int = BITS, slots: int = SLOTS) -> bytes:
    """Lay out the slots that are not zero, given as (index, value); all others are zero (valid)."""
    data = bytearray((slots * bits + 7) // 8)
    per_byte = 8 // bits
    for index, value in statuses:
        if not (0 <= index < slots and 0 <= value < 1 << bits):
            raise BadStatusToken(f"no place for the value {value} in slot {index}", f"第 {index} 位无法存入 {value}")
        byte, place = divmod(index, per_byte)
        data[byte] |= value << (place * bits)
    return bytes(data)


def deflate(data: bytes) -> bytes:
    """Compress as the draft recommends: zlib format, level 9."""
    return zlib.compress(data, 9)


def inflate(compressed: bytes) -> bytes:
    """Expand a list in bounded memory.

    Raises:
        BadStatusToken: not one zlib stream, or more than ``MAX_LIST_BYTES``.
    """
    expander = zlib.decompressobj()
    try:
        data = expander.decompress(compressed, MAX_LIST_BYTES + 1)
    except zlib.error as error:
        raise BadStatusToken("the list is no zlib stream", "列表不是 zlib 数据") from error
    if len(data) > MAX_LIST_BYTES:
        raise BadStatusToken(f"the list has more than {MAX_LIST_BYTES} bytes", f"列表超过 {MAX_LIST_BYTES} 字节")
    if not expander.eof or expander.unused_data:
        raise BadStatusToken("the list is cut off or followed by more", "列表被截断或尾部有多余数据")
    return data


# ---- signing --------------------------------------------------------------------------------------------------


def sign_cwt(status_list: StatusList, signer: Signer) -> bytes:
    """Sign a list as a CWT: a tagged COSE_Sign1, key id in the protected header.

    Raises:
        WrongStatusKey: the signer's key is not P-256.
    """
    _check_signer(signer)
    claims = {
        _SUB: status_list.sub,
        _EXP: int(status_list.exp.timestamp()),
        _IAT: int(status_list.iat.timestamp()),
        _STATUS_LIST: {"bits": status_list.bits, "lst": deflate(status_list.data)},
        _TTL: int(status_list.ttl.total_seconds()),
    }
    protected = encode({_ALG: _ES256, _KID: key_id(signer.public_key), _TYP: CWT_TYPE})
    payload = encode(claims)
    signature = _raw_signature(signer.sign(encode(["Signature1", protected, b"", payload])))
    return _SIGN1_TAG + encode([protected, {}, payload, signature])


def sign_jwt(status_list: StatusList, signer: Signer) -> bytes:
    """Sign a list as a JWT in compact form, ASCII; the key id is base64url.

    Raises:
        WrongStatusKey: the signer's key is not P-256.
    """
    _check_signer(signer)
    header = {"alg": "ES256", "kid": _base64url(key_id(signer.public_key)), "typ": JWT_TYPE}
    claims = {
        "exp": int(status_list.exp.timestamp()),
        "iat": int(status_list.iat.timestamp()),
        "status_list": {"bits": status_list.bits, "lst": _base64url(deflate(status_list.data))},
        "sub": status_list.sub,
        "ttl": int(status_list.ttl.total_seconds()),
    }
    signed = ".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{signed}.{_base64url(_raw_signature(signer.sign(signed.encode())))}".encode()


# ---- opening --------------------------------------------------------------------------------------------------


def open_status_token(token: bytes, public_key: bytes, now: datetime) -> StatusList:
    """Verify a status list, in either form, and return what it says.

    Args:
        token: CWT or JWT; not trusted.
        public_key: of the role that signs status lists, SPKI DER, trusted.
        now: with time zone.

    Returns:
        The list; compare its ``sub`` with the address in the credential.

    Raises:
        BadStatusToken: not of the form, not signed by the key, or issued in the future.
        StatusExpired: genuine, but past ``exp``: unknown, never valid.
        WrongStatusKey: the key is not P-256.
    """
    status_list = _open_genuine(token, public_key)
    if status_list.iat > now + MAX_CLOCK_SKEW:
        raise BadStatusToken(f"it was issued in the future, {status_list.iat.isoformat()}", "签发时间晚于当前时间")
    if now >= status_list.exp:
        raise StatusExpired(status_list.sub, status_list.exp)
    return status_list


def open_past_token(token: bytes, public_key: bytes) -> StatusList:
    """Verify a list of ours whatever its age, to compare with it; it says nothing about the present.

    Raises:
        BadStatusToken: not of the form, or not signed by the key.
        WrongStatusKey: the key is not P-256.
    """
    return _open_genuine(token, public_key)


@lru_cache(maxsize=_OPENED)
def _open_genuine(token: bytes, public_key: bytes) -> StatusList:
    """Do all that follows from these bytes and this key alone; what the time says is asked at every opening."""
    if len(token) > MAX_TOKEN_BYTES:
        raise BadStatusToken(f"longer than {MAX_TOKEN_BYTES} bytes", f"超过 {MAX_TOKEN_BYTES} 字节")
    return _read_claims(_open_cwt(token, public_key) if token[:1] == _SIGN1_TAG else _open_jwt(token, public_key))


@dataclass(frozen=True, slots=True)
class _Claims:
    sub: Any
    iat: Any
    exp: Any
    ttl: Any
    bits: Any
    lst: Any


def _open_cwt(token: bytes, public_key: bytes) -> _Claims:
    match _load_cbor(token):
        case cbor2.CBORTag(tag=18, value=[bytes(protected), Mapping(), bytes(payload), bytes(signature)]):
            pass
        case _:
            raise BadStatusToken("it is no tagged COSE_Sign1", "不是带标签的 COSE_Sign1")
    header = _load_cbor(protected)
    if not isinstance(header, dict) or header.get(_ALG) != _ES256 or header.get(_TYP) != CWT_TYPE or 2 in header:
        raise BadStatusToken("its protected header is not that of a status list", "受保护头部不是状态列表")
    _verify(public_key, signature, encode(["Signature1", protected, b"", payload]))
    claims = _load_cbor(payload)
    inner = claims.get(_STATUS_LIST) if isinstance(claims, dict) else None
    if not isinstance(inner, dict):
        raise BadStatusToken("it has no status_list", "缺少 status_list")
    return _Claims(
        claims.get(_SUB), claims.get(_IAT), claims.get(_EXP), claims.get(_TTL), inner.get("bits"), inner.get("lst")
    )


def _open_jwt(token: bytes, public_key: bytes) -> _Claims:
    parts = token.split(b".")
    if len(parts) != 3:
        raise BadStatusToken("it is neither CWT nor JWT", "既不是 CWT 也不是 JWT")
    header, claims = _load_json(parts[0]), None
    if header.get("alg") != "ES256" or header.get("typ") != JWT_TYPE or "crit" in header:
        raise BadStatusToken("its header is not that of a status list", "头部不是状态列表")
    _verify(public_key, _unbase64url(parts[2]), parts[0] + b"." + parts[1])
    claims = _load_json(parts[1])
    inner = claims.get("status_list")
    if not isinstance(inner, dict) or not isinstance(inner.get("lst"), str):
        raise BadStatusToken("it has no status_list", "缺少 status_list")
    lst = _unbase64url(inner["lst"].encode())
    return _Claims(claims.get("sub"), claims.get("iat"), claims.get("exp"), claims.get("ttl"), inner.get("bits"), lst)


def _read_claims(claims: _Claims) -> StatusList:
    times = (claims.iat, claims.exp, claims.ttl)
    if not all(type(time) is int and 0 < time <= _LATEST for time in times):
        raise BadStatusToken("iat, exp and ttl must be whole seconds", "iat、exp、ttl 必须是整秒数")
    if not isinstance(claims.sub, str) or not isinstance(claims.lst, bytes):
        raise BadStatusToken("sub or lst is missing or of another type", "sub 或 lst 缺失或类型不符")
    if type(claims.bits) is not int or claims.bits not in {1, 2, 4, 8}:
        raise BadStatusToken("bits must be 1, 2, 4 or 8", "bits 必须是 1、2、4 或 8")
    return StatusList(
        claims.sub,
        datetime.fromtimestamp(claims.iat, UTC),
        datetime.fromtimestamp(claims.exp, UTC),
        timedelta(seconds=claims.ttl),
        claims.bits,
        inflate(claims.lst),
    )


# ---- parts ----------------------------------------------------------------------------------------------------


def _check_signer(signer: Signer) -> None:
    if signer.algorithm is not Algorithm.P256:
        raise WrongStatusKey(signer.algorithm.value)


def _raw_signature(der: bytes) -> bytes:
    return b"".join(part.to_bytes(_COORDINATE_BYTES, "big") for part in decode_dss_signature(der))


def _verify(public_key: bytes, signature: bytes, message: bytes) -> None:
    key = load_der_public_key(public_key)
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise WrongStatusKey(type(key).__name__)
    if len(signature) != 2 * _COORDINATE_BYTES:
        raise BadStatusToken(
            f"its signature has {len(signature)} bytes, not 64", f"签名长 {len(signature)} 字节,应为 64"
        )
    r, s = (int.from_bytes(part, "big") for part in (signature[:_COORDINATE_BYTES], signature[_COORDINATE_BYTES:]))
    try:
        key.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))
    except InvalidSignature as error:
        raise BadStatusToken("its signature does not fit", "签名不符") from error


def _load_cbor(data: bytes) -> Any:
    stream = BytesIO(data)
    try:
        value = cbor2.load(stream)
    except (cbor2.CBORDecodeError, ValueError, OverflowError, RecursionError) as error:
        raise BadStatusToken("it is not CBOR", "不是 CBOR") from error
    if stream.read(1):
        raise BadStatusToken("more bytes follow", "尾部有多余字节")
    return value


def _base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _unbase64url(text: bytes) -> bytes:
    try:
        value = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError as error:
        raise BadStatusToken("a part is not base64url", "某部分不是 base64url") from error
    if _base64url(value).encode() != text:
        raise BadStatusToken("a part is not base64url", "某部分不是 base64url")
    return value


def _load_json(part: bytes) -> dict[str, Any]:
    try:
        value = json.loads(_unbase64url(part))
    except (ValueError, RecursionError) as error:
        raise BadStatusToken("a part is not JSON", "某部分不是 JSON") from error
    if not isinstance(value, dict):
        raise BadStatusToken("a part is no JSON object", "某部分不是 JSON 对象")
    return value
