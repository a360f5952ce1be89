"""The published notes of a log: the newest checkpoint, its copy outside, the newest that enough witnesses saw.

``checkpoint`` is always the newest head, with whatever cosignatures there are.
``checkpoint.witnessed`` beside it is the newest that has as many as the trust
list demands; proofs are made under that one.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from credential.errors import ConfigError
from credential.note import (
    BadCheckpoint,
    BadNote,
    Checkpoint,
    format_signature,
    note_key_id,
    open_checkpoint,
    parse_note,
    sign_checkpoint,
)
from credential.ports import Signer
from registry.file_lock import locked
from registry.log.files import replace_durably
from registry.log.tiles import CHECKPOINT, WITNESSED


class LogRolledBack(ConfigError):
    """The published log is ahead of the database: an older database was put in its place."""

    code = "log-rolled-back"

    def __init__(self, published: int, committed: int, where: Path) -> None:
        super().__init__(
            f"the checkpoint {where} has {published} leaves, but the database knows only {committed}: an older "
            "database was restored; restore the newest one, or start a new log origin, and do not issue before",
            f"检查点 {where} 已有 {published} 条,而数据库仅有 {committed} 条:数据库被恢复为旧版本;"
            "请恢复最新数据库或启用新的日志标识,此前不得发证",
        )
        self.published = published
        self.committed = committed


class LogForked(ConfigError):
    """The published checkpoint does not belong to the tree in the database."""

    code = "log-forked"

    def __init__(self, where: Path, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"the checkpoint {where} does not belong to this database's log: {why_en}; "
            "do not issue before it is clear why",
            f"检查点 {where} 与本数据库的日志不符:{why_zh};查明原因前不得发证",
        )


@dataclass(frozen=True, slots=True)
class PublishedNote:
    """A checkpoint as it stands in a file, signed by the log's key or one before it."""

    note: str
    checkpoint: Checkpoint


class PublishedNotes:
    """The files that say what the newest head is.

    Args:
        folder: of the log.
        signer: the log's Ed25519 key; signs what is published from now on.
        origin: of the log.
        outside: a second place for the newest checkpoint.
        former_keys: of the log, SPKI DER; believed for what was published before.
        count: the witnesses that cosigned a note, every line verified; raises
            BadNote for a note that verifiers refuse. Only what it has counted is published with cosignatures.
    """

    def __init__(  # noqa: PLR0913 - what a published note is made and judged with, each named by the caller
        self,
        folder: Path,
        signer: Signer,
        origin: str,
        outside: Path | None,
        former_keys: Sequence[bytes],
        *,
        count: Callable[[str], int],
    ) -> None:
        self._folder = folder
        self._signer = signer
        self._origin = origin
        self._former_keys = tuple(former_keys)
        self._count = count
        self._witnessed = folder / WITNESSED
        self.newest_paths = tuple(path for path in (folder / CHECKPOINT, outside) if path is not None)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file that may hold a checkpoint."""
        return (*self.newest_paths, self._witnessed)

    def read(self, path: Path) -> PublishedNote | None:
        """Read one of the files; None when it is not there.

        Raises:
            LogForked: it is no checkpoint of this log, signed by a key of it.
        """
        try:
            note = path.read_text("utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise LogForked(path, "it is not UTF-8", "不是 UTF-8 文本") from error
        try:
            key = next((key for key in self._former_keys if self._is_signed_by(note, key)), self._signer.public_key)
            return PublishedNote(note, open_checkpoint(note, key, self._origin))
        except (BadNote, BadCheckpoint) as error:
            raise LogForked(path, error.en, error.zh) from error

    def publish(self, checkpoint: Checkpoint) -> PublishedNote:
        """Sign and publish a committed head, unless a later one is published already; returns the newest."""
        newest = PublishedNote(sign_checkpoint(checkpoint, self._signer), checkpoint)
        with self._alone():
            for path in self.newest_paths:
                published = self.read(path)
                if published is not None and published.checkpoint.size > newest.checkpoint.size:
                    newest = published
                elif published is not None and published.checkpoint == newest.checkpoint:
                    newest = self._with_cosignatures(newest, published)
            self._write(newest, self.newest_paths)
        return newest

    def add_cosigned(self, cosigned: str, threshold: int) -> None:
        """Publish a note that came back from the witnesses, unless it was overtaken.

        Args:
            cosigned: a published note with cosignatures, which are verified once more.
            threshold: how many of them make it the witnessed one.

        Raises:
            BadNote: the log's own signature is no longer on it, or a line by a known key is bad; nothing is written.
        """
        ours = PublishedNote(cosigned, open_checkpoint(cosigned, self._signer.public_key, self._origin))
        counted = self._count(cosigned)
        with self._alone():
            newest = self.read(self.newest_paths[0])
            if newest is not None and newest.checkpoint == ours.checkpoint:
                self._write(ours, self.newest_paths)
            witnessed = self.read(self._witnessed)
            is_newer = witnessed is None or witnessed.checkpoint.size <= ours.checkpoint.size
            if threshold and is_newer and counted >= threshold:
                self._write(ours, (self._witnessed,))

    def _write(self, published: PublishedNote, paths: Sequence[Path]) -> None:
        note = published.note.encode()
        stale = [path for path in paths if not path.is_file() or path.read_bytes() != note]
        if stale:
            replace_durably(dict.fromkeys(stale, note))

    def _with_cosignatures(self, newest: PublishedNote, published: PublishedNote) -> PublishedNote:
        """Keep the witnesses' lines when a head is signed anew: they vouch for the text, not for the log's line."""
        note = newest.note
        known = set(parse_note(note).signatures)
        for one in parse_note(published.note).signatures:
            line = format_signature(one)
            if one.name != self._origin and one not in known and self._is_good(newest.note + line):
                note += line
        return PublishedNote(note, newest.checkpoint)

    def _is_good(self, note: str) -> bool:
        """Whether no line by a known key is bad: such a line spoils the note, and must not be published again."""
        try:
            self._count(note)
        except BadNote:
            return False
        return True

    def _is_signed_by(self, note: str, key: bytes) -> bool:
        key_id = note_key_id(self._origin, key)
        signed = {(one.name, one.key_id) for one in parse_note(note).signatures}
        is_ours = (self._origin, note_key_id(self._origin, self._signer.public_key)) in signed
        return not is_ours and (self._origin, key_id) in signed

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes of this machine from publishing at the same moment."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder / ".lock"):
            yield
