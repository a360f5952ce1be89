"""Cosignatures of witnesses on checkpoints, and what a log sends to get one: pure parse, sign, verify.

Sources: C2SP tlog-cosignature (https://c2sp.org/tlog-cosignature), of which the
timestamped Ed25519 form (signature type 0x04) is made and read here, and C2SP
tlog-witness (https://c2sp.org/tlog-witness). A cosignature says: as of this
time, the greatest consistent tree that the witness has seen of this log is
this one. What a text says is believed of a witness only when
:func:`read_cosignatures` has returned it.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from credential.errors import InputError
from credential.merkle import HASH_BYTES
from credential.note import (
    MAX_NOTE_BYTES,
    BadCheckpoint,
    BadNote,
    Checkpoint,
    Note,
    WrongNoteKey,
    decode_base64,
    encode_base64,
    note_key_id,
    parse_checkpoint,
    parse_note,
)
from credential.ports import Algorithm, Signer
from credential.trust_list import Witness

MAX_PROOF_LINES = 63  # tlog-witness: a client MUST NOT send more
MAX_REQUEST_BYTES = MAX_NOTE_BYTES + MAX_PROOF_LINES * 45 + 64
LATEST_SECONDS = 2**63 - 1  # tlog-cosignature: a timestamp MUST NOT exceed it

_TYPE = b"\x04"
_LOG_TYPE = b"\x01"
_KEY_BYTES = 32
_TIME_BYTES = 8
_SIGNATURE_BYTES = 64
_NAME = re.compile(r"[!-*,-~]{1,200}")  # as the trust list has it
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


class BadNamedKey(InputError):
    """A text that is no public key of a witness or log, as ``name+key id+base64``."""

    code = "bad-named-key"

    def __init__(self, text: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"{text[:120]!r} is not a key of the form name+hash+base64: {why_en}; copy the whole line",
            f"“{text[:120]}”不是“名称+标识+公钥”形式的密钥: {why_zh}; 请完整复制整行",
        )


class BadWitnessRequest(InputError):
    """A body that is no request for a cosignature."""

    code = "bad-witness-request"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(f"the request for a cosignature is malformed: {why_en}", f"见证请求格式有误: {why_zh}")


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness's word on a checkpoint, verified.

    Attributes:
        witness: whose.
        seconds: when it was given, since 1970 UTC, by the witness's clock.
    """

    witness: Witness
    seconds: int


@dataclass(frozen=True, slots=True)
class WitnessRequest:
    """What a log asks of a witness; nothing of it is verified.

    Attributes:
        old_size: of the last checkpoint that the witness cosigned, as the log believes.
        proof: consistency proof from there (RFC 6962, 2.1.2); empty from size zero.
        note: the signed checkpoint, verbatim.
    """

    old_size: int
    proof: tuple[bytes, ...]
    note: str


# ---- keys -----------------------------------------------------------------------------------------------------


def witness_key_id(witness: Witness) -> bytes:
    """Compute the four bytes that point at a witness's key in its lines."""
    return hashlib.sha256(witness.name.encode() + b"\n" + _TYPE + witness.public_key).digest()[:4]


def witness_key(witness: Witness) -> str:
    """Write a witness's key as other tools of the family take it: ``name+key id+base64``, of type 0x04."""
    return f"{witness.name}+{witness_key_id(witness).hex()}+{encode_base64(_TYPE + witness.public_key)}"


def read_witness_key(text: str) -> Witness:
    """Read what :func:`witness_key` writes, strictly.

    Raises:
        BadNamedKey: not of the form, its hash does not fit, or it is no Ed25519 key of a witness.
    """
    name, key = _read_named_key(text, _TYPE)
    witness = Witness(name, key)
    if text != witness_key(witness):
        raise BadNamedKey(text, "its hash does not fit, so a character is wrong", "标识与公钥不符, 抄写有误")
    return witness


def read_log_key(text: str) -> tuple[str, bytes]:
    """Read a log's key, what :func:`credential.note.verifier_key` writes; gives the origin and the SPKI, DER.

    Raises:
        BadNamedKey: not of the form, its hash does not fit, or it is no Ed25519 key of a log.
    """
    name, key = _read_named_key(text, _LOG_TYPE)
    spki = spki_of(key)
    if text != f"{name}+{note_key_id(name, spki).hex()}+{encode_base64(_LOG_TYPE + key)}":
        raise BadNamedKey(text, "its hash does not fit, so a character is wrong", "标识与公钥不符, 抄写有误")
    return name, spki


def spki_of(public_key: bytes) -> bytes:
    """Write a raw Ed25519 key of 32 bytes as SubjectPublicKeyInfo, DER."""
    key = Ed25519PublicKey.from_public_bytes(public_key)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def witness_of(name: str, signer: Signer) -> Witness:
    """Name the key of a signer as a witness's.

    Raises:
        WrongNoteKey: the key is not Ed25519.
    """
    if signer.algorithm is not Algorithm.ED25519:
        raise WrongNoteKey(signer.algorithm.value)
    return Witness(name, signer.public_key[-_KEY_BYTES:])  # the DER of an Ed25519 key ends in the key itself


# ---- cosignatures ---------------------------------------------------------------------------------------------


def cosign(text: str, name: str, signer: Signer, at: datetime) -> str:
    """Cosign the text of a checkpoint; gives one signature line with its line end.

    Whoever calls this has checked that the tree is consistent with every one
    cosigned before, and has made a durable note of it.

    Args:
        text: a note's text, as it was signed by the log.
        name: the witness's.
        signer: its Ed25519 key, which signs nothing else.
        at: with time zone; whole seconds count.

    Raises:
        WrongNoteKey: the key is not Ed25519.
        UnavailableError: the key store does not answer.
    """
    key_id = witness_key_id(witness_of(name, signer))
    seconds = int(at.timestamp())
    signature = seconds.to_bytes(_TIME_BYTES, "big") + signer.sign(_message(text, seconds))
    return f"\N{EM DASH} {name} {encode_base64(key_id + signature)}\n"


@lru_cache(maxsize=64)
def read_cosignatures(note: str, witnesses: tuple[Witness, ...]) -> tuple[Cosignature, ...]:
    """Say which of these witnesses cosigned a note; each counts once, however often it signed.

    The last 64 are remembered: hundreds of proofs share one checkpoint.

    Args:
        note: the signed note; not trusted. The log's own signature is another's business.
        witnesses: known and trusted; lines of all others are ignored.

    Raises:
        BadNote: no note, or a line by one of these is bad: the whole note is then refused (C2SP signed-note).
    """
    parsed = parse_note(note)
    found = (_cosignature(parsed, witness) for witness in witnesses)
    return tuple(one for one in found if one is not None)


def cosignature_lines(note: str, witnesses: tuple[Witness, ...]) -> str:
    """Take the good lines of these witnesses out of a note, the latest of each, with their line ends.

    Raises:
        BadNote: as :func:`read_cosignatures`.
    """
    parsed = parse_note(note)
    lines = []
    for one in read_cosignatures(note, witnesses):
        latest = max(_lines_of(parsed, one.witness), key=lambda signature: signature[:_TIME_BYTES])
        lines.append(f"\N{EM DASH} {one.witness.name} {encode_base64(witness_key_id(one.witness) + latest)}\n")
    return "".join(lines)


def _cosignature(note: Note, witness: Witness) -> Cosignature | None:
    """Verify every line of a witness; gives the latest."""
    times = [_verified_seconds(note, witness, signature) for signature in _lines_of(note, witness)]
    return Cosignature(witness, max(times)) if times else None


def _lines_of(note: Note, witness: Witness) -> list[bytes]:
    wanted = (witness.name, witness_key_id(witness))
    return [one.signature for one in note.signatures if (one.name, one.key_id) == wanted]


def _verified_seconds(note: Note, witness: Witness, signature: bytes) -> int:
    name = witness.name
    seconds = int.from_bytes(signature[:_TIME_BYTES], "big")
    if len(signature) != _TIME_BYTES + _SIGNATURE_BYTES or not 0 < seconds <= LATEST_SECONDS:
        raise BadNote(f"the cosignature by {name} has no proper form", f"{name} 的见证签名格式有误")
    try:
        key = Ed25519PublicKey.from_public_bytes(witness.public_key)
        key.verify(signature[_TIME_BYTES:], _message(note.text, seconds))
    except InvalidSignature as error:
        raise BadNote(f"the cosignature by {name} does not fit the text", f"{name} 的见证签名与正文不符") from error
    return seconds


def _message(text: str, seconds: int) -> bytes:
    """What is signed: the whole text of the checkpoint behind two lines of its own."""
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


# ---- requests -------------------------------------------------------------------------------------------------


def format_request(request: WitnessRequest) -> str:
    """Write the body of ``add-checkpoint``."""
    lines = [f"old {request.old_size}", *map(encode_base64, request.proof)]
    return "".join(f"{line}\n" for line in lines) + "\n" + request.note


def parse_request(body: bytes) -> tuple[WitnessRequest, Checkpoint]:
    """Take the body of ``add-checkpoint`` apart, without believing anything in it.

    Raises:
        BadWitnessRequest: too long, or not of the form.
    """
    if len(body) > MAX_REQUEST_BYTES:
        raise BadWitnessRequest(f"longer than {MAX_REQUEST_BYTES} bytes", f"超过 {MAX_REQUEST_BYTES} 字节")
    try:
        head, blank, note = body.decode().partition("\n\n")
    except UnicodeDecodeError as error:
        raise BadWitnessRequest("it is not UTF-8", "不是 UTF-8 文本") from error
    first, *lines = head.split("\n")
    size = first.removeprefix("old ")
    if not blank or first == size or not _DECIMAL.fullmatch(size):
        raise BadWitnessRequest("it does not begin with a line 'old' and a size", "首行应为 old 和规模")
    proof = [decode_base64(line) for line in lines]
    hashes = tuple(one for one in proof if one is not None and len(one) == HASH_BYTES)
    if len(hashes) != len(proof) or len(proof) > MAX_PROOF_LINES:
        raise BadWitnessRequest(
            f"its proof is not at most {MAX_PROOF_LINES} lines, each base64 of {HASH_BYTES} bytes",
            f"证明应至多 {MAX_PROOF_LINES} 行, 每行为 {HASH_BYTES} 字节的 base64",
        )
    try:
        return WitnessRequest(int(size), hashes, note), parse_checkpoint(parse_note(note).text)
    except (BadNote, BadCheckpoint) as error:
        raise BadWitnessRequest(error.en, error.zh) from error


# ---- parts ----------------------------------------------------------------------------------------------------


def _read_named_key(text: str, kind: bytes) -> tuple[str, bytes]:
    parts = text.split("+", 2)
    if len(parts) != 3 or not _NAME.fullmatch(parts[0]):
        raise BadNamedKey(text, "it has not three parts with plus signs between", "应由加号分为三段")
    key = decode_base64(parts[2])
    if key is None or len(key) != 1 + _KEY_BYTES:
        raise BadNamedKey(text, "its last part is not base64 of 33 bytes", "末段不是 33 字节的 base64")
    if key[:1] != kind:
        wanted = {_TYPE: ("a witness's (04)", "见证方(04)"), _LOG_TYPE: ("a log's (01)", "日志(01)")}[kind]
        raise BadNamedKey(
            text, f"its kind is {key[:1].hex()}, not {wanted[0]}", f"类型为 {key[:1].hex()}, 应为{wanted[1]}"
        )
    return parts[0], key[1:]
