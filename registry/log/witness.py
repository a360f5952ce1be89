"""A witness: it remembers the newest head of every log it knows, and cosigns only what grew out of that.

C2SP tlog-witness (https://c2sp.org/tlog-witness), without HTTP, which is in
service/witnessing.py. For each log there is one file, which says what was
cosigned last; it is replaced, durably, before a cosignature leaves, so that
a witness killed at any instruction never cosigns two trees that disagree.

**The folder must never be restored from a backup.** An older one would have the
witness cosign another continuation of an older head, which is the fork that it
exists to prevent. A witness that lost its folder begins anew, with a new key.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from credential.cosignature import BadWitnessRequest, WitnessRequest, cosign, parse_request, read_log_key
from credential.errors import Error, InputError, RefusedError, UnavailableError
from credential.merkle import EMPTY_ROOT, HASH_BYTES, BadProof, verify_consistency
from credential.note import BadNote, Checkpoint, Note, format_signature, note_key_id, parse_note, verify_note
from credential.ports import Signer
from registry.file_lock import locked
from registry.log.files import replace_durably

MAX_FORKS = 64
"""Forks kept of one log: each is signed by the log, and one is enough to prove it false."""


MAX_LINES = 64  # signatures on a note: a log has few keys, and its witnesses are not many
SAME_ANSWER = timedelta(minutes=1)  # in which the same text gets the same cosignature again


class UnknownLog(InputError):
    """A log that this witness was not told of."""

    code = "unknown-log"

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"this witness does not know the log {origin[:200]!r}; its operator adds it: yinzheng witness trust-log",
            f"本见证方不认识日志“{origin[:200]}”; 请由见证方管理员执行 yinzheng witness trust-log 添加",
        )
        self.origin = origin


class LogNotSigned(RefusedError):
    """A checkpoint without a good signature by a key that is known for its log."""

    code = "log-not-signed"

    def __init__(self, origin: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"the checkpoint is not signed by a known key of the log {origin!r}: {why_en}",
            f"检查点没有日志“{origin}”的有效签名: {why_zh}",
        )


class SizesCrossed(InputError):
    """A request whose old size is greater than that of its checkpoint."""

    code = "sizes-crossed"

    def __init__(self, old_size: int, size: int) -> None:
        super().__init__(
            f"the old size {old_size} is greater than the checkpoint's, {size}",
            f"原规模 {old_size} 大于检查点的规模 {size}",
        )


class OtherOldSize(RefusedError):
    """The log believes that another size was cosigned last; the answer says which was."""

    code = "other-old-size"

    def __init__(self, asked: int, cosigned: int) -> None:
        super().__init__(
            f"the last size cosigned is {cosigned}, not {asked}; send the consistency proof from {cosigned}",
            f"上次见证的规模是 {cosigned}, 不是 {asked}; 请提交自 {cosigned} 起的一致性证明",
        )
        self.cosigned = cosigned


class LogForkSeen(RefusedError):
    """Two checkpoints of one log and one size that disagree, both signed by the log."""

    code = "log-fork-seen"

    def __init__(self, origin: str, size: int) -> None:
        super().__init__(
            f"the log {origin!r} has signed two trees of size {size}; the second is not cosigned, and kept as evidence",
            f"日志“{origin}”签署了两个规模同为 {size} 而内容不同的检查点; 后者不予见证, 并已留存为证据",
        )
        self.size = size


class NotConsistent(InputError):
    """A checkpoint that is not shown to have grown out of the one cosigned last."""

    code = "log-not-consistent"

    def __init__(self, old_size: int, size: int, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"the tree of {size} is not shown to contain the one of {old_size}: {why_en}",
            f"不能证明规模 {size} 的日志包含规模 {old_size} 的日志: {why_zh}",
        )


class WitnessDamaged(UnavailableError):
    """A file of the witness cannot be read; nothing is cosigned for that log any more."""

    code = "witness-damaged"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"the witness's file {path.name} is damaged ({why}); do not restore an older one: repair the disk, "
            "or begin a new witness with a new key",
            f"见证文件 {path.name} 已损坏({why}); 切勿用旧备份恢复: 请修复磁盘, 或以新密钥重新建立见证方",
        )
        self.path = path


@dataclass(frozen=True, slots=True)
class KnownLog:
    """What a witness knows of one log.

    Attributes:
        origin: first line of its checkpoints.
        keys: of the log, ``name+key id+base64``; a signature by one of them is enough.
        size: of the head cosigned last; 0 when none was.
        root: of that head.
        note: that head as it was cosigned, with the log's signatures and ours; empty when none was.
        cosigned_at: when; None when none was.
    """

    origin: str
    keys: tuple[str, ...]
    size: int = 0
    root: bytes = EMPTY_ROOT
    note: str = ""
    cosigned_at: datetime | None = None


class LogWitness:
    """Cosigns the checkpoints of the logs it knows; safe for several threads and processes.

    Args:
        folder: for the files of the logs; the witness's alone.
        name: of the witness, as it stands in its lines.
        signer: its Ed25519 key; signs nothing else.
    """

    def __init__(self, folder: Path, name: str, signer: Signer) -> None:
        self._logs = KnownLogs(folder)
        self._name = name
        self._signer = signer

    def add_checkpoint(self, body: bytes, now: datetime) -> str:
        """Answer ``add-checkpoint``: cosign a checkpoint that grew out of the one cosigned last.

        The checks are those of tlog-witness, in its order. That head and
        cosignature belong together is durable before this returns.

        Args:
            body: of the request; not trusted, of any length.
            now: with time zone; goes into the cosignature.

        Returns:
            The signature line, with its line end.

        Raises:
            BadWitnessRequest: malformed (400).
            UnknownLog: of a log that is not known (404).
            LogNotSigned: not signed by that log (403).
            SizesCrossed: the old size is greater than the new (400).
            OtherOldSize: another size was cosigned last (409).
            LogForkSeen: of that size another tree was cosigned (409).
            NotConsistent: the proof does not hold (422).
            WitnessDamaged: what was cosigned last cannot be read (503).
            UnavailableError: the key store does not answer (503).
        """
        request, checkpoint = parse_request(body)
        note = parse_note(request.note)
        if len(note.signatures) > MAX_LINES:
            raise BadWitnessRequest(f"its note has over {MAX_LINES} signature lines", f"签名行超过 {MAX_LINES} 行")
        with self._logs.alone(checkpoint.origin) as known:
            _check_signed(known, note)
            self._check_grown(known, request, checkpoint)
            if again := _line_given(known, note, now):
                return again
            line = cosign(note.text, self._name, self._signer, now)
            signed = _signed_by_log(known, note)
            at = now.astimezone(UTC).replace(microsecond=0)
            self._logs.write(
                replace(known, size=checkpoint.size, root=checkpoint.root, note=signed + line, cosigned_at=at)
            )
        return line

    def _check_grown(self, known: KnownLog, request: WitnessRequest, checkpoint: Checkpoint) -> None:
        old, size = request.old_size, checkpoint.size
        if old > size:
            raise SizesCrossed(old, size)
        if old != known.size:
            raise OtherOldSize(old, known.size)
        if old == size and old > 0 and checkpoint.root != known.root:
            self._logs.keep_fork(checkpoint, request.note)
            raise LogForkSeen(checkpoint.origin, size)
        if size == 0 and checkpoint.root != EMPTY_ROOT:
            raise NotConsistent(old, size, "the root of no leaves is another", "空日志的根哈希有误")
        try:
            verify_consistency(old, size, request.proof, known.root, checkpoint.root)
        except BadProof as error:
            raise NotConsistent(old, size, error.en, error.zh) from error


class KnownLogs:
    """The files of a witness, one for each log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def trust(self, key: str, origin: str = "") -> KnownLog:
        """Believe a key for a log from now on, and the log if it was not known; durable.

        Args:
            key: ``name+key id+base64``, of type 0x01.
            origin: of the log, where it is not the key's name.

        Raises:
            BadNamedKey: it is no such key.
            WitnessDamaged: the log's file cannot be read.
        """
        name, _ = read_log_key(key)
        origin = origin or name
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock(origin):
            known = self._read(origin) if self._path(origin).exists() else KnownLog(origin, ())
            if key not in known.keys:
                known = replace(known, keys=(*known.keys, key))
                self.write(known)
        return known

    def distrust(self, key: str, origin: str = "") -> KnownLog:
        """Believe a key for a log no longer; what was cosigned stays remembered. Durable.

        Raises:
            BadNamedKey: it is no such key.
            UnknownLog: the log is not known.
        """
        name, _ = read_log_key(key)
        with self.alone(origin or name) as known:
            left = replace(known, keys=tuple(one for one in known.keys if one != key))
            self.write(left)
        return left

    def all(self) -> tuple[KnownLog, ...]:
        """Every log that is known, by origin.

        Raises:
            WitnessDamaged: a file cannot be read.
        """
        found = (_read_file(path) for path in self._folder.glob("*.json"))
        return tuple(sorted(found, key=lambda known: known.origin))

    def by_hash(self, digest: str) -> KnownLog:
        """Find a log by the SHA-256 of its origin, hexadecimal.

        Raises:
            UnknownLog: there is none.
            WitnessDamaged: its file cannot be read.
        """
        path = self._folder / f"{digest}.json"
        if not (len(digest) == 2 * HASH_BYTES and set(digest) <= set("0123456789abcdef") and path.exists()):
            raise UnknownLog(digest)
        return _read_file(path)

    def forks(self, origin: str) -> int:
        """How many forks of a log were seen and kept."""
        return len(list(self._forks(origin).glob("*.note")))

    @contextmanager
    def alone(self, origin: str) -> Iterator[KnownLog]:
        """Read a log's file and keep all others from it until the end.

        Raises:
            UnknownLog: it is not known; no file is made for it.
            WitnessDamaged: the file cannot be read.
        """
        if not self._path(origin).exists():
            raise UnknownLog(origin)
        with self._lock(origin):
            yield self._read(origin)

    def write(self, known: KnownLog) -> None:
        """Replace a log's file, durably; only with the lock held."""
        content = {
            "origin": known.origin,
            "keys": list(known.keys),
            "size": known.size,
            "root": base64.b64encode(known.root).decode(),
            "note": known.note,
            "cosigned_at": None if known.cosigned_at is None else known.cosigned_at.isoformat(),
        }
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        replace_durably({self._path(known.origin): text.encode()})

    def keep_fork(self, checkpoint: Checkpoint, note: str) -> None:
        """Keep a checkpoint that disagrees with the one cosigned: the two together prove the log false."""
        folder = self._forks(checkpoint.origin)
        path = folder / f"{checkpoint.size}-{checkpoint.root.hex()}.note"
        if not path.exists() and self.forks(checkpoint.origin) < MAX_FORKS:
            replace_durably({path: note.encode()})

    def _read(self, origin: str) -> KnownLog:
        known = _read_file(self._path(origin))
        if known.origin != origin:
            raise WitnessDamaged(self._path(origin), "another log")
        return known

    def _path(self, origin: str) -> Path:
        return self._folder / f"{_hash(origin)}.json"

    def _forks(self, origin: str) -> Path:
        return self._folder / "forks" / _hash(origin)

    def _lock(self, origin: str) -> AbstractContextManager[None]:
        return locked(self._folder / f".{_hash(origin)}.lock")


def _hash(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()


def _read_file(path: Path) -> KnownLog:
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        at = content["cosigned_at"]
        known = KnownLog(
            origin=content["origin"],
            keys=tuple(content["keys"]),
            size=content["size"],
            root=base64.b64decode(content["root"], validate=True),
            note=content["note"],
            cosigned_at=None if at is None else datetime.fromisoformat(at),
        )
        for key in known.keys:
            read_log_key(key)
    except OSError as error:
        raise WitnessDamaged(path, error.strerror or "input/output") from error
    except (ValueError, KeyError, TypeError, AttributeError, Error) as error:
        raise WitnessDamaged(path, type(error).__name__) from error
    if type(known.size) is not int or known.size < 0 or len(known.root) != HASH_BYTES:
        raise WitnessDamaged(path, "size or root")
    return known


def _check_signed(known: KnownLog, note: Note) -> None:
    """Demand a good signature by a known key; a bad one under a known key spoils all (C2SP signed-note)."""
    signed = False
    for name, key in _keys_present(known, note):
        try:
            verify_note(note, name, key)
        except BadNote as error:
            raise LogNotSigned(known.origin, error.en, error.zh) from error
        signed = True
    if not signed:
        raise LogNotSigned(known.origin, "there is none", "没有签名")


def _keys_present(known: KnownLog, note: Note) -> Sequence[tuple[str, bytes]]:
    lines = {(one.name, one.key_id) for one in note.signatures}
    keys = [read_log_key(key) for key in known.keys]
    return [(name, key) for name, key in keys if (name, note_key_id(name, key)) in lines]


def _signed_by_log(known: KnownLog, note: Note) -> str:
    """The note with one line of each known key: what others added is not vouched for, and could be long."""
    ids = {(name, note_key_id(name, key)) for name, key in _keys_present(known, note)}
    lines = {(one.name, one.key_id): format_signature(one) for one in note.signatures}
    return f"{note.text}\n{''.join(line for key, line in lines.items() if key in ids)}"


def _line_given(known: KnownLog, note: Note, now: datetime) -> str:
    """The cosignature that this very text got a moment ago, if so.

    Whoever sees a published checkpoint can send it again, which then costs
    no signature and no write. A log that asks later gets a new time.
    """
    is_same = known.note.startswith(f"{note.text}\n")
    if not is_same or known.cosigned_at is None or not timedelta(0) <= now - known.cosigned_at < SAME_ANSWER:
        return ""
    return known.note.splitlines(keepends=True)[-1]  # ours is behind the log's
