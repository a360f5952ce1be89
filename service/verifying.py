"""Open a verifier: over this installation's register, or over nothing but a trust list; for once or for a service."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

from credential.dsse import open_envelope
from credential.errors import Error, InputError, UnavailableError
from credential.trust import PAYLOAD_TYPE, TrustList, open_trust_list
from credential.trust_list import read_trust_list
from registry.log.reader import LogReader
from registry.lookup import RegistrySource
from registry.status.published import PublishedLists
from service.behind import require_caught_up
from service.evidence import read_handed_in
from service.folder import DataFolder
from service.house import House, SystemClock
from service.issuers import all_issuers
from service.pinned import believe_trust_list
from service.settings import Settings
from service.templates import KnownTemplates, templates_at_hand
from verifier.look import Look
from verifier.report import DocumentReport
from verifier.sandbox import Sandbox
from verifier.steps import Supplied
from verifier.verdict import Verdict
from verifier.verify import Verifier

#: Hostile documents read at once; each may take half a gigabyte and twenty seconds.
READERS = 2
#: How long one more waits for its turn before it is told to come back.
TURN_SECONDS = 15.0


class UnreadableFile(InputError):
    """A file named with --trust, --status or --crl cannot be used."""

    code = "unreadable-verifying-file"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} cannot be used ({reason}); check the path", f"无法使用文件 {path}({reason}); 请检查路径"
        )
        self.path = path


class NoTurn(UnavailableError):
    """So much is being verified that one more would only wait."""

    code = "verifier-busy"

    def __init__(self) -> None:
        super().__init__("too much is being verified at this moment; try again in a minute", "核验请求过多,请稍后再试")


class NoTrustList(UnavailableError):
    """The installation's trust list cannot be believed, so nothing can be verified."""

    code = "trust-list-unusable"

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"the trust list cannot be used ({cause}); the operator runs: yinzheng doctor",
            f"信任列表无法使用({cause}); 请由管理员运行 yinzheng doctor 检查",
        )
        self.cause = cause


@contextmanager
def open_verifier(house: House) -> Iterator[Verifier]:
    """Open a verifier that asks this installation's register, log and status lists; it signs and writes nothing."""
    require_caught_up(house.folder, house.database)
    with Sandbox() as reader:
        yield Verifier(
            house.source, house.trust, reader, Supplied(templates=house.known_templates, origins=_origins(house))
        )


class VerifyingDesk:
    """Verifies for as long as a service runs; a ``verifier.desk.Desk``, safe to share among threads.

    Opens no signing key. A trust list that was replaced is read before the next
    answer; one that cannot be believed ends in :class:`NoTrustList`, never in
    an answer by the list before it, since that may name a key that was stolen.
    """

    def __init__(self, house: House) -> None:
        require_caught_up(house.folder, house.database)
        self._house = house
        self._sandbox = Sandbox()
        self._reader = _ReadersInTurn(self._sandbox)
        lists = PublishedLists(house.folder.status)
        witnesses = house.witness_list
        log = LogReader(house.database, house.folder.log, threshold=witnesses.threshold, count=witnesses.count)
        self._source = RegistrySource(house.database, house.vault, log, lists, house.stamped)
        self._lock = threading.Lock()
        self._read_at: tuple[int, ...] | None = None
        self._verifier: Verifier | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process that reads documents; it is started again when it is needed."""
        self._sandbox.close()

    def verify_file(self, document: bytes) -> Verdict:
        """Verify a file, not trusted, of any kind and length."""
        return self._current().verify_file(document, self._house.now())

    def verify_qr(self, text: str) -> Verdict:
        """Verify the text of a QR code as it was scanned, not trusted."""
        return self._current().verify_qr(text, self._house.now())

    def verify_code(self, code: str) -> Verdict:
        """Verify a verification code as it was typed; case, hyphens and look-alikes do not count."""
        return self._current().verify_code(code, self._house.now())

    def verify_serial(self, serial: str, name: str) -> Verdict:
        """Verify a serial with the holder's name; a wrong one of either gives one and the same answer."""
        return self._current().verify_serial(serial, name, self._house.now())

    def _current(self) -> Verifier:
        """The verifier over the newest trust list.

        Raises:
            NoTrustList: it is missing, damaged, expired, older than one seen, or not signed by our roots.
        """
        with self._lock:
            read_at = _written_at(self._house.folder.trust_list)
            if self._verifier is None or read_at != self._read_at:
                self._verifier = None
                try:
                    trust = self._house.trust
                    supplied = Supplied(templates=self._house.known_templates, origins=_origins(self._house))
                except UnavailableError:
                    raise
                except Error as error:
                    raise NoTrustList(error.code) from error
                self._verifier = Verifier(self._source, trust, self._reader, supplied)
                self._read_at = read_at
            return self._verifier


class _ReadersInTurn:
    """A reader of hostile documents, a few at a time."""

    def __init__(self, reader: Sandbox) -> None:
        self._reader = reader
        self._turns = threading.BoundedSemaphore(READERS)

    def examine(
        self, document: bytes, *, anchors: Sequence[bytes], crls: Sequence[bytes], now: datetime
    ) -> DocumentReport:
        """Say what a document's signatures say."""
        with self._turn():
            return self._reader.examine(document, anchors=anchors, crls=crls, now=now)

    def look(self, document: bytes) -> Look:
        """Say what its first page shows."""
        with self._turn():
            return self._reader.look(document)

    def read(
        self, document: bytes, *, anchors: Sequence[bytes], crls: Sequence[bytes], now: datetime
    ) -> tuple[DocumentReport, Look]:
        """Do both, in one turn."""
        with self._turn():
            return self._reader.read(document, anchors=anchors, crls=crls, now=now)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=TURN_SECONDS):
            raise NoTurn
        try:
            yield
        finally:
            self._turns.release()


@contextmanager
def open_offline_verifier(
    settings: Settings,
    trust_file: Path,
    status_files: Sequence[Path] = (),
    crl_files: Sequence[Path] = (),
    evidence_files: Sequence[Path] = (),
) -> Iterator[Verifier]:
    """Open a verifier that believes a trust list and asks nobody.

    Args:
        settings: names the data folder whose pinned roots count, if there is one.
        trust_file: the signed trust list.
        status_files: status lists ``<number>.cwt``, as published; not trusted.
        crl_files: revocation lists of the certificate authorities, DER or PEM; not trusted.
        evidence_files: that certificates are older than the theft of a key; not trusted.

    Raises:
        UnreadableFile: one of the files cannot be read, or a status list's name is no number.
        BadEvidence, EvidenceUnreadable: a file of evidence is none.
    """
    trust = read_foreign_trust_list(settings, trust_file, SystemClock().now())
    handed_in = read_handed_in(evidence_files)
    supplied = Supplied(
        templates=KnownTemplates(templates_at_hand(DataFolder(settings.data).templates), None),
        crls=tuple(_read(path) for path in crl_files),
        status_tokens={_list_number(path): _read(path) for path in status_files},
        evidence=handed_in.evidence,
        claims=handed_in.claims,
    )
    with Sandbox() as reader:
        yield Verifier(None, trust, reader, supplied)


def read_foreign_trust_list(settings: Settings, file: Path, now: datetime) -> TrustList:
    """Open a trust list that somebody was handed.

    The roots pinned in the data folder must have signed it, and it may not be
    older than the newest list seen there. Where none are pinned, naming the
    file is the act of trust, and the list must be signed by the roots that it
    names itself.

    Raises:
        UnreadableFile: there is no such file.
        InputError, RefusedError: it is not a trust list, or not one to believe.
    """
    envelope = _read(file)
    folder = DataFolder(settings.data)
    if not folder.exists() and not folder.roots.exists():
        own = read_trust_list(open_envelope(envelope, PAYLOAD_TYPE).payload)
        return open_trust_list(envelope, own.roots, own.threshold, now, 0)
    return believe_trust_list(folder, envelope, now)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "input/output") from error


def _list_number(path: Path) -> int:
    if not (path.stem.isascii() and path.stem.isdigit()):
        raise UnreadableFile(path, "a status list is named by its number, as 1.cwt")
    return int(path.stem)


def _written_at(file: Path) -> tuple[int, ...] | None:
    """What changes whenever a file is replaced; None while there is none."""
    try:
        found = file.stat()
    except OSError:
        return None  # reading it says what is wrong
    return found.st_ino, found.st_size, found.st_mtime_ns


def _origins(house: House) -> Mapping[str, frozenset[str]]:
    return {one.uscc: frozenset({one.settings.public_url}) for one in all_issuers(house)}
