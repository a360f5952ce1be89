"""Issuing bodies, their settings, and the persons who act for them."""

import re
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from credential.errors import ConfigError, InputError, RefusedError
from credential.names import fold_name_for_matching
from credential.profile import SignatureProfile
from registry.tables import IssuerRow, PersonRow

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)


class BadSlug(InputError):
    """An id that is not a short lower-case word."""

    code = "bad-id"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is not an id: use at most 32 lower-case letters, digits and hyphens",
            f"“{text}”不是有效的代号:只能使用小写字母、数字和连字符,最多 32 个字符",
        )


class UnknownIssuer(InputError):
    """No issuer has this id."""

    code = "unknown-issuer"

    def __init__(self, issuer_id: str) -> None:
        super().__init__(
            f"no issuer has the id {issuer_id!r}; add it first", f"没有代号为“{issuer_id}”的发证机构,请先添加"
        )


class UnknownPerson(InputError):
    """No person of this issuer has this id."""

    code = "unknown-person"

    def __init__(self, person_id: str, issuer_id: str) -> None:
        super().__init__(
            f"issuer {issuer_id} has no person {person_id!r}; add the person first",
            f"发证机构 {issuer_id} 没有人员“{person_id}”,请先添加",
        )


class SameName(RefusedError):
    """The issuer has a person of this name under another id.

    Two persons stand behind everything that is issued, and two ids of one
    person would be none.
    """

    code = "same-name"

    def __init__(self, person_id: str, issuer_id: str) -> None:
        super().__init__(
            f"issuer {issuer_id} has a person of this name already, {person_id!r}, and nobody may approve own work "
            "under a second id; if this is somebody else of the same name, say --same-name",
            f"发证机构 {issuer_id} 已有同名人员“{person_id}”, 同一人不得以两个代号自办自审; "
            "如确为同名的另一人, 请加 --same-name",
        )


class AlreadyExists(RefusedError):
    """An issuer or a person with this id, or an issuer with this code, exists already."""

    code = "already-exists"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} exists already; choose another id", f"{what} 已存在,请使用其他代号")


class BadIssuerSettings(ConfigError):
    """The stored settings of an issuer are not those this program knows."""

    code = "bad-issuer-settings"

    def __init__(self, names: Sequence[str]) -> None:
        listed = ", ".join(names)
        super().__init__(
            f"the issuer's settings lack or do not know {listed}; correct them with `yinzheng issuer`",
            f"发证机构的设置缺少或含有未知项 {listed};请用 yinzheng issuer 修正",
        )


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """What an issuer decides about its credentials; approval binds all of it.

    Attributes:
        type_code: of the licence type, GB/T 36904, 21 characters.
        serial_pattern: as ``credential.serial.SerialPattern`` reads it.
        public_url: origin that the QR code opens, as ``https://zs.example.gov.cn``.
        template: name of the certificate template.
        legal_effect: the sentence on copies, printed at the foot.
        seal_arc: text around the drawn seal.
        seal_bottom: text at its foot.
        is_sample: marks everything 样本.
        ban_from: when a ban after fraud begins: ``next-year`` (次年, of the decision) or
            ``year-after-review`` (评审次年); only the default of a date that is data.
        ban_years: how long such a ban lasts.
        signature_profile: PAdES baseline level, as ``credential.profile`` names it.
    """

    type_code: str
    serial_pattern: str
    public_url: str
    template: str = "professional-title"
    legal_effect: str = ""
    seal_arc: str = ""
    seal_bottom: str = ""
    is_sample: bool = False
    ban_from: str = "next-year"
    ban_years: int = 3
    signature_profile: str = SignatureProfile.B_B.value


@dataclass(frozen=True, slots=True)
class Issuer:
    """One issuing body.

    Attributes:
        id: short slug, never printed.
        uscc: unified social credit code, in every claim.
        name: as printed.
        division: GB/T 2260, six digits, the start of its serials.
    """

    id: str
    uscc: str
    name: str
    division: str
    settings: IssuerSettings


@dataclass(frozen=True, slots=True)
class Person:
    """One person who acts for an issuer."""

    id: str
    issuer_id: str
    name: str


def add_issuer(session: Session, issuer: Issuer, *, now: datetime) -> None:
    """Add an issuer; its id and code must be new.

    Raises:
        BadSlug: the id is not a short lower-case word.
        AlreadyExists: the id or the code is taken.
    """
    _check_slug(issuer.id)
    row = IssuerRow(
        id=issuer.id,
        uscc=issuer.uscc,
        name=issuer.name,
        division=issuer.division,
        settings=asdict(issuer.settings),
        created_at=now,
    )
    _add(session, row, f"issuer {issuer.id} ({issuer.uscc})")


def get_issuer(session: Session, issuer_id: str) -> Issuer:
    """Read an issuer with its settings.

    Raises:
        UnknownIssuer: there is none with this id.
        BadIssuerSettings: its settings are not those this program knows.
    """
    row = session.get(IssuerRow, issuer_id)
    if row is None:
        raise UnknownIssuer(issuer_id)
    return Issuer(row.id, row.uscc, row.name, row.division, _settings(row.settings))


def set_signature_profile(session: Session, issuer_id: str, profile: SignatureProfile) -> None:
    """Say how an issuer's certificates are signed from now on; what waits for printing has to be approved anew.

    Raises:
        UnknownIssuer: there is none with this id.
    """
    row = session.get(IssuerRow, issuer_id)
    if row is None:
        raise UnknownIssuer(issuer_id)
    row.settings = {**row.settings, "signature_profile": profile.value}
    session.flush()


def lock_issuer(session: Session, issuer_id: str) -> None:
    """Wait until no other transaction decides what this issuer issues, and keep others waiting until this one ends.

    Rows that name the issuer may be written meanwhile. On SQLite every
    transaction is alone anyway.

    Raises:
        UnknownIssuer: there is none with this id.
    """
    row = session.exec(select(IssuerRow.id).where(IssuerRow.id == issuer_id).with_for_update(key_share=True)).first()
    if row is None:
        raise UnknownIssuer(issuer_id)


def list_issuers(session: Session) -> list[Issuer]:
    """Every issuer, by id."""
    rows = session.exec(select(IssuerRow).order_by(col(IssuerRow.id)))
    return [Issuer(row.id, row.uscc, row.name, row.division, _settings(row.settings)) for row in rows]


def add_person(session: Session, person: Person, *, now: datetime, is_namesake: bool = False) -> None:
    """Add a person to an issuer that exists.

    Args:
        session: to write in.
        person: to be added.
        now: with time zone.
        is_namesake: somebody has made sure that who has the same name there is another person.

    Raises:
        BadSlug: the id is not a short lower-case word.
        UnknownIssuer: there is no such issuer.
        AlreadyExists: the id is taken.
        SameName: the issuer has a person of this name.
    """
    _check_slug(person.id)
    get_issuer(session, person.issuer_id)
    if not is_namesake and session.get(PersonRow, person.id) is None:
        _check_name(session, person)
    row = PersonRow(id=person.id, issuer_id=person.issuer_id, name=person.name, created_at=now)
    _add(session, row, f"person {person.id}")


def get_person(session: Session, person_id: str, *, issuer_id: str) -> Person:
    """Read a person who acts for this issuer.

    Raises:
        UnknownPerson: there is none, or the person acts for another issuer.
    """
    row = session.get(PersonRow, person_id)
    if row is None or row.issuer_id != issuer_id:
        raise UnknownPerson(person_id, issuer_id)
    return Person(row.id, row.issuer_id, row.name)


def list_persons(session: Session) -> list[Person]:
    """Every person, by id."""
    rows = session.exec(select(PersonRow).order_by(col(PersonRow.id)))
    return [Person(row.id, row.issuer_id, row.name) for row in rows]


def _add(session: Session, row: IssuerRow | PersonRow, what: str) -> None:
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise AlreadyExists(what) from error


def _check_name(session: Session, person: Person) -> None:
    wanted = fold_name_for_matching(person.name)
    for other in list_persons(session):
        if other.issuer_id == person.issuer_id and fold_name_for_matching(other.name) == wanted:
            raise SameName(other.id, other.issuer_id)


def _check_slug(text: str) -> None:
    if _SLUG.fullmatch(text) is None:
        raise BadSlug(text)


def _settings(stored: dict[str, Any]) -> IssuerSettings:
    # An issuer added by an older release lacks what came later and takes its default; nothing is ever unknown.
    known = {field.name for field in fields(IssuerSettings)}
    needed = {field.name for field in fields(IssuerSettings) if field.default is MISSING}
    if bad := (stored.keys() - known) | (needed - stored.keys()):
        raise BadIssuerSettings(sorted(bad))
    return IssuerSettings(**stored)
