"""What was issued, for the issuing API: one certificate, its history, an exact search; and who calls."""

from collections.abc import Sequence

from credential.claims import decode_claims
from credential.cose import open_message
from credential.errors import InputError
from credential.identity import mask_id_number
from credential.model import STATE_NAMES, DocumentType, Holder
from issuer.api.callers import SignedIn
from issuer.api.models import Credential, CredentialList, History, HistoryEntry, HolderShown, Me, Search
from registry.credentials import (
    FoundCredential,
    UnknownSerial,
    find_by_name,
    find_by_person,
    find_by_serial,
    read_claims,
    record_key_of,
)
from registry.database import Session
from registry.entries import entries_of
from registry.history import details_place
from registry.issuers import get_issuer, get_person
from registry.tables import HistoryRow
from registry.vault import RecordErased, RecordKey
from service.house import House


class SearchByOne(InputError):
    """A search names no value, or several."""

    code = "search-by-one"

    def __init__(self) -> None:
        super().__init__(
            "search by exactly one of serial, name and id_number; leave the others out",
            "serial、name、id_number 须且只能给出一项",
        )


class HouseCredentials:
    """Single certificates; see issuer.api.ports.CredentialDesk."""

    def __init__(self, house: House) -> None:
        self._house = house

    def me(self, caller: SignedIn) -> Me:
        """Who a token stands for."""
        with self._house.database.reading() as session:
            issuer = get_issuer(session, caller.issuer_id)
            person = get_person(session, caller.person_id, issuer_id=caller.issuer_id)
        return Me(
            token=caller.token_id,
            issuer=issuer.id,
            issuer_name=issuer.name,
            person=person.id,
            person_name=person.name,
            scopes=sorted(caller.scopes),
            expires_at=caller.expires_at,
        )

    def credential(self, caller: SignedIn, serial: str) -> Credential:
        """The newest version under a serial."""
        with self._house.database.reading() as session:
            return self._shown(session, _own_versions(session, caller, serial)[0])

    def history(self, caller: SignedIn, serial: str) -> History:
        """What happened to a certificate, oldest first."""
        with self._house.database.reading() as session:
            versions = _own_versions(session, caller, serial)
            keys = {one.id: self._key(session, one) for one in versions}
            items = [_entry(row, keys.get(row.credential_id or 0)) for row in entries_of(session, versions)]
        return History(serial=serial, items=items)

    def search(self, caller: SignedIn, asked: Search, *, most: int) -> CredentialList:
        """Find certificates of the issuer by an exact value."""
        if sum(one is not None for one in (asked.serial, asked.name, asked.id_number)) != 1:
            raise SearchByOne
        with self._house.database.reading() as session:
            own = [one for one in self._find(session, asked) if one.issuer_id == caller.issuer_id]
            items = [self._shown(session, one) for one in own[:most]]
        return CredentialList(items=items, is_complete=len(own) <= most)

    def _find(self, session: Session, asked: Search) -> Sequence[FoundCredential]:
        vault = self._house.vault
        if asked.serial is not None:
            return find_by_serial(session, asked.serial)
        if asked.name is not None:
            return find_by_name(session, vault, asked.name)
        number = (asked.id_number or "").upper()
        return find_by_person(session, vault, Holder("", DocumentType(asked.id_type), number))

    def _key(self, session: Session, found: FoundCredential) -> RecordKey | None:
        try:
            return record_key_of(session, self._house.vault, found)
        except RecordErased:
            return None

    def _shown(self, session: Session, found: FoundCredential) -> Credential:
        zh, en = STATE_NAMES[found.state]
        holder, fields = self._personal(session, found)
        return Credential(
            serial=found.serial,
            version=found.version,
            kind=found.kind,
            state=found.state.value,
            state_zh=zh,
            state_en=en,
            is_superseded=found.is_superseded,
            batch=found.batch_id,
            row=found.row_number,
            issued_at=found.issued_at,
            digest=None if found.digest is None else found.digest.hex(),
            holder=holder,
            fields=fields,
        )

    def _personal(self, session: Session, found: FoundCredential) -> tuple[HolderShown | None, dict[str, str]]:
        try:
            message = read_claims(session, self._house.vault, found)
        except RecordErased:
            return None, {}
        claims = decode_claims(open_message(message).payload)
        person = claims.holder
        shown = HolderShown(name=person.name, id_type=person.id_type.value, id_number=mask_id_number(person.id_number))
        return shown, dict(claims.fields)


def _own_versions(session: Session, caller: SignedIn, serial: str) -> list[FoundCredential]:
    """All versions under a serial of the caller's issuer, newest first."""
    found = [one for one in find_by_serial(session, serial) if one.issuer_id == caller.issuer_id]
    if not found:
        raise UnknownSerial(serial)
    return found


def _entry(row: HistoryRow, key: RecordKey | None) -> HistoryEntry:
    decision = None
    if row.details is not None and key is not None:
        decision = str(key.open(row.details, details_place(row.sequence)).get("decision", "")) or None
    return HistoryEntry(
        sequence=row.sequence,
        kind=row.kind,
        state=row.state,
        reason=row.reason,
        decision=decision,
        effective_on=row.effective_on,
        recorded_at=row.recorded_at,
        maker=row.maker or "",  # every entry of a credential has one
        checker=row.checker,
    )
