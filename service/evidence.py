"""Hand out the evidence of one certificate, and read what somebody hands in with one (docs/rotation.md)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from credential.claims import decode_claims
from credential.cose import BadMessage, open_message
from credential.errors import InputError, RefusedError
from credential.evidence import BadEvidence, EvidenceFile, read_evidence, write_evidence
from credential.leaves import issue_leaf, seal_leaf
from credential.merkle import LogProof
from credential.note import parse_proof
from credential.ports import EarlyEvidence
from registry.credentials import UnknownSerial
from service.house import House

_EVER = datetime(9999, 12, 31, tzinfo=UTC)


class NotStampedYet(RefusedError):
    """No time stamp covers the certificate yet."""

    code = "not-stamped-yet"

    def __init__(self, serial: str) -> None:
        super().__init__(
            f"no time stamp covers the certificate {serial} yet; run: yinzheng log stamp",
            f"证书 {serial} 尚无可信时间戳覆盖; 请先执行 yinzheng log stamp",
        )
        self.serial = serial


class EvidenceUnreadable(InputError):
    """A file of evidence cannot be read."""

    code = "evidence-unreadable"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} cannot be read ({why}); check the path", f"无法读取 {path}({why}); 请检查路径")
        self.path = path


@dataclass(frozen=True, slots=True)
class HandedIn:
    """What files of evidence hold, as a verifier takes it; nothing of it is believed.

    Attributes:
        evidence: by leaf.
        claims: full claims (COSE_Sign1) by their digest.
    """

    evidence: dict[bytes, tuple[EarlyEvidence, ...]]
    claims: dict[bytes, bytes]


def evidence_of(house: House, serial: str, *, version: int | None = None, with_claims: bool = False) -> bytes:
    """Write the evidence file of a certificate, from the earliest time stamps that cover it.

    Args:
        house: of the installation.
        serial: of the certificate.
        version: the newest that is printed when None.
        with_claims: put the signed claims in, for checking a QR code; they hold the ID number.

    Raises:
        UnknownSerial: there is none, or several issuers have one.
        NotStampedYet: no time stamp covers it yet.
        UnavailableError: a store does not answer.
    """
    found = [one for one in house.source.by_serial(serial) if one.issued]
    opened = [(one, open_message(one.claims).payload) for one in found]
    claims = [(one, payload, decode_claims(payload)) for one, payload in opened]
    wanted = [entry for entry in claims if version is None or entry[2].version == version]
    if not wanted or len({entry[2].issuer for entry in wanted}) > 1:
        raise UnknownSerial(serial)
    registered, payload, of = wanted[0]
    original = registered.files[0]
    places = (
        (issue_leaf(sha256(payload).digest(), of.salt), registered.issue_proof),
        (seal_leaf(original.digest, of.salt), original.seal_proof),
    )
    pieces = [(leaf, one) for leaf, proof in places for one in _attested(house, leaf, proof)]
    if {leaf for leaf, _ in pieces} != {leaf for leaf, _ in places}:
        raise NotStampedYet(serial)
    return write_evidence(EvidenceFile(tuple(pieces), registered.claims if with_claims else b""))


def read_handed_in(files: Iterable[Path]) -> HandedIn:
    """Read files of evidence.

    Raises:
        BadEvidence: one is none.
        EvidenceUnreadable: one cannot be read.
    """
    evidence: dict[bytes, tuple[EarlyEvidence, ...]] = {}
    claims: dict[bytes, bytes] = {}
    for path in files:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise EvidenceUnreadable(path, error.strerror or "input/output") from error
        found = read_evidence(content)
        for leaf, one in found.pieces:
            evidence[leaf] = (*evidence.get(leaf, ()), one)
        if found.claims:
            try:
                claims[sha256(open_message(found.claims).payload).digest()] = found.claims
            except BadMessage as error:
                raise BadEvidence("its claims are malformed", "其中的签名数据格式有误") from error
    return HandedIn(evidence, claims)


def _attested(house: House, leaf: bytes, proof: LogProof | str) -> Iterable[EarlyEvidence]:
    if not proof:
        return ()
    index = parse_proof(proof).index if isinstance(proof, str) else proof.index
    return house.source.attested(leaf, index, _EVER)
