"""A small working world around a verifier: an issuer that prints, a log, status lists and a register in memory."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pypdfium2  # type: ignore[import-untyped] # has no type information

from credential.claims import encode_claims
from credential.cose import sign_message, signature_bytes
from credential.errors import UnavailableError
from credential.leaves import issue_leaf, seal_leaf
from credential.merkle import LogProof, consistency_proof, inclusion_proof, leaf_hash, root_hash
from credential.model import Claims, State
from credential.note import Checkpoint, format_proof, sign_checkpoint
from credential.ports import Algorithm, Change, EarlyEvidence, ErasedCredential, RegisteredCredential, RegisteredFile
from credential.qr import encode_qr_claims, fit_qr_claims, qr_text
from credential.trust import Role, TrustedIssuer, TrustedKey, TrustList
from press.look import extract_text, render
from press.press import Press
from press.samples import load_samples
from registry.status.token_list import LIFETIME, TTL, StatusList, pack_statuses, sign_cwt
from tests import authorities
from tests.fakes_issuer import MemorySigner
from tests.press.certificates import signing, template
from verifier.document import examine
from verifier.look import Look
from verifier.report import DocumentReport
from verifier.steps import Supplied
from verifier.symbol import is_picture, open_picture, read_symbols
from verifier.verify import Reader, Verifier

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
ORIGIN = "log.example.org/test"
STATUS_BASE = "https://zs.example.org/status"
SLOTS = 4096
CODE = "7F3K9Q2MWX4T8ZBN"

LOG_KEY = MemorySigner("log", Algorithm.ED25519)
OTHER_LOG_KEY = MemorySigner("another log", Algorithm.ED25519)
STATUS_KEY = MemorySigner("status")
QR_KEY = MemorySigner("qr")


class StoreDown(UnavailableError):
    """The register of the tests does not answer."""

    code = "store-down"

    def __init__(self) -> None:
        super().__init__("the register does not answer", "登记库没有应答")


class DirectReader:
    """Reads documents in this process: what the sandbox does, without its limits."""

    def __init__(self) -> None:
        self.examined = 0

    def examine(
        self, document: bytes, *, anchors: Sequence[bytes], crls: Sequence[bytes], now: datetime
    ) -> DocumentReport:
        self.examined += 1
        return examine(document, anchors=anchors, crls=crls, now=now)

    def look(self, document: bytes) -> Look:
        if is_picture(document):
            return Look(read_symbols(open_picture(document)))
        try:
            return Look(read_symbols(render(document, 150)), extract_text(document))
        except pypdfium2.PdfiumError:
            return Look(is_readable=False)

    def read(
        self, document: bytes, *, anchors: Sequence[bytes], crls: Sequence[bytes], now: datetime
    ) -> tuple[DocumentReport, Look]:
        return self.examine(document, anchors=anchors, crls=crls, now=now), self.look(document)


@dataclass(frozen=True)
class Stamped:
    """A checkpoint that a time-stamping authority saw."""

    size: int
    note: str
    token: bytes
    at: datetime


@dataclass
class Log:
    """All leaves, and proofs of them against the newest checkpoint."""

    leaves: list[bytes] = field(default_factory=lambda: [b"first leaf"])
    key: MemorySigner = LOG_KEY
    stamps: list[Stamped] = field(default_factory=list)

    def add(self, leaf: bytes) -> None:
        self.leaves.append(leaf)

    def checkpoint(self) -> str:
        hashes = [leaf_hash(leaf) for leaf in self.leaves]
        return sign_checkpoint(Checkpoint(ORIGIN, len(hashes), root_hash(hashes)), self.key)

    def proof(self, leaf: bytes) -> str:
        if leaf not in self.leaves:
            return ""
        hashes = [leaf_hash(one) for one in self.leaves]
        index = self.leaves.index(leaf)
        return format_proof(index, inclusion_proof(hashes, index), self.checkpoint())

    def stamp(self, at: datetime, tsa: str = "tsa", accuracy: Mapping[str, int] | None = None) -> Stamped:
        """Have the newest checkpoint stamped, as of a moment of the caller's choice."""
        note = self.checkpoint()
        token = authorities.stamp(hashlib.sha256(note.encode()).digest(), at, tsa, accuracy=accuracy)
        self.stamps.append(Stamped(len(self.leaves), note, token, at))
        return self.stamps[-1]

    def evidence(self, index: int, stamped: Stamped) -> EarlyEvidence:
        """Prove the leaf at an index under a stamped checkpoint, and that the log grew from there."""
        hashes = [leaf_hash(one) for one in self.leaves]
        path = inclusion_proof(hashes[: stamped.size], index)
        growth = consistency_proof(hashes, stamped.size)
        return EarlyEvidence(LogProof(index, path, stamped.note), stamped.token, growth, self.checkpoint())


@dataclass(frozen=True)
class Issued:
    """One printed certificate, with all that an issuer knows of it."""

    claims: Claims
    message: bytes
    qr_text: str
    document: bytes

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.document).digest()


def sample_claims(press: Press, sample: str = "no-photo", **changes: Any) -> tuple[Claims, bytes | None]:
    """Claims of a printed sample, with its photo, made for this world."""
    given = load_samples(template())[1][sample]
    photo = given.record.photo
    claims = replace(
        given.claims,
        issued_at=NOW - timedelta(days=30),
        verification_code=CODE,
        status_uri=f"{STATUS_BASE}/0",
        status_index=77,
        salt=b"0123456789abcdef",
        photo_digest=None if photo is None else hashlib.sha256(photo).digest(),
        template_digest=press.prefix(photo is not None).digest,
    )
    return replace(claims, **changes), photo


def issue(press: Press, log: Log, sample: str = "no-photo", **changes: Any) -> Issued:
    """Log, print, sign and seal one certificate."""
    claims, photo = sample_claims(press, sample, **changes)
    payload = encode_claims(claims)
    message = sign_message(payload, QR_KEY)
    leaf = issue_leaf(hashlib.sha256(payload).digest(), claims.salt)
    log.add(leaf)
    text = make_qr_text(press, claims)
    printed = press.print(claims, photo=photo, qr_text=text, message=message, proof=log.proof(leaf))
    document = press.prefix(photo is not None).content + printed.tail
    log.add(seal_leaf(hashlib.sha256(document).digest(), claims.salt))
    return Issued(claims, message, text, document)


def make_qr_text(press: Press, claims: Claims, key: MemorySigner = QR_KEY) -> str:
    fitted = fit_qr_claims(claims, 0, press.qr_budget, signature_bytes(Algorithm.P256))
    return qr_text(press.look.public_url, claims.verification_code, sign_message(encode_qr_claims(fitted), key))


class Register:
    """A register, log and status lists in memory, each part of which a test may change or break."""

    def __init__(self, log: Log, *issued: Issued) -> None:
        self.log = log
        self.entries = [self.entry(one) for one in issued]
        self.documents = {one.digest: place for place, one in enumerate(issued)}
        self.claims = [one.claims for one in issued]
        self.statuses: dict[int, int] = {}
        self.is_down: set[str] = set()
        self.gone: dict[bytes, ErasedCredential] = {}
        self.token_from = NOW
        self.status_key = STATUS_KEY
        self.status_uri = f"{STATUS_BASE}/0"
        self.published: str | None = None

    def entry(self, issued: Issued) -> RegisteredCredential:
        payload = encode_claims(issued.claims)
        leaf = issue_leaf(hashlib.sha256(payload).digest(), issued.claims.salt)
        sealed = seal_leaf(issued.digest, issued.claims.salt)
        return RegisteredCredential(
            claims=issued.message,
            state=State.VALID,
            changes=(),
            superseded_by=None,
            supersedes=None,
            files=(RegisteredFile(issued.digest, len(issued.document), self.log.proof(sealed)),),
            issue_proof=self.log.proof(leaf),
            status_list=0,
            status_index=issued.claims.status_index,
            issued=True,
        )

    def change(self, place: int = 0, **changes: Any) -> None:
        self.entries[place] = replace(self.entries[place], **changes)

    def set_state(self, state: State, place: int = 0, **changes: Any) -> None:
        change = Change(state, date(2026, 11, 1), NOW - timedelta(days=2), "fraud", "某人社〔2026〕1号")
        self.change(place, state=state, changes=(change,), **changes)

    def _answer(self, method: str) -> None:
        if method in self.is_down:
            raise StoreDown

    def by_digest(self, digest: bytes) -> RegisteredCredential | None:
        self._answer("by_digest")
        place = self.documents.get(digest)
        return None if place is None else self.entries[place]

    def by_code(self, code: str) -> RegisteredCredential | None:
        self._answer("by_code")
        places = [place for place, claims in enumerate(self.claims) if claims.verification_code == code]
        return self.entries[places[0]] if places else None

    def by_serial(self, serial: str) -> Sequence[RegisteredCredential]:
        self._answer("by_serial")
        return [entry for entry, claims in zip(self.entries, self.claims, strict=True) if claims.serial == serial]

    def candidates(self, serial: str) -> Sequence[RegisteredCredential]:
        found = self.by_serial(serial)
        return [*found, *self.entries[: 2 - len(found)]]

    def erased(self, digest: bytes) -> ErasedCredential | None:
        self._answer("erased")
        return self.gone.get(digest)

    def checkpoint(self) -> str:
        self._answer("checkpoint")
        return self.published or self.log.checkpoint()

    def attested(self, leaf: bytes, index: int, before: datetime) -> Sequence[EarlyEvidence]:
        self._answer("attested")
        assert self.log.leaves[index] == leaf
        return [self.log.evidence(index, one) for one in self.log.stamps if one.at < before and index < one.size]

    def status_token(self, list_number: int) -> bytes:
        self._answer("status_token")
        assert list_number == 0
        return self.token()

    def token(self) -> bytes:
        data = pack_statuses(self.statuses.items(), slots=SLOTS)
        whole = StatusList(self.status_uri, self.token_from, self.token_from + LIFETIME, TTL, 2, data)
        return sign_cwt(whole, self.status_key)


def trust_list(issued: Issued, **changes: Any) -> TrustList:
    """Trust the issuer, its PDF and QR keys, the log and the status key."""
    kept = signing(Algorithm.P256)
    start = NOW - timedelta(days=365)
    uscc = issued.claims.issuer
    trust = TrustList(
        version=1,
        issued_at=NOW - timedelta(days=1),
        expires=NOW + timedelta(days=30),
        log_origin=ORIGIN,
        issuers=(TrustedIssuer(uscc, issued.claims.issuer_name),),
        keys=(
            TrustedKey(Role.PDF, uscc, Algorithm.P256, kept.signer.public_key, start),
            TrustedKey(Role.QR, uscc, Algorithm.P256, QR_KEY.public_key, start),
            TrustedKey(Role.LOG, "", Algorithm.ED25519, LOG_KEY.public_key, start),
            TrustedKey(Role.STATUS, "", Algorithm.P256, STATUS_KEY.public_key, start),
        ),
        ca_certs=(kept.chain[-1],),
        witnesses=(),
        witness_threshold=0,
        roots=(MemorySigner("root", Algorithm.ED25519).public_key,),
        threshold=1,
    )
    return replace(trust, **changes)


def change_key(trust: TrustList, role: Role, **changes: Any) -> TrustList:
    """The same list with the key of one role changed."""
    keys = tuple(replace(key, **changes) if key.role is role else key for key in trust.keys)
    return replace(trust, keys=keys)


@dataclass
class World:
    """An issued certificate, its register, and a verifier over both."""

    press: Press
    issued: Issued
    register: Register
    trust: TrustList
    reader: Reader = field(default_factory=DirectReader)
    supplied: Supplied = field(init=False)

    def __post_init__(self) -> None:
        origins = {self.issued.claims.issuer: frozenset({self.press.look.public_url})}
        self.supplied = Supplied(
            {self.press.prefix(photo).digest: template() for photo in (True, False)}, origins=origins
        )

    @property
    def online(self) -> Verifier:
        return Verifier(self.register, self.trust, self.reader, self.supplied)

    @property
    def offline(self) -> Verifier:
        return Verifier(None, self.trust, self.reader, self.supplied)
