"""What a credential is made of: frozen types without behaviour that needs files or clocks.

The words are those of the W3C VC data model (credential, issuer, holder) and of
the state interfaces for electronic licences (the eight state codes).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum, StrEnum

from credential.errors import InputError

_PARTIAL_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


class BadDate(InputError):
    """A date that does not exist or is not written ``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``."""

    code = "bad-date"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is not a date of the form YYYY, YYYY-MM or YYYY-MM-DD",
            f"“{text}”不是有效日期(应为 YYYY、YYYY-MM 或 YYYY-MM-DD)",
        )
        self.text = text


@dataclass(frozen=True, slots=True, order=True)
class PartialDate:
    """A date that keeps its precision: a month stays a month.

    Attributes:
        text: ISO 8601, ``2026``, ``2026-06`` or ``2026-06-30``.
    """

    text: str

    def __post_init__(self) -> None:
        match = _PARTIAL_DATE.fullmatch(self.text)
        if match is None:
            raise BadDate(self.text)
        year, month, day = match.groups()
        try:
            date(int(year), int(month or 1), int(day or 1))
        except ValueError as error:
            raise BadDate(self.text) from error

    @property
    def year(self) -> int:
        """The year, always known."""
        return int(self.text[:4])

    @property
    def month(self) -> int | None:
        """The month, or None when only the year is known."""
        return int(self.text[5:7]) if len(self.text) > 4 else None

    @property
    def day(self) -> int | None:
        """The day of the month, or None when it is not known."""
        return int(self.text[8:10]) if len(self.text) > 7 else None

    def __str__(self) -> str:
        return self.text


class DocumentType(StrEnum):
    """Kinds of identity documents, by holder type code of GB/T 36903."""

    RESIDENT_ID = "111"  # 公民身份号码, with 81/82/83 residence permits
    PASSPORT = "414"
    HK_MACAO_PERMIT = "516"
    TAIWAN_PERMIT = "511"
    OTHER = "999"


@dataclass(frozen=True, slots=True)
class Holder:
    """The person a credential is about.

    Attributes:
        name: as on the identity document; the only change ever made is the
            separator to U+00B7.
        id_type: which document ``id_number`` is of.
        id_number: upper case, no spaces; may be empty where the schema allows.
        sex: ``男``, ``女`` or empty.
    """

    name: str
    id_type: DocumentType
    id_number: str
    sex: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A checked row: everything the bureau said about one credential to be issued.

    Attributes:
        row: row in the sheet, from 1.
        holder: the person.
        fields: value by field key of the record schema, canonical text (dates
            as :class:`PartialDate` text); empty values are left out.
        photo: upright baseline JPEG without metadata, or None.
        shape: name of the schema's shape that the sheet had.
    """

    row: int
    holder: Holder
    fields: Mapping[str, str]
    photo: bytes | None = field(default=None, repr=False)
    shape: str = ""


class State(StrEnum):
    """The eight state codes of the state's licence interfaces (DOMAIN 2.2)."""

    VALID = "01"  # 有效
    SUSPENDED = "02"  # 暂扣
    REVOKED = "03"  # 撤销: void from the start
    ENDED = "04"  # 注销
    LAPSED = "05"  # 失效
    TRANSFERRED = "06"  # 办理转出
    WITHDRAWN = "07"  # 吊销: a penalty, void from the decision
    OTHER = "99"  # 其他, needs a text


STATE_NAMES: Mapping[State, tuple[str, str]] = {
    State.VALID: ("有效", "valid"),
    State.SUSPENDED: ("暂扣", "suspended"),
    State.REVOKED: ("撤销", "revoked from the start"),
    State.ENDED: ("注销", "ended"),
    State.LAPSED: ("失效", "lapsed"),
    State.TRANSFERRED: ("办理转出", "transferred out"),
    State.WITHDRAWN: ("吊销", "withdrawn as a penalty"),
    State.OTHER: ("其他", "other"),
}


class StatusValue(IntEnum):
    """The two bits a credential has in a Token Status List."""

    VALID = 0
    INVALID = 1
    SUSPENDED = 2
    SUPERSEDED = 3  # application-specific in the draft's registry


def status_value(state: State, *, superseded: bool) -> StatusValue:
    """Map a state code to the two bits of the status list; unknown means invalid."""
    if state is State.VALID:
        return StatusValue.SUPERSEDED if superseded else StatusValue.VALID
    if state is State.SUSPENDED:
        return StatusValue.SUSPENDED
    if state is State.ENDED and superseded:
        return StatusValue.SUPERSEDED
    return StatusValue.INVALID


class RevocationReason(StrEnum):
    """Why a credential was revoked: a closed list, fraud first (DOMAIN 1.10)."""

    FRAUD = "fraud"
    PLAGIARISM = "plagiarism"
    IMPERSONATION = "impersonation"
    ISSUED_IN_ERROR = "issued-in-error"
    DECISION_ANNULLED = "decision-annulled"
    PENALTY = "penalty"


REASON_NAMES: Mapping[RevocationReason, tuple[str, str]] = {
    RevocationReason.FRAUD: ("弄虚作假", "fraud: false material"),
    RevocationReason.PLAGIARISM: ("剽窃、抄袭", "plagiarism"),
    RevocationReason.IMPERSONATION: ("冒名顶替", "impersonation"),
    RevocationReason.ISSUED_IN_ERROR: ("发证错误", "issued in error"),
    RevocationReason.DECISION_ANNULLED: ("原评审结果被撤销", "the decision it rests on was annulled"),
    RevocationReason.PENALTY: ("行政处罚吊销", "withdrawn as a penalty"),
}

REASON_STATES: Mapping[RevocationReason, State] = {
    reason: State.WITHDRAWN if reason is RevocationReason.PENALTY else State.REVOKED for reason in RevocationReason
}


@dataclass(frozen=True, slots=True)
class Ban:
    """A bar on applying for a higher title after fraud (DOMAIN 0.2); data, not law."""

    start: date
    until: date
    scope: str
    basis: str


@dataclass(frozen=True, slots=True)
class Claims:
    """The full signed statement about one credential; what the PDF shows is drawn from it.

    Attributes:
        issuer: unified social credit code (GB 32100), 18 characters.
        issuer_name: as printed.
        serial: 证书编号, printed.
        version: 1 for the first, + 1 for each correction under the same serial.
        kind: the template's kind of credential, as ``professional-title``.
        identifier: 证照标识, GB/T 36904.
        holder: the person.
        fields: value by field key, as in the record.
        issued_at: with time zone, whole seconds; also the PDF's ``/M``.
        issued_on: the date printed, in Beijing time.
        expires_on: last day of validity in Beijing time, or None.
        status_uri: address of the status list.
        status_index: slot in that list.
        verification_code: 16 Crockford base-32 characters, upper case, ungrouped.
        photo_digest: SHA-256 of the photo as embedded, or None.
        template_digest: SHA-256 of the PDF prefix that the tail is appended to.
        salt: 16 random bytes that blind the log leaves.
    """

    issuer: str
    issuer_name: str
    serial: str
    version: int
    kind: str
    identifier: str
    holder: Holder
    fields: Mapping[str, str]
    issued_at: datetime
    issued_on: PartialDate
    expires_on: date | None
    status_uri: str
    status_index: int
    verification_code: str
    photo_digest: bytes | None
    template_digest: bytes
    salt: bytes = field(repr=False)
