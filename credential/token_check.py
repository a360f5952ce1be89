"""Verify many tokens of the same few authorities: what is the same in all of them is judged once.

A token that :func:`credential.timestamp.verify_timestamp` found good is kept as a pattern: everything in it but
imprint, number, time and nonce, digest, and signature. Of a token that fits a pattern byte for byte only
those are read and checked, by a reader that knows this one form. A token that fits none, or is not good, goes the
long way, so that nothing is refused here and every refusal says what it always says.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from credential.chain import DIGESTS, same_answer_between
from credential.der import is_canonical_der, read_header
from credential.timestamp import (
    MAX_CARRIED,
    MAX_TOKEN_BYTES,
    BadTimestamp,
    SignatureCheck,
    Timestamp,
    signature_check,
    verify_timestamp,
)

MAX_PATTERNS = 32
"""An authority has a pattern or two for each of its signers; it cannot fill the memory by varying its tokens."""

_INTEGER, _OCTET_STRING, _UTC_TIME, _GENERALIZED_TIME = 0x02, 0x04, 0x17, 0x18
_SEQUENCE, _SET, _CONTEXT_0 = 0x30, 0x31, 0xA0
_MESSAGE_DIGEST: Final = bytes.fromhex("06092a864886f70d010904")
_SIGNING_TIME: Final = bytes.fromhex("06092a864886f70d010905")
_SECONDS: Final = re.compile(rb"[0-9]{14}(\.[0-9]{1,6})?Z", re.ASCII)
_SIGNED_AT: Final = re.compile(rb"([0-9]{2})?[0-9]{12}Z", re.ASCII)


_Pattern = tuple[tuple[bytes, ...], ...]


class _Unfamiliar(ValueError):
    """A token has not the one form that is read here."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """A token in its one form: the pattern, and what differs from token to token."""

    pattern: _Pattern
    content: bytes  # the TSTInfo
    signed_attributes: bytes  # under the tag of a SET OF
    message_digest: bytes
    signature: bytes
    imprint: bytes
    serial_number: int
    stated_at: datetime
    nonce: int | None


@dataclass(frozen=True, slots=True)
class _Known:
    """A pattern that was judged: what is the same in its tokens, and while which the chain holds."""

    said: Timestamp
    accuracy: timedelta
    digest: str  # of the statement, in the signed attributes
    check: SignatureCheck
    first: datetime
    last: datetime


class TokenCheck:
    """Verifies tokens against the same anchors, again and again; safe for several threads.

    Args:
        anchors: certificates of authorities, DER, as :func:`verify_timestamp` takes them.
    """

    def __init__(self, anchors: Sequence[bytes]) -> None:
        self._anchors = tuple(anchors)
        self._known: dict[_Pattern, _Known] = {}

    def verify(self, token: bytes, message: bytes) -> Timestamp:
        """Check that a known authority saw this very message, and that its token is DER.

        Args:
            token: TimeStampToken, not trusted.
            message: what was stamped, whole.

        Raises:
            BadTimestamp: :func:`verify_timestamp` refuses it, or its lengths are not those of DER.
        """
        parts = _read(token)
        if parts is not None and (known := self._known.get(parts.pattern)) and _is_good(parts, known, message):
            return replace(
                known.said,
                stated_at=parts.stated_at,
                attested_at=parts.stated_at + known.accuracy,
                imprint=parts.imprint,
                serial_number=parts.serial_number,
                nonce=parts.nonce,
            )
        said = verify_timestamp(token, message, self._anchors)
        if not is_canonical_der(token):
            raise BadTimestamp("it is not in DER", "不是 DER 编码")
        if parts is not None:
            self._remember(token, parts, said)
        return said

    def _remember(self, token: bytes, parts: _Parts, said: Timestamp) -> None:
        digest = next((one for one in DIGESTS if _digest(one, parts.content) == parts.message_digest), None)
        if digest is None:
            return
        involved = [x509.load_der_x509_certificate(der) for der in (*said.certificates[:MAX_CARRIED], *self._anchors)]
        involved.append(x509.load_der_x509_certificate(said.certificate))
        first, last = same_answer_between(involved, said.stated_at)
        if len(self._known) >= MAX_PATTERNS:
            self._known.clear()
        accuracy = said.attested_at - said.stated_at
        self._known[parts.pattern] = _Known(said, accuracy, digest, signature_check(token), first, last)


def _digest(name: str, content: bytes) -> bytes:
    return hashlib.new(name, content).digest()


def _is_good(parts: _Parts, known: _Known, message: bytes) -> bool:
    """Check what differs from token to token; the pattern stands for all else."""
    if (
        parts.stated_at < known.first
        or known.last - parts.stated_at < known.accuracy
        or _digest(known.said.imprint_algorithm, message) != parts.imprint
        or _digest(known.digest, parts.content) != parts.message_digest
    ):
        return False
    try:
        known.check(parts.signature, parts.signed_attributes)
    except (InvalidSignature, ValueError):
        return False
    return True


# ---- the one form -----------------------------------------------------------------------------------------------


def _read(token: bytes) -> _Parts | None:
    """Read a token that has the one form; None for any other."""
    if len(token) > MAX_TOKEN_BYTES:
        return None
    try:
        return _take_apart(token)
    except ValueError:  # _Unfamiliar, or a date that does not exist
        return None


def _take_apart(token: bytes) -> _Parts:
    kind, container = _members(_only(token, _SEQUENCE), 2)
    version, digests, enclosed, *carried, signers = _members(_only(_content(container, _CONTEXT_0), _SEQUENCE))
    content_kind, wrapped = _members(_content(enclosed, _SEQUENCE), 2)
    content = _only(_content(wrapped, _CONTEXT_0), _OCTET_STRING)
    signer_info = _members(_only(_content(signers, _SET), _SEQUENCE), 6)  # no unsigned attributes
    signer_version, signer, digest, attributes, algorithm, signature = signer_info
    same, message_digest = _read_attributes(_content(attributes, _CONTEXT_0))
    said_version, policy, imprint, number, at, *others = _members(_only(content, _SEQUENCE))
    imprint_kind, imprinted = _members(_content(imprint, _SEQUENCE), 2)
    place = next((place for place, one in enumerate(others) if one[0] == _INTEGER), None)
    nonce = None if place is None else _integer(others[place])
    if place is not None:
        others[place] = b"a nonce"
    envelope = (kind, version, digests, content_kind, *carried)
    return _Parts(
        pattern=(
            envelope,
            (signer_version, signer, digest, algorithm),
            same,
            (said_version, policy, imprint_kind),
            tuple(others),
        ),
        content=content,
        # Signed is the SET OF itself, not the [0] that stands for it in the container (RFC 5652, 5.4).
        signed_attributes=b"\x31" + attributes[1:],
        message_digest=message_digest,
        signature=_content(signature, _OCTET_STRING),
        imprint=_content(imprinted, _OCTET_STRING),
        serial_number=_integer(number),
        stated_at=_moment(_content(at, _GENERALIZED_TIME)),
        nonce=nonce,
    )


def _read_attributes(content: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """Give the signed attributes but for the values that differ, and the message digest."""
    same: list[bytes] = []
    message_digest = b""
    for attribute in _members(content):
        kind, values = _members(_content(attribute, _SEQUENCE), 2)
        if kind == _MESSAGE_DIGEST:
            message_digest = _only(_content(values, _SET), _OCTET_STRING)
            same.append(kind)
        elif kind == _SIGNING_TIME:
            (value,) = _members(_content(values, _SET), 1)
            if value[0] not in {_UTC_TIME, _GENERALIZED_TIME} or not _SIGNED_AT.fullmatch(_content(value, value[0])):
                raise _Unfamiliar
            same.append(kind + value[:1])
        else:
            same.append(attribute)
    return tuple(same), message_digest


def _members(content: bytes, count: int | None = None) -> list[bytes]:
    """Cut the content of a constructed value into the values it is made of, each with tag and length."""
    found: list[bytes] = []
    at, end = 0, len(content)
    while at < end:
        header = read_header(content, at, end)
        if header is None:
            raise _Unfamiliar
        found.append(content[at : header[1]])
        at = header[1]
    if count is not None and len(found) != count:
        raise _Unfamiliar
    return found


def _content(element: bytes, tag: int) -> bytes:
    """Give the content of a value that must have this tag."""
    header = read_header(element, 0, len(element))
    if header is None or element[0] != tag:
        raise _Unfamiliar
    return element[header[0] :]


def _only(content: bytes, tag: int) -> bytes:
    """Give the content of the one value that there may be, with this tag."""
    (element,) = _members(content, 1)
    return _content(element, tag)


def _integer(element: bytes) -> int:
    content = _content(element, _INTEGER)
    if not content:
        raise _Unfamiliar
    return int.from_bytes(content, signed=True)


def _moment(content: bytes) -> datetime:
    """Read the time as RFC 3161, 2.4.2 has it: to the second or finer, in UTC."""
    if not _SECONDS.fullmatch(content):
        raise _Unfamiliar
    text = content[:-1].decode("ascii")
    numbers = (text[:4], text[4:6], text[6:8], text[8:10], text[10:12], text[12:14], text[15:].ljust(6, "0"))
    year, month, day, hour, minute, second, fraction = map(int, numbers)
    return datetime(year, month, day, hour, minute, second, fraction, tzinfo=UTC)
