"""Openings of leaves as a file for auditors, and the check of one, which needs nothing of ours.

One JSON object a line (docs/formats-log.md, section 1). The first line has the
checkpoint that the positions are under; each further one says of a position
which content the leaf there commits to.
"""

import base64
import binascii
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from credential.cbor import BadCbor, decode
from credential.errors import InputError
from credential.leaves import SALT_BYTES, LeafKind, opened_leaf
from credential.merkle import BadProof, leaf_hash, verify_inclusion
from credential.note import Checkpoint
from registry.log.growth import open_by_any

FORMAT = "yinzheng.openings/v1"


class BadOpening(InputError):
    """A file of openings that is malformed, or an opening that does not fit the log."""

    code = "bad-opening"

    def __init__(self, line: int, why_en: str, why_zh: str) -> None:
        super().__init__(f"line {line} of the openings: {why_en}", f"开示文件第 {line} 行: {why_zh}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Opening:
    """What one leaf of the log commits to.

    Attributes:
        position: of the leaf.
        kind: of the leaf.
        salt: 16 bytes.
        content: deterministic CBOR.
        about: what it belongs to, for people; vouched for by nobody.
        proof: inclusion proof under the checkpoint of the file; None leaves it to the entries.
    """

    position: int
    kind: LeafKind
    salt: bytes
    content: bytes
    about: str = ""
    proof: tuple[bytes, ...] | None = None

    @property
    def leaf(self) -> bytes:
        """The bytes that must stand at the position."""
        return opened_leaf(self.kind, self.salt, self.content)


@dataclass(frozen=True, slots=True)
class CheckedOpenings:
    """A file that was checked, line by line, to be true of a log.

    Attributes:
        note: the checkpoint they are under, verbatim.
        checkpoint: what it says.
        counts: openings by kind.
    """

    note: str
    checkpoint: Checkpoint
    counts: Counter[LeafKind]


def format_header(note: str) -> str:
    """Write the first line, with the checkpoint, a signed note."""
    return _line({"format": FORMAT, "checkpoint": note})


def format_opening(opening: Opening) -> str:
    """Write one opening as a line."""
    told: dict[str, Any] = {
        "position": opening.position,
        "kind": opening.kind.value,
        "salt": opening.salt.hex(),
        "content": opening.content.hex(),
        "about": opening.about,
    }
    if opening.proof is not None:
        told["proof"] = [base64.b64encode(one).decode() for one in opening.proof]
    return _line(told)


def check_openings(
    lines: Iterable[str],
    public_keys: Sequence[bytes],
    origin: str,
    leaf_at: Callable[[int], bytes] | None = None,
    tell: Callable[[Opening, object], None] = lambda _opening, _content: None,
) -> CheckedOpenings:
    """Check that every opening of a file is true of the log.

    Args:
        lines: of the file; not trusted.
        public_keys: the log's and those before it, SPKI DER.
        origin: the log's.
        leaf_at: reads an entry of the published log that was checked to its root;
            without it every line needs a proof.
        tell: given each opening that is true, and its content, decoded.

    Raises:
        BadOpening: a line is malformed, or not true.
        BadNote: the checkpoint is not signed by the log.
        BadCheckpoint: it is of another log.
    """
    numbered = enumerate(lines, start=1)
    note = _header(*next(numbered, (1, "")))
    checkpoint = open_by_any(note, public_keys, origin)
    counts: Counter[LeafKind] = Counter()
    for number, line in numbered:
        opening = _parse(number, line)
        if opening.proof is None and leaf_at is None:
            raise BadOpening(
                number, "it has no proof; check it against the log's files", "未附证明, 须对照日志文件核对"
            )
        if not _is_true(opening, checkpoint, leaf_at):
            raise BadOpening(
                number,
                f"the leaf at position {opening.position} does not commit to it",
                f"日志第 {opening.position} 条并非此内容的承诺",
            )
        tell(opening, _content(number, opening))
        counts[opening.kind] += 1
    return CheckedOpenings(note, checkpoint, counts)


def _is_true(opening: Opening, checkpoint: Checkpoint, leaf_at: Callable[[int], bytes] | None) -> bool:
    if opening.position >= checkpoint.size:
        return False
    if leaf_at is not None and leaf_at(opening.position) != opening.leaf:
        return False
    if opening.proof is None:
        return True
    try:
        verify_inclusion(leaf_hash(opening.leaf), opening.position, checkpoint.size, opening.proof, checkpoint.root)
    except BadProof:
        return False
    return True


def _header(number: int, line: str) -> str:
    header = _object(number, line)
    note = header.get("checkpoint")
    if header.get("format") != FORMAT or not isinstance(note, str):
        raise BadOpening(number, f"the first line does not say {FORMAT}", f"首行应注明 {FORMAT}")
    return note


def _parse(number: int, line: str) -> Opening:
    told = _object(number, line)
    try:
        position, proof = told["position"], told.get("proof")
        if not isinstance(position, int) or isinstance(position, bool) or position < 0:
            raise BadOpening(number, "the position is no whole number", "位置不是非负整数")
        salt = bytes.fromhex(told["salt"])
        if len(salt) != SALT_BYTES:
            raise BadOpening(number, f"the salt has not {SALT_BYTES} bytes", f"盐值不是 {SALT_BYTES} 字节")
        return Opening(
            position,
            LeafKind(told["kind"]),
            salt,
            bytes.fromhex(told["content"]),
            str(told.get("about", "")),
            None if proof is None else tuple(base64.b64decode(one, validate=True) for one in proof),
        )
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise BadOpening(number, "a field is missing or malformed", "字段缺失或格式有误") from error


def _content(number: int, opening: Opening) -> object:
    try:
        return decode(opening.content)
    except BadCbor as error:
        raise BadOpening(number, "its content is not deterministic CBOR", "内容不是规范的 CBOR") from error


def _object(number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise BadOpening(number, "it is not JSON", "不是 JSON") from error
    if not isinstance(found, dict):
        raise BadOpening(number, "it is no JSON object", "不是 JSON 对象")
    return found


def _line(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, separators=(", ", ": ")) + "\n"


def prove_each(openings: Iterable[Opening], path: Callable[[int, bytes], tuple[bytes, ...]]) -> Iterator[Opening]:
    """Add an inclusion proof to each opening; ``path`` gives and checks it by position and leaf."""
    for one in openings:
        yield Opening(one.position, one.kind, one.salt, one.content, one.about, path(one.position, one.leaf))
