"""Publish the revocation lists of the installation's own CA, and revoke signing certificates.

A list is static and short-lived: it is signed anew long before it ends, and whenever
something is revoked. What was revoked stays so: each list holds what the record says
and what the list before said, so that neither a record restored from an older backup
nor a lost public folder brings a certificate back.
"""

import json
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from credential.errors import InputError, RefusedError, UnavailableError
from keys.authority import ISSUING, ROOT, DevelopmentAuthority, RevokedCert
from keys.store import KeyStore
from registry.file_lock import locked
from registry.history import Entry, HistoryKind, append, log_head
from registry.log.files import replace_durably
from service.folder import DataFolder, Installation

if TYPE_CHECKING:
    from service.house import House

MOST_BETWEEN = timedelta(days=1)
"""A list is at most so old; less if it lives for less than three days."""

FILES = {ROOT: "root", ISSUING: "issuing"}
REASONS = {
    "key-compromise": x509.ReasonFlags.key_compromise,
    "ca-compromise": x509.ReasonFlags.ca_compromise,
    "affiliation-changed": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessation-of-operation": x509.ReasonFlags.cessation_of_operation,
    "privilege-withdrawn": x509.ReasonFlags.privilege_withdrawn,
}
"""Why a certificate is revoked (RFC 5280, 5.3.1); none of them can be taken back."""

_LOCK = ".ca-revocations.lock"


class UnknownSigningCert(InputError):
    """No certificate of the installation's own CA is meant."""

    code = "unknown-signing-cert"

    def __init__(self, named: str) -> None:
        super().__init__(
            f"the CA of this installation has issued no certificate {named}; see: yinzheng ca show",
            f"本系统的 CA 没有签发过证书 {named}; 请用 yinzheng ca show 查看",
        )


class AlreadyRevokedCert(RefusedError):
    """A certificate is revoked once, with one reason and day."""

    code = "signing-cert-revoked"

    def __init__(self, serial_number: int, revoked_at: datetime) -> None:
        super().__init__(
            f"the certificate {serial_number:x} is revoked since {revoked_at:%Y-%m-%d %H:%M} UTC",
            f"证书 {serial_number:x} 已于 {revoked_at:%Y-%m-%d %H:%M} UTC 吊销",
        )


class RevocationsDamaged(UnavailableError):
    """The record of what the CA has revoked cannot be read."""

    code = "ca-revocations-damaged"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is damaged; restore it from the backup, or remove it if public/ca still has the newest lists",
            f"{path} 已损坏; 请从备份恢复; 若 public/ca 中仍有最新列表, 也可移除该文件",
        )
        self.path = path


@dataclass(frozen=True, slots=True)
class IssuedCert:
    """A certificate of our CA that is in use or was.

    Attributes:
        ca_role: who issued it.
        name: of the key it is for.
        cert: the certificate.
        revoked: since when and why, if it is.
    """

    ca_role: str
    name: str
    cert: x509.Certificate
    revoked: RevokedCert | None


@dataclass(frozen=True, slots=True)
class _Record:
    """What a CA has said last: the number of its list, and all that it has revoked."""

    number: int
    revoked: tuple[RevokedCert, ...]


def authority_of(store: KeyStore, installation: Installation) -> DevelopmentAuthority:
    """The installation's own CA; its lists are published under the address people check at."""
    return DevelopmentAuthority(store, f"{installation.public_url}/ca")


def publish_crls(house: "House") -> dict[str, bytes]:
    """Sign the lists of both CAs anew and publish them durably, with the CAs' certificates beside them.

    Returns:
        The lists, DER, by role of the CA; none when the installation has no CA of its own.

    Raises:
        RevocationsDamaged: the record of what was revoked cannot be read.
    """
    with _alone(house.folder):
        return _publish(house, _records(house))


def refresh_crls(house: "House") -> bool:
    """Publish the lists if one is missing, damaged, or as old as it may become; whether it did. Call it hourly."""
    lifetime = timedelta(days=house.settings.crl_days)
    for role in _roles(house.store):
        found = _published(house, role)
        if found is None or house.now() - found.last_update_utc >= min(MOST_BETWEEN, lifetime / 3):
            publish_crls(house)
            return True
    return False


def issued_certs(house: "House") -> list[IssuedCert]:
    """The certificates of our CA that the key store knows, of every generation, and whether they are revoked."""
    roles = _roles(house.store)
    records = _records(house)
    issuers = {role: x509.load_der_x509_certificate(house.store.chain(role)[0]) for role in roles}
    found: list[IssuedCert] = []
    for entry in house.store.entries():
        cert = x509.load_der_x509_certificate(entry.chain[0]) if entry.chain else None
        role = next((one for one in roles if cert is not None and _is_by(cert, issuers[one])), None)
        if cert is None or role is None or (entry.role == ROOT and role == ROOT):
            continue
        revoked = next((one for one in records[role].revoked if one.serial_number == cert.serial_number), None)
        found.append(IssuedCert(role, f"{entry.role} {entry.owner}".strip(), cert, revoked))
    return found


def revoke_signing_cert(
    house: "House", serial_number: int, reason: str, *, cert: bytes | None = None, revoked_at: datetime | None = None
) -> RevokedCert:
    """Revoke a certificate of our CA for good, publish the lists at once, and note it on the history.

    Programs that are not ours go by it. Our verifiers go by the trust list: for a
    key that was lost, declare that too (``yinzheng keys compromised``).

    Args:
        house: whose CA.
        serial_number: of the certificate (X.509).
        reason: one of :data:`REASONS`.
        cert: the certificate, PEM or DER, if the key store does not know it any more.
        revoked_at: since when, not in the future; now by default.

    Raises:
        UnknownSigningCert: our CA has not issued it.
        AlreadyRevokedCert: it is revoked already.
    """
    known = {one.cert.serial_number: (one.ca_role, one.name) for one in issued_certs(house)}
    if cert is not None:
        known |= _handed_in(house, cert)
    if serial_number not in known or reason not in REASONS:
        raise UnknownSigningCert(f"{serial_number:x}")
    role, name = known[serial_number]
    since = min(house.now() if revoked_at is None else revoked_at, house.now()).replace(microsecond=0)
    made = RevokedCert(serial_number, since, REASONS[reason])
    with _alone(house.folder):
        records = _records(house)
        for one in records[role].revoked:
            if one.serial_number == serial_number:
                raise AlreadyRevokedCert(serial_number, one.revoked_at)
        records[role] = _Record(records[role].number, (*records[role].revoked, made))
        _publish(house, records)
    with house.database.transaction() as session:
        subject = f"certificate {serial_number:x} of {name}: {reason} since {since:%Y-%m-%dT%H:%M:%SZ}"
        append(session, Entry(HistoryKind.CERTIFICATE_REVOKED, None, subject, house.now(), None))
        log_head(session, house.vault)
    return made


def _publish(house: "House", records: dict[str, _Record]) -> dict[str, bytes]:
    """Sign and publish; the record is written first, so that no number is used twice and nothing is forgotten."""
    now, lifetime = house.now(), timedelta(days=house.settings.crl_days)
    # Seconds since 1970 as a floor: a record restored from an older backup does not bring back a number.
    raised = {role: _Record(max(one.number + 1, int(now.timestamp())), one.revoked) for role, one in records.items()}
    if not raised:
        return {}
    replace_durably({_path(house.folder): _write(raised)})
    authority = authority_of(house.store, house.installation)
    crls = {
        role: authority.make_crl(
            role, number=one.number, this_update=now, next_update=now + lifetime, revoked=one.revoked
        )
        for role, one in raised.items()
    }
    certs = {house.folder.ca / f"{FILES[role]}.crt": house.store.chain(role)[0] for role in raised}
    replace_durably({house.folder.ca / f"{FILES[role]}.crl": crl for role, crl in crls.items()} | certs)
    return crls


def _records(house: "House") -> dict[str, _Record]:
    """What each CA has said: the record, joined with what its published list says."""
    told = _read(house.folder)
    records: dict[str, _Record] = {}
    for role in _roles(house.store):
        number, revoked = told[role].number if role in told else 0, told[role].revoked if role in told else ()
        published = _published(house, role)
        if published is not None:
            number = max(number, published.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
            known = {one.serial_number for one in revoked}
            revoked += tuple(_entry(one) for one in published if one.serial_number not in known)
        records[role] = _Record(number, revoked)
    return records


def _published(house: "House", role: str) -> x509.CertificateRevocationList | None:
    """The list of a CA that is published, if it is there and really the CA's."""
    with suppress(OSError, ValueError, TypeError, x509.ExtensionNotFound):
        crl = x509.load_der_x509_crl((house.folder.ca / f"{FILES[role]}.crl").read_bytes())
        ca = x509.load_der_x509_certificate(house.store.chain(role)[0])
        crl.extensions.get_extension_for_class(x509.CRLNumber)
        if crl.is_signature_valid(ca.public_key()):  # type: ignore[arg-type] # other kinds of key raise TypeError
            return crl
    return None


def _entry(one: x509.RevokedCertificate) -> RevokedCert:
    try:
        reason = one.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        reason = x509.ReasonFlags.unspecified
    return RevokedCert(one.serial_number, one.revocation_date_utc, reason)


def _handed_in(house: "House", content: bytes) -> dict[int, tuple[str, str]]:
    try:
        is_text = content.lstrip().startswith(b"-----")
        cert = (x509.load_pem_x509_certificate if is_text else x509.load_der_x509_certificate)(content)
    except ValueError as error:
        raise UnknownSigningCert("in that file") from error
    for role in _roles(house.store):
        if _is_by(cert, x509.load_der_x509_certificate(house.store.chain(role)[0])):
            return {cert.serial_number: (role, cert.subject.rfc4514_string()[:100])}
    raise UnknownSigningCert(f"{cert.serial_number:x}")


def _is_by(cert: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        cert.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _roles(store: KeyStore) -> list[str]:
    held = {entry.role for entry in store.entries() if entry.chain}
    return [role for role in (ROOT, ISSUING) if role in held]


def _path(folder: DataFolder) -> Path:
    return folder.root / "ca-revocations.json"


def _read(folder: DataFolder) -> dict[str, _Record]:
    path = _path(folder)
    try:
        told: dict[str, Any] = json.loads(path.read_bytes())
        return {
            role: _Record(
                int(one["number"]),
                tuple(
                    RevokedCert(
                        int(entry["serial"], 16),
                        datetime.fromisoformat(entry["revoked_at"]),
                        x509.ReasonFlags(entry["reason"]),
                    )
                    for entry in one["revoked"]
                ),
            )
            for role, one in told.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RevocationsDamaged(path) from error


def _write(records: dict[str, _Record]) -> bytes:
    told = {
        role: {
            "number": one.number,
            "revoked": [
                {
                    "serial": f"{entry.serial_number:x}",
                    "revoked_at": entry.revoked_at.astimezone(UTC).isoformat(timespec="seconds"),
                    "reason": entry.reason.value,
                }
                for entry in one.revoked
            ],
        }
        for role, one in records.items()
    }
    return json.dumps(told, indent=1, sort_keys=True).encode() + b"\n"


def _alone(folder: DataFolder) -> AbstractContextManager[None]:
    """Let one process of this machine at a time publish."""
    return locked(folder.root / _LOCK)
