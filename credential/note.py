"""Signed notes, checkpoints and proofs of the transparency log, as texts: pure parse, sign, verify.

Sources: C2SP signed-note (https://c2sp.org/signed-note), tlog-checkpoint
(https://c2sp.org/tlog-checkpoint), tlog-proof (https://c2sp.org/tlog-proof);
hashing is RFC 6962. Only Ed25519 (signature type 0x01) is signed and verified
here; signatures by keys that were not asked for, such as those of witnesses,
are kept and ignored, as the specification demands.

A text is untrusted until :func:`open_checkpoint` or :func:`verify_proof` has
returned: nothing else here says that anything is true.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from credential.errors import ConfigError, InputError
from credential.merkle import BadProof, LogProof, leaf_hash, verify_inclusion
from credential.ports import Algorithm, Signer

MAX_NOTE_BYTES = 100_000  # room for 16 post-quantum signatures of 5 kB, which verifiers must accept
MAX_PROOF_BYTES = MAX_NOTE_BYTES + 64 * 45 + 10_000
MAX_PROOF_HASHES = 63  # a tree of fewer than 2^63 leaves has no longer path
PROOF_HEADER = "c2sp.org/tlog-proof@v1"

_ED25519_TYPE = b"\x01"
_KEY_ID_BYTES = 4
_DIGEST_BYTES = 32
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIGNATURE_LINE = re.compile(r"— ([^ ]+) ([^ ]+)")


class BadNote(InputError):
    """A text that is no signed note, or not signed by the key that was asked for."""

    code = "bad-note"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(f"the signed note is bad: {why_en}", f"签名文本无效:{why_zh}")


class BadCheckpoint(InputError):
    """A note whose text is no checkpoint, or one of another log."""

    code = "bad-checkpoint"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(f"the checkpoint is bad: {why_en}", f"日志检查点无效:{why_zh}")


class BadLogProof(InputError):
    """A text that does not prove that a leaf is in the log."""

    code = "bad-log-proof"

    def __init__(self, why_en: str, why_zh: str) -> None:
        super().__init__(f"the log proof is bad: {why_en}", f"日志证明无效:{why_zh}")


class WrongNoteKey(ConfigError):
    """A key that cannot sign or verify notes."""

    code = "wrong-note-key"

    def __init__(self, found: str) -> None:
        super().__init__(
            f"notes are signed with an ed25519 key, and this is {found}", f"签名文本须用 ed25519 密钥,实为 {found}"
        )


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line of a note."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note taken apart; nothing of it is verified.

    Attributes:
        text: what is signed, with its last newline.
        signatures: in the order of the lines.
    """

    text: str
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log's tree at one size.

    Attributes:
        origin: identity of the log, a URL without scheme.
        size: number of leaves.
        root: RFC 6962 root hash of that tree.
        extensions: further lines; we write none.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


# ---- notes ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def note_key_id(name: str, public_key: bytes) -> bytes:
    """Compute the four bytes that point at an Ed25519 key, given as SPKI DER."""
    _check_key_name(name)
    return hashlib.sha256(name.encode() + b"\n" + _ED25519_TYPE + _raw_key(public_key)).digest()[:_KEY_ID_BYTES]


def verifier_key(name: str, public_key: bytes) -> str:
    """Write a key as other tools of the family take it: ``name+key id+base64``."""
    key_id = note_key_id(name, public_key)
    return f"{name}+{key_id.hex()}+{encode_base64(_ED25519_TYPE + _raw_key(public_key))}"


def sign_note(text: str, name: str, signer: Signer) -> str:
    """Sign a text that ends in a newline, under a key name.

    Raises:
        BadNote: the text or the name may not stand in a note.
        WrongNoteKey: the signer's key is not Ed25519.
    """
    if signer.algorithm is not Algorithm.ED25519:
        raise WrongNoteKey(signer.algorithm.value)
    if not text.endswith("\n") or _CONTROL.search(text):
        raise BadNote("the text must end in a newline and have no control characters", "正文须以换行结尾且不含控制字符")
    key_id = note_key_id(name, signer.public_key)
    return f"{text}\n— {name} {encode_base64(key_id + signer.sign(text.encode()))}\n"


def parse_note(note: str) -> Note:
    """Take a note apart, without believing anything in it.

    Raises:
        BadNote: too long, or not of the form.
    """
    if len(note.encode("utf-8", "surrogatepass")) > MAX_NOTE_BYTES:
        raise BadNote(f"longer than {MAX_NOTE_BYTES} bytes", f"超过 {MAX_NOTE_BYTES} 字节")
    if _CONTROL.search(note) or any("\ud800" <= character <= "\udfff" for character in note):
        raise BadNote("it has control characters", "含控制字符")
    head, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise BadNote("no signature lines", "没有签名行")
    return Note(f"{head}\n", tuple(_parse_signature(line) for line in tail[:-1].split("\n")))


def verify_note(note: Note, name: str, public_key: bytes) -> None:
    """Check that a key signed the note; return only if it did.

    Args:
        note: not trusted.
        name: the key's name.
        public_key: SPKI DER, trusted.

    Raises:
        BadNote: no signature by this key, or a bad one (the whole note is then refused).
        WrongNoteKey: the key is not Ed25519.
    """
    key = _load_key(public_key)
    key_id = note_key_id(name, public_key)
    ours = [signature for signature in note.signatures if (signature.name, signature.key_id) == (name, key_id)]
    if not ours:
        raise BadNote(f"no signature by {name} with key {key_id.hex()}", f"没有 {name}(密钥 {key_id.hex()})的签名")
    for signature in ours:
        try:
            key.verify(signature.signature, note.text.encode())
        except InvalidSignature as error:
            raise BadNote(f"the signature by {name} does not fit the text", f"{name} 的签名与正文不符") from error


def refuse_bad_lines(note: str, name: str, public_keys: Iterable[bytes]) -> None:
    """Refuse a note in which a line by any of several known keys is bad, whichever of them is believed.

    A key that signed nothing is no matter (C2SP signed-note: a bad signature by
    a known key refuses the whole note, an unknown key is passed over).

    Args:
        note: not trusted.
        name: of the keys.
        public_keys: all that are known, SPKI DER; also those that are not believed any more.

    Raises:
        BadNote: a line is bad, or it is no note.
        WrongNoteKey: a key is not Ed25519.
    """
    keys = tuple(public_keys)
    if len(keys) > 1:  # the only one is the one that is believed, and is checked for that
        _refuse_bad_lines(note, name, keys)


@lru_cache(maxsize=64)
def _refuse_bad_lines(note: str, name: str, public_keys: tuple[bytes, ...]) -> None:
    parsed = parse_note(note)
    signed_by = {signature.key_id for signature in parsed.signatures if signature.name == name}
    for key in public_keys:
        if note_key_id(name, key) in signed_by:
            verify_note(parsed, name, key)


def format_signature(signature: NoteSignature) -> str:
    """Write one signature line, with its newline, to put behind a note."""
    return f"— {signature.name} {encode_base64(signature.key_id + signature.signature)}\n"


# ---- checkpoints ----------------------------------------------------------------------------------------------


def checkpoint_text(checkpoint: Checkpoint) -> str:
    """Write the text of a checkpoint, as it is signed."""
    lines = [checkpoint.origin, str(checkpoint.size), encode_base64(checkpoint.root), *checkpoint.extensions]
    return "".join(f"{line}\n" for line in lines)


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint (a note's text, without its signatures).

    Raises:
        BadCheckpoint: not of the form.
    """
    lines = text.split("\n")
    if lines.pop() or len(lines) < 3 or not all(lines):
        raise BadCheckpoint("it needs three lines, none of them empty", "应至少有三行且无空行")
    origin, size, root, *extensions = lines
    if not _DECIMAL.fullmatch(size):
        raise BadCheckpoint(f"the size {size[:40]!r} is no plain decimal", f"规模“{size[:40]}”不是十进制数")
    digest = decode_base64(root)
    if digest is None or len(digest) != _DIGEST_BYTES:
        raise BadCheckpoint("the root is not base64 of 32 bytes", "根哈希不是 32 字节的 base64")
    return Checkpoint(origin, int(size), digest, tuple(extensions))


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> str:
    """Sign a checkpoint with the log's key; the key's name is the origin. The same bytes each time."""
    return sign_note(checkpoint_text(checkpoint), checkpoint.origin, signer)


@lru_cache(maxsize=64)
def open_checkpoint(note: str, public_key: bytes, origin: str) -> Checkpoint:
    """Verify a signed checkpoint and return what it says.

    The last 64 good ones are remembered: hundreds of proofs share one.

    Args:
        note: the signed note; not trusted.
        public_key: the log's, SPKI DER.
        origin: the log's; also the key's name.

    Raises:
        BadNote: not a note, or not signed by the key.
        BadCheckpoint: signed, but no checkpoint of this log.
    """
    parsed = parse_note(note)
    verify_note(parsed, origin, public_key)
    checkpoint = parse_checkpoint(parsed.text)
    if checkpoint.origin != origin:
        raise BadCheckpoint(f"it is of the log {checkpoint.origin!r}, not {origin!r}", f"属于日志“{checkpoint.origin}”")
    return checkpoint


# ---- proofs ---------------------------------------------------------------------------------------------------


def format_proof(index: int, hashes: Sequence[bytes], checkpoint: str, extra: bytes = b"") -> str:
    """Write a proof; ``checkpoint`` is the signed note, verbatim."""
    lines = [PROOF_HEADER]
    if extra:
        lines.append(f"extra {encode_base64(extra)}")
    lines += [f"index {index}", *map(encode_base64, hashes)]
    return "\n".join(lines) + "\n\n" + checkpoint


def parse_proof(text: str) -> LogProof:
    """Take a proof apart, without believing anything in it.

    Raises:
        BadLogProof: too long, or not of the form.
    """
    if len(text) > MAX_PROOF_BYTES:
        raise BadLogProof(f"longer than {MAX_PROOF_BYTES} characters", f"超过 {MAX_PROOF_BYTES} 个字符")
    head, blank, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or lines.pop(0) != PROOF_HEADER:
        raise BadLogProof(f"it does not begin with {PROOF_HEADER}", f"首行应为 {PROOF_HEADER}")
    extra: bytes | None = b""
    if lines and lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0).removeprefix("extra "))
    index = lines.pop(0).removeprefix("index ") if lines and lines[0].startswith("index ") else ""
    if extra is None or not _DECIMAL.fullmatch(index):
        raise BadLogProof("no proper extra or index line", "extra 行或 index 行有误")
    if len(lines) > MAX_PROOF_HASHES:
        raise BadLogProof(f"it has {len(lines)} hashes", f"含 {len(lines)} 个哈希,过多")
    hashes = [decode_base64(line) for line in lines]
    proper = tuple(digest for digest in hashes if digest is not None and len(digest) == _DIGEST_BYTES)
    if len(proper) != len(hashes):
        raise BadLogProof("a line is not base64 of 32 bytes", "某行不是 32 字节的 base64")
    return LogProof(int(index), proper, checkpoint, extra)


def verify_proof(proof: str | LogProof, leaf: bytes, public_key: bytes, origin: str) -> Checkpoint:
    """Check that a leaf is in the log, and return the checkpoint that says so.

    Args:
        proof: as text or taken apart; not trusted.
        leaf: computed by the caller from what it wants proven (credential/leaves.py).
        public_key: the log's, SPKI DER.
        origin: the log's.

    Raises:
        BadLogProof: not a proof, or one of another leaf, place or tree.
        BadNote: its checkpoint is not signed by the log's key.
        BadCheckpoint: its checkpoint is of another log.
    """
    if isinstance(proof, str):
        proof = parse_proof(proof)
    checkpoint = open_checkpoint(proof.checkpoint, public_key, origin)
    verify_under(checkpoint, proof, leaf)
    return checkpoint


def verify_under(checkpoint: Checkpoint, proof: LogProof, leaf: bytes) -> None:
    """Check that a leaf is in the tree of a checkpoint that was opened already.

    Raises:
        BadLogProof: the proof is one of another leaf, place or tree.
    """
    try:
        verify_inclusion(leaf_hash(leaf), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    except BadProof as error:
        raise BadLogProof(
            f"the leaf is not at index {proof.index} of the tree of {checkpoint.size}",
            f"该条目不在规模 {checkpoint.size} 的日志的第 {proof.index} 位",
        ) from error


# ---- parts ----------------------------------------------------------------------------------------------------


def _parse_signature(line: str) -> NoteSignature:
    match = _SIGNATURE_LINE.fullmatch(line)
    if match is None:
        raise BadNote("a signature line is malformed", "签名行格式有误")
    name, encoded = match.groups()
    _check_key_name(name)
    signature = decode_base64(encoded)
    if signature is None or len(signature) <= _KEY_ID_BYTES:
        raise BadNote("a signature is not base64 of a key id and more", "签名不是有效的 base64")
    return NoteSignature(name, signature[:_KEY_ID_BYTES], signature[_KEY_ID_BYTES:])


def _check_key_name(name: str) -> None:
    if not name or "+" in name or any(character.isspace() for character in name):
        raise BadNote(f"{name[:80]!r} cannot name a key", f"“{name[:80]}”不能作密钥名")


@lru_cache(maxsize=64)
def _load_key(public_key: bytes) -> Ed25519PublicKey:
    key = load_der_public_key(public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise WrongNoteKey(type(key).__name__)
    return key


def _raw_key(public_key: bytes) -> bytes:
    return _load_key(public_key).public_bytes_raw()


# ---- base64 ---------------------------------------------------------------------------------------------------


def encode_base64(value: bytes) -> str:
    """Write bytes as the base64 that notes have: standard alphabet, padded."""
    return base64.b64encode(value).decode()


def decode_base64(text: str) -> bytes | None:
    """Decode strictly: the one encoding of the bytes, else None."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if encode_base64(value) == text else None
