"""Add issuers and persons; make the keys that they and the installation need."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from credential.errors import InputError
from credential.identity import check_uscc
from credential.ports import Algorithm
from credential.trust import Role
from keys.authority import ISSUING, Organization
from press.cms import UnusablePDFKey
from registry.issuers import Issuer, IssuerSettings, Person, add_issuer, add_person, list_issuers, list_persons
from service.crl import authority_of, publish_crls
from service.folder import check_public_url
from service.trust import found_trust_list, renew_trust_list

if TYPE_CHECKING:
    from service.house import House

DEFAULT_SERIAL_PATTERN = "division6 year4 series2 level1 seq6 check1"
DEFAULT_LEGAL_EFFECT = "本电子证书的打印件、截图等任何再转换版本，均以扫码或签章验证结果为准。"
DEFAULT_SEAL_BOTTOM = "职称证书专用章"
SAMPLE_SEAL_BOTTOM = "职称证书专用章（样章）"

_DIVISION = re.compile(r"[0-9]{6}")


class BadDivision(InputError):
    """A division code is six digits (GB/T 2260)."""

    code = "bad-division"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is not a division code of six digits, as 330200", f"“{text}”不是 6 位行政区划代码, 如 330200"
        )
        self.text = text


class IssuerNeeded(InputError):
    """Only with one issuer it goes without saying which is meant."""

    code = "issuer-needed"

    def __init__(self, known: list[str]) -> None:
        listed = ", ".join(known) or "-"
        super().__init__(
            f"say with --issuer which issuer is meant; there are {listed}",
            f"请用 --issuer 指明发证机构; 现有: {listed}",
        )


#: What the development CA signs with; its certificates live long, so it is stronger than what it signs.
CA_ALGORITHM = Algorithm.RSA_3072
SIGNING_CERT_LIFETIME = timedelta(days=3 * 365)


@dataclass(frozen=True, slots=True)
class NewIssuer:
    """What is said of an issuer when it is added; empty texts take a default.

    Attributes:
        type_code: of the licence type (GB/T 36904), 21 characters; by default the
            issuer's own code with 001.
        pdf_algorithm: of the key that signs PDFs; claims and QR codes are always P-256.
    """

    id: str
    name: str
    uscc: str
    division: str
    public_url: str = ""
    type_code: str = ""
    legal_effect: str = ""
    template: str = "professional-title"
    pdf_algorithm: Algorithm = Algorithm.RSA_3072
    is_sample: bool = False


def make_keys(house: "House") -> None:
    """Make the installation's own keys, those that are not there yet, and a first trust list.

    Raises:
        WrongPassphrase: there are keys already, under another passphrase.
    """
    store, now = house.store, house.now()
    present = {(entry.role, entry.owner) for entry in store.entries()}
    for role, owner in sorted(present)[:1]:
        store.signer(role, owner)
    wanted = ((Role.LOG, Algorithm.ED25519), (Role.STATUS, Algorithm.P256), (Role.TRUST_ROOT, Algorithm.ED25519))
    for role, algorithm in wanted:
        is_offline = role is Role.TRUST_ROOT and house.folder.roots.exists()  # taken out: there is no need for another
        if (role, "") not in present and not is_offline:
            store.create(role, algorithm, now=now)
    if not house.folder.master_key.exists():
        store.create_master_key()
    if (ISSUING, "") not in present:
        authority_of(store, house.installation).create(CA_ALGORITHM, now)
    found_trust_list(house)


def add_new_issuer(house: "House", new: NewIssuer) -> Issuer:
    """Check and add an issuer, make its keys and certificates, and publish the trust list anew.

    Raises:
        InputError: its code, division or address is not well formed.
        UnusablePDFKey: PDF readers do not verify signatures of this kind.
        AlreadyExists: the id or the code is taken.
    """
    check_uscc(new.uscc)
    if _DIVISION.fullmatch(new.division) is None:
        raise BadDivision(new.division)
    if new.pdf_algorithm is Algorithm.ED25519:
        raise UnusablePDFKey(new.pdf_algorithm)
    issuer = Issuer(
        id=new.id,
        uscc=new.uscc,
        name=new.name,
        division=new.division,
        settings=IssuerSettings(
            type_code=new.type_code or f"{new.uscc}001",
            serial_pattern=DEFAULT_SERIAL_PATTERN,
            public_url=check_public_url(new.public_url or house.installation.public_url),
            template=new.template,
            legal_effect=new.legal_effect or DEFAULT_LEGAL_EFFECT,
            seal_arc=new.name,
            seal_bottom=SAMPLE_SEAL_BOTTOM if new.is_sample else DEFAULT_SEAL_BOTTOM,
            is_sample=new.is_sample,
        ),
    )
    with house.database.transaction() as session:
        add_issuer(session, issuer, now=house.now())
        _make_issuer_keys(house, issuer, new.pdf_algorithm)
    renew_trust_list(house, why=f"issuer {issuer.id} added")
    return issuer


def add_new_person(house: "House", person: str, *, name: str, issuer: str, is_namesake: bool = False) -> Person:
    """Add a person who may submit or approve for an issuer.

    Raises:
        UnknownIssuer: there is no such issuer.
        AlreadyExists: the id is taken.
        SameName: the issuer has a person of this name, and ``is_namesake`` does not say that it is another one.
    """
    added = Person(person, issuer, name)
    with house.database.transaction() as session:
        add_person(session, added, now=house.now(), is_namesake=is_namesake)
    return added


def all_issuers(house: "House") -> list[Issuer]:
    """Every issuer, by id."""
    with house.database.reading() as session:
        return list_issuers(session)


def only_issuer(house: "House") -> str:
    """The id of the one issuer of an installation.

    Raises:
        IssuerNeeded: there are several, or none.
    """
    found = all_issuers(house)
    if len(found) != 1:
        raise IssuerNeeded([one.id for one in found])
    return found[0].id


def all_persons(house: "House") -> list[Person]:
    """Every person, by id."""
    with house.database.reading() as session:
        return list_persons(session)


def _make_issuer_keys(house: "House", issuer: Issuer, pdf_algorithm: Algorithm) -> None:
    """Make an issuer's two keys and its signing certificate, those that are not there yet."""
    store, now = house.store, house.now()
    present = {(entry.role, entry.owner) for entry in store.entries()}
    for role, algorithm in ((Role.PDF, pdf_algorithm), (Role.QR, Algorithm.P256)):
        if (role, issuer.id) not in present:
            store.create(role, algorithm, issuer.id, now=now)
    if not store.chain(Role.PDF, issuer.id):
        authority_of(store, house.installation).certify(
            Role.PDF,
            issuer.id,
            Organization(issuer.name, issuer.uscc),
            not_before=now,
            not_after=now + SIGNING_CERT_LIFETIME,
        )
    publish_crls(house)
