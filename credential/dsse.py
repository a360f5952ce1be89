"""DSSE envelopes (secure-systems-lab/dsse, v1): JSON around bytes and Ed25519 signatures."""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from credential.cose import key_id, load_public_key
from credential.errors import InputError
from credential.ports import Signer

MAX_ENVELOPE_BYTES = 1 << 24
MAX_SIGNATURES = 64


class BadEnvelope(InputError):
    """Bytes that are not a DSSE envelope in the one form we write."""

    code = "bad-envelope"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"the file is not a signed envelope of ours: {why_en}", f"该文件不是本系统的签名封装: {why_zh}"
        )


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope in the right form; nothing in it is believed before :meth:`signers`.

    Attributes:
        payload_type: what the payload is, part of what is signed.
        payload: the signed bytes.
        signatures: signature by hexadecimal key identifier.
    """

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]

    def signers(self, public_keys: Iterable[bytes]) -> frozenset[bytes]:
        """Say which of these keys signed; a key counts once however often it signed.

        Args:
            public_keys: Ed25519, SPKI, DER; keys of other kinds never count.

        Raises:
            BadPublicKey: a key cannot be read.
        """
        content = pre_authentication_encoding(self.payload_type, self.payload)
        return frozenset(
            key
            for key in public_keys
            if any(keyid == key_id(key).hex() and _is_signed(key, content, by) for keyid, by in self.signatures)
        )


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """What is signed: PAE of the DSSE protocol, which binds the type to the payload."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_envelope(payload_type: str, payload: bytes, signers: Sequence[Signer]) -> bytes:
    """Put a payload into an envelope that all of these have signed.

    Args:
        payload_type: a media type, ASCII.
        payload: any bytes.
        signers: Ed25519.

    Raises:
        UnavailableError: a signer's key store does not answer.
    """
    return add_signatures(Envelope(payload_type, payload, ()), signers)


def add_signatures(envelope: Envelope, signers: Sequence[Signer]) -> bytes:
    """Write an envelope with further signatures; who has signed already keeps the signature there is.

    Args:
        envelope: what it holds is the caller's business: whoever signs must have read it.
        signers: Ed25519.

    Raises:
        UnavailableError: a signer's key store does not answer.
    """
    content = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    signed = envelope.signers(signer.public_key for signer in signers)
    added = [
        (key_id(signer.public_key).hex(), signer.sign(content)) for signer in signers if signer.public_key not in signed
    ]
    return _write(replace(envelope, signatures=(*envelope.signatures, *added)))


def join_envelopes(envelopes: Sequence[Envelope]) -> bytes:
    """Write one envelope with the signatures of several, each once: roots in different places sign different copies.

    Raises:
        BadEnvelope: they do not hold the same, or have too many signatures together.
    """
    first = envelopes[0]
    if any((one.payload_type, one.payload) != (first.payload_type, first.payload) for one in envelopes):
        raise BadEnvelope("the copies do not hold the same", "各份内容不一致")
    together = tuple({signature: None for one in envelopes for signature in one.signatures})
    if len(together) > MAX_SIGNATURES:
        raise BadEnvelope(f"it has more than {MAX_SIGNATURES} signatures", f"签名超过 {MAX_SIGNATURES} 个")
    return _write(replace(first, signatures=together))


def open_envelope(envelope: bytes, payload_type: str) -> Envelope:
    """Take an envelope apart without believing it.

    Args:
        envelope: not trusted; at most 16 MiB.
        payload_type: the only one accepted.

    Raises:
        BadEnvelope: not in the one form we write, or of another type.
    """
    if len(envelope) > MAX_ENVELOPE_BYTES:
        raise BadEnvelope("it is too long", "文件过长")
    try:
        outer = json.loads(envelope)
        opened = Envelope(
            outer["payloadType"],
            base64.b64decode(outer["payload"], validate=True),
            tuple((one["keyid"], base64.b64decode(one["sig"], validate=True)) for one in outer["signatures"]),
        )
        is_ours = _write(opened) == envelope
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadEnvelope("it has not the members of one", "结构不符") from error
    if not is_ours or len(opened.signatures) > MAX_SIGNATURES:
        raise BadEnvelope("it is not written in the one form", "编码形式不唯一")
    if opened.payload_type != payload_type:
        raise BadEnvelope(f"it holds something else than {payload_type}", f"内容类型不是 {payload_type}")
    return opened


def _write(envelope: Envelope) -> bytes:
    members = {
        "payload": base64.b64encode(envelope.payload).decode(),
        "payloadType": envelope.payload_type,
        "signatures": [{"keyid": keyid, "sig": base64.b64encode(by).decode()} for keyid, by in envelope.signatures],
    }
    return json.dumps(members, sort_keys=True, indent=1).encode() + b"\n"


def _is_signed(public_key: bytes, content: bytes, signature: bytes) -> bool:
    key = load_public_key(public_key)
    if not isinstance(key, ed25519.Ed25519PublicKey):
        return False
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True
