"""What the trust list says, its one form in JSON, and the rules that it must keep."""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from cryptography import x509

from credential.cose import BadPublicKey, PublicKey, algorithm_of, key_id, load_public_key
from credential.errors import InputError
from credential.ports import Algorithm

FORMAT = "yinzheng-trust-list/1"

_USCC = re.compile(r"[0-9A-Z]{18}")
_ORIGIN = re.compile(r"[!-*,-~]{1,200}")  # ASCII without space and plus (C2SP signed-note)
_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,200}")


class Role(StrEnum):
    """What a key may sign; each key has exactly one role."""

    PDF = "pdf"
    QR = "qr"
    LOG = "log"
    STATUS = "status"
    RECEIPT = "receipt"
    TRUST_ROOT = "trust-root"  # offline; such keys stand in ``roots``, never in ``keys``


class BadTrustList(InputError):
    """A trust list whose content is not in the one form or makes no sense."""

    code = "bad-trust-list"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(f"the trust list is not usable: {why_en}", f"信任列表不可用: {why_zh}")


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An organisation that may issue: its unified social credit code and name."""

    uscc: str
    name: str


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key, what it may sign, for whom and when.

    Attributes:
        role: never ``trust-root``.
        issuer: code of the issuer; empty for log, status and receipt keys of a shared service.
        algorithm: of the key.
        public_key: SPKI, DER.
        valid_from: first moment of a good signature.
        valid_until: first moment that is too late, or None.
        compromised_since: signatures not provably older are worth nothing.
    """

    role: Role
    issuer: str
    algorithm: Algorithm
    public_key: bytes
    valid_from: datetime
    valid_until: datetime | None = None
    compromised_since: datetime | None = None

    @property
    def kid(self) -> bytes:
        """The key identifier, as in COSE messages."""
        return key_id(self.public_key)

    def is_valid_at(self, moment: datetime) -> bool:
        """Whether the moment is in the key's time; says nothing of compromise."""
        return self.valid_from <= moment and (self.valid_until is None or moment < self.valid_until)

    def is_compromised_at(self, moment: datetime) -> bool:
        """Whether a signature of that moment may be a thief's."""
        return self.compromised_since is not None and moment >= self.compromised_since


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody who cosigns checkpoints: name as in notes, raw Ed25519 key of 32 bytes."""

    name: str
    public_key: bytes


@dataclass(frozen=True, slots=True)
class FormerLog:
    """A log of this service that was given up (after a restore); what it proved up to its end stays proven.

    Attributes:
        origin: first line of its checkpoints.
        size: leaves of its last checkpoint that counts; larger ones are not believed.
        root: of that checkpoint.
    """

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class TrustList:
    """All that a verifier believes; moments in UTC, whole seconds.

    Attributes:
        version: from 1, greater with every change.
        issued_at: when it was signed.
        expires: first moment at which it is worth nothing.
        log_origin: first line of the log's checkpoints.
        issuers: who may issue.
        keys: by role.
        ca_certs: DER; anchors of the PDF signing certificates.
        witnesses: who may cosign.
        witness_threshold: how many must (k); 0 means not witnessed.
        roots: Ed25519, SPKI, DER; who may sign the next list.
        threshold: how many of them must.
        tsa_certs: DER; anchors of time-stamping authorities (RFC 3161). Not written when empty.
        former_logs: logs that were given up. Not written when empty.
    """

    version: int
    issued_at: datetime
    expires: datetime
    log_origin: str
    issuers: tuple[TrustedIssuer, ...]
    keys: tuple[TrustedKey, ...]
    ca_certs: tuple[bytes, ...]
    witnesses: tuple[Witness, ...]
    witness_threshold: int
    roots: tuple[bytes, ...]
    threshold: int
    tsa_certs: tuple[bytes, ...] = ()
    former_logs: tuple[FormerLog, ...] = ()

    def find_key(self, kid: bytes, role: Role) -> TrustedKey | None:
        """The key with this identifier in this role, or None."""
        return next((key for key in self.keys if key.role is role and key.kid == kid), None)

    def find_issuer(self, uscc: str) -> TrustedIssuer | None:
        """The issuer with this code, or None."""
        return next((one for one in self.issuers if one.uscc == uscc), None)


def write_moment(moment: datetime) -> str:
    """Write a moment as the list does: UTC, whole seconds, ``2026-07-08T00:00:00Z``."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def write_key(key: TrustedKey) -> dict[str, str | None]:
    """Write a key as the list does, with plain JSON values."""
    return {
        "role": key.role,
        "issuer": key.issuer,
        "algorithm": key.algorithm,
        "public_key": _write_bytes(key.public_key),
        "valid_from": write_moment(key.valid_from),
        "valid_until": None if key.valid_until is None else write_moment(key.valid_until),
        "compromised_since": None if key.compromised_since is None else write_moment(key.compromised_since),
    }


def write_trust_list(trust: TrustList) -> bytes:
    """Write the list's one form: sorted JSON, UTF-8, no spaces."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": trust.version,
        "issued_at": write_moment(trust.issued_at),
        "expires": write_moment(trust.expires),
        "log_origin": trust.log_origin,
        "issuers": [{"uscc": one.uscc, "name": one.name} for one in trust.issuers],
        "keys": [write_key(key) for key in trust.keys],
        "ca_certs": [_write_bytes(ca_cert) for ca_cert in trust.ca_certs],
        "witnesses": [{"name": one.name, "public_key": _write_bytes(one.public_key)} for one in trust.witnesses],
        "witness_threshold": trust.witness_threshold,
        "roots": [_write_bytes(root) for root in trust.roots],
        "threshold": trust.threshold,
    }
    if trust.tsa_certs:
        content["tsa_certs"] = [_write_bytes(cert) for cert in trust.tsa_certs]
    if trust.former_logs:
        content["former_logs"] = [
            {"origin": one.origin, "size": one.size, "root": _write_bytes(one.root)} for one in trust.former_logs
        ]
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read_trust_list(payload: bytes) -> TrustList:
    """Read a list's content, strictly; its signatures are the caller's business.

    Raises:
        BadTrustList: not in the one form, or it makes no sense.
    """
    try:
        trust = _read(json.loads(payload))
        is_one_form = write_trust_list(trust) == payload
        keys = [*(key.public_key for key in trust.keys), *trust.roots]
        loaded = [load_public_key(key) for key in keys]
        for ca_cert in (*trust.ca_certs, *trust.tsa_certs):
            x509.load_der_x509_certificate(ca_cert)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, BadPublicKey) as error:
        raise BadTrustList(f"it is not complete or a value is wrong ({error})", f"内容不完整或有误({error})") from error
    rules = (
        (is_one_form, "it is not written in the one form", "编码形式不唯一"),
        (trust.version >= 1 and trust.issued_at < trust.expires, "version or times are wrong", "版本或时间有误"),
        (_ORIGIN.fullmatch(trust.log_origin) is not None, "the log origin is wrong", "日志来源名有误"),
        (len(set(keys)) == len(keys), "a key stands twice", "密钥重复"),
        (len(set(trust.ca_certs)) == len(trust.ca_certs), "a CA certificate stands twice", "CA 证书重复"),
        (len(set(trust.tsa_certs)) == len(trust.tsa_certs), "a TSA certificate stands twice", "时间戳证书重复"),
        (_are_former_logs_good(trust), "a former log is wrong or stands twice", "旧日志有误或重复"),
        (_are_issuers_good(trust), "an issuer is wrong or stands twice", "发证单位有误或重复"),
        (
            _are_keys_good(trust, loaded),
            "a key has a wrong role, issuer, time or algorithm",
            "密钥角色、单位、时间或算法有误",
        ),
        (_are_witnesses_good(trust), "a witness or their threshold is wrong", "见证方或其门限有误"),
        (_are_roots_good(trust, loaded[len(trust.keys) :]), "a root or their threshold is wrong", "根密钥或其门限有误"),
    )
    for holds, why_en, why_zh in rules:
        if not holds:
            raise BadTrustList(why_en, why_zh)
    return trust


def _read(content: Any) -> TrustList:
    if content["format"] != FORMAT:
        raise ValueError("format")
    return TrustList(
        version=_integer(content["version"]),
        issued_at=_moment(content["issued_at"]),
        expires=_moment(content["expires"]),
        log_origin=_text(content["log_origin"]),
        issuers=tuple(TrustedIssuer(_text(one["uscc"]), _text(one["name"])) for one in content["issuers"]),
        keys=tuple(
            TrustedKey(
                role=Role(one["role"]),
                issuer=_text(one["issuer"]),
                algorithm=Algorithm(one["algorithm"]),
                public_key=_bytes(one["public_key"]),
                valid_from=_moment(one["valid_from"]),
                valid_until=None if one["valid_until"] is None else _moment(one["valid_until"]),
                compromised_since=None if one["compromised_since"] is None else _moment(one["compromised_since"]),
            )
            for one in content["keys"]
        ),
        ca_certs=tuple(map(_bytes, content["ca_certs"])),
        witnesses=tuple(Witness(_text(one["name"]), _bytes(one["public_key"])) for one in content["witnesses"]),
        witness_threshold=_integer(content["witness_threshold"]),
        roots=tuple(map(_bytes, content["roots"])),
        threshold=_integer(content["threshold"]),
        tsa_certs=tuple(map(_bytes, content.get("tsa_certs", ()))),
        former_logs=tuple(
            FormerLog(_text(one["origin"]), _integer(one["size"]), _bytes(one["root"]))
            for one in content.get("former_logs", ())
        ),
    )


def _are_issuers_good(trust: TrustList) -> bool:
    codes = [one.uscc for one in trust.issuers]
    forms = all(_USCC.fullmatch(one.uscc) and _NAME.fullmatch(one.name) for one in trust.issuers)
    return forms and len(set(codes)) == len(codes)


def _are_keys_good(trust: TrustList, loaded: Sequence[PublicKey]) -> bool:
    shared = {Role.LOG, Role.STATUS, Role.RECEIPT}
    return all(
        key.role is not Role.TRUST_ROOT
        and (trust.find_issuer(key.issuer) is not None or (key.issuer == "" and key.role in shared))
        and (key.valid_until is None or key.valid_from < key.valid_until)
        and algorithm_of(public_key) is key.algorithm
        and (key.role is not Role.LOG or key.algorithm is Algorithm.ED25519)
        for key, public_key in zip(trust.keys, loaded, strict=False)
    )


def _are_witnesses_good(trust: TrustList) -> bool:
    witnesses = trust.witnesses
    forms = all(_ORIGIN.fullmatch(one.name) and len(one.public_key) == 32 for one in witnesses)
    unique = len({one.public_key for one in witnesses}) == len({one.name for one in witnesses}) == len(witnesses)
    return forms and unique and 0 <= trust.witness_threshold <= len(witnesses)


def _are_former_logs_good(trust: TrustList) -> bool:
    origins = [trust.log_origin, *(one.origin for one in trust.former_logs)]
    forms = all(_ORIGIN.fullmatch(one.origin) and one.size >= 0 and len(one.root) == 32 for one in trust.former_logs)
    return forms and len(set(origins)) == len(origins)


def _are_roots_good(trust: TrustList, loaded: Sequence[PublicKey]) -> bool:
    return 1 <= trust.threshold <= len(loaded) and all(algorithm_of(key) is Algorithm.ED25519 for key in loaded)


def _integer(value: object) -> int:
    if type(value) is not int:
        raise TypeError("integer")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value


def _bytes(value: object) -> bytes:
    return base64.b64decode(_text(value), validate=True)


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError("time without zone")
    return moment


def _write_bytes(value: bytes) -> str:
    return base64.b64encode(value).decode()
