"""May a row take a credential's place: what must be true of the predecessor, and what of the person.

A certificate is corrected or replaced, never given to somebody else.
"""

from collections.abc import Mapping, Sequence

from credential.claims import decode_claims
from credential.cose import open_message
from credential.errors import InputError, RefusedError
from credential.model import STATE_NAMES, Claims, Record, State
from credential.names import fold_name_for_matching
from issuer.office import Office
from registry.credentials import FoundCredential, find_by_id, read_claims
from registry.database import Session
from registry.service_tables import SuccessionKind
from registry.succession import (
    NewSuccession,
    Succession,
    batch_under_way,
    find_successor,
    last_change,
    lineage,
    read_successions,
)

PREDECESSOR_CHANGED = "predecessor-changed"
"""Why a successor's row is void: something happened to its predecessor after the approval."""

_LIVE = frozenset({State.VALID, State.SUSPENDED})


class NotCorrectable(RefusedError):
    """Only a valid certificate is corrected or replaced.

    A suspended one is being looked into, and must not come back as a valid one
    by another door; what has ended or was revoked must not come back at all.
    """

    code = "not-correctable"

    def __init__(self, serial: str, state: State) -> None:
        zh, en = STATE_NAMES[state]
        cure = (
            ("请先解除暂扣", "reinstate it first")
            if state is State.SUSPENDED
            else ("如有需要请重新发证", "issue a new certificate if one is due")
        )
        super().__init__(
            f"{serial} is {en}, and only a valid certificate is corrected or replaced: {cure[1]}",
            f"证书 {serial} 当前状态为{zh},只有有效的证书才能更正或换发:{cure[0]}",
        )


class AlreadySuperseded(RefusedError):
    """Another credential has taken its place."""

    code = "already-superseded"

    def __init__(self, serial: str, by: str) -> None:
        super().__init__(
            f"{serial} was superseded by {by}; change that one", f"证书 {serial} 已被 {by} 取代,请变更后者"
        )


class SuccessionUnderWay(RefusedError):
    """A successor waits or is being printed already."""

    code = "succession-under-way"

    def __init__(self, serial: str, batch_id: int) -> None:
        super().__init__(
            f"batch {batch_id} holds a correction or replacement of {serial}; finish or cancel that batch first",
            f"批次 {batch_id} 中已有 {serial} 的更正或换发,请先完成或取消该批次",
        )
        self.batch_id = batch_id


class PredecessorChanged(RefusedError):
    """Something happened to the predecessor after the correction was submitted."""

    code = "predecessor-changed"

    def __init__(self, serial: str, state: State) -> None:
        zh, en = STATE_NAMES[state]
        super().__init__(
            f"{serial} has changed since this was submitted, it is {en} now; cancel the batch and submit it again "
            "if it is still due",
            f"提交之后证书 {serial} 已有变更,当前状态为{zh};请取消该批次,确有需要时重新提交",
        )


class TitleTaken(RefusedError):
    """Another live credential than the predecessor says what the successor would say."""

    code = "title-taken"

    def __init__(self, serial: str) -> None:
        super().__init__(
            f"the same person has the live certificate {serial} for the same title, so no second one is made",
            f"同一人员同一职称已有有效证书 {serial},不再另发",
        )
        self.serial = serial


class AnotherPerson(InputError):
    """A correction or replacement would make the certificate another person's."""

    code = "another-person"

    def __init__(self, serial: str, kind: SuccessionKind) -> None:
        if kind is SuccessionKind.CORRECTION:
            en = (
                f"a correction of {serial} must leave the name or the ID number as it was in every version before, or "
                "it would become somebody else's; revoke it as issued in error and issue a new one"
            )
            zh = (
                f"更正 {serial} 时, 姓名与证件号码至少有一项须与此前各版本相同, 否则证书将变为他人所有; "
                "请按发证错误撤销后重新发证"
            )
        else:
            en = (
                f"what replaces {serial} must have the ID number that it has now, and the name or the ID number of "
                "every version before; correct a wrong one first, or issue to the other person by itself"
            )
            zh = (
                f"换发 {serial} 时证件号码须与其现有号码相同, 且姓名与证件号码至少有一项与此前各版本相同; "
                "号码有误请先更正, 或为他人另行发证"
            )
        super().__init__(en, zh)


class NothingChanged(InputError):
    """The correction says what the certificate says already."""

    code = "nothing-changed"

    def __init__(self, serial: str) -> None:
        super().__init__(
            f"{serial} says all of this already, so there is nothing to correct",
            f"证书 {serial} 的内容与此相同,无须更正",
        )


class WrongKind(InputError):
    """A successor is of another kind than its predecessor."""

    code = "wrong-kind"

    def __init__(self, serial: str, kind: str) -> None:
        super().__init__(
            f"{serial} is of the kind {kind}; use a template of that kind",
            f"证书 {serial} 属于 {kind} 类,请使用同类模板",
        )


def succeed(  # noqa: PLR0913 - each is a fact that the history keeps
    office: Office,
    found: FoundCredential,
    record: Record,
    *,
    kind: SuccessionKind,
    reason: str,
    decision: str,
    photo_digest: bytes | None,
) -> NewSuccession:
    """Make sure that a checked row may take the place of a credential.

    Args:
        office: of the issuer.
        found: the newest version under its serial.
        record: the row; its photo is judged by ``photo_digest``.
        kind: correction or replacement.
        reason: stable code.
        decision: number of the decision document.
        photo_digest: of the row's photo.

    Raises:
        NotCorrectable: it is not valid.
        AlreadySuperseded: another one has taken its place.
        WrongKind: the office makes another kind of credential.
        AnotherPerson: it would become somebody else's.
        NothingChanged: nothing would be corrected.
        RecordErased: it, or one before it, was erased.
    """
    if found.kind != office.schema.kind:
        raise WrongKind(found.serial, found.kind)
    with office.database.reading() as session:
        require_valid(session, found)
        seen = last_change(session, found.id)
        claims = [claims_of(session, office, one) for one in lineage(session, found)]
    if not _stays_the_holders(claims, record, kind):
        raise AnotherPerson(found.serial, kind)
    if kind is SuccessionKind.CORRECTION and not _says_more(office, claims[0], record, photo_digest):
        raise NothingChanged(found.serial)
    return NewSuccession(found.id, kind, reason, decision, seen)


def require_valid(session: Session, found: FoundCredential) -> None:
    """Refuse whatever is not valid, printed and the last of its chain.

    Raises:
        NotCorrectable, AlreadySuperseded: it is not.
        SuccessionUnderWay: it is a successor itself that is still being printed.
    """
    if found.is_superseded and found.state not in {State.REVOKED, State.WITHDRAWN}:
        successor = find_successor(session, found.id)
        raise AlreadySuperseded(found.serial, "?" if successor is None else successor.serial)
    if found.state is not State.VALID:
        raise NotCorrectable(found.serial, found.state)
    if found.digest is None:
        raise SuccessionUnderWay(found.serial, found.batch_id)


def require_unchanged(session: Session, succession: NewSuccession | Succession) -> FoundCredential:
    """Lock a predecessor, and refuse unless it is as its successor's maker saw it.

    Raises:
        PredecessorChanged: it is not.
    """
    found = find_by_id(session, succession.predecessor_id, lock=True)
    is_same = last_change(session, found.id) == succession.seen_change
    if not is_same or found.state is not State.VALID or found.is_superseded:
        raise PredecessorChanged(found.serial, found.state)
    return found


def require_alone(session: Session, successions: Mapping[int, NewSuccession]) -> None:
    """Refuse a second successor of one credential, and one of what has changed meanwhile.

    Raises:
        SuccessionUnderWay: another one waits, or is being printed.
        PredecessorChanged: something happened to the predecessor.
    """
    for one in successions.values():
        found = require_unchanged(session, one)
        other = batch_under_way(session, one.predecessor_id)
        if other is not None:
            raise SuccessionUnderWay(found.serial, other)


def split_changed(session: Session, batch_id: int) -> tuple[dict[int, FoundCredential], set[int]]:
    """The locked predecessors of a batch by row, and the rows whose predecessor has changed."""
    predecessors, changed = {}, set()
    for row_number, one in sorted(read_successions(session, batch_id).items()):
        try:
            predecessors[row_number] = require_unchanged(session, one)
        except PredecessorChanged:
            changed.add(row_number)
    return predecessors, changed


def claims_of(session: Session, office: Office, found: FoundCredential) -> Claims:
    """The claims of a stored credential.

    Raises:
        RecordErased: its key was destroyed.
    """
    return decode_claims(open_message(read_claims(session, office.vault, found)).payload)


def changes_between(before: Claims, after: Claims) -> dict[str, list[str]]:
    """Old and new text of everything that differs, by field; a photo by its digest, hex."""
    old, new = _said(before), _said(after)
    return {
        key: [old.get(key, ""), new.get(key, "")]
        for key in sorted(old.keys() | new.keys())
        if old.get(key, "") != new.get(key, "")
    }


def _said(claims: Claims) -> dict[str, str]:
    return _texts(claims.holder.name, claims.holder.id_type, claims.holder.id_number, claims.holder.sex) | {
        **claims.fields,
        "photo": (claims.photo_digest or b"").hex(),
    }


def _texts(*holder: str) -> dict[str, str]:
    return dict(zip(("name", "id_type", "id_number", "sex"), holder, strict=True))


def _says_more(office: Office, claims: Claims, record: Record, photo_digest: bytes | None) -> bool:
    holder = record.holder
    fields = {key: value for key, value in record.fields.items() if key not in office.unsaid}
    new = _texts(holder.name, holder.id_type, holder.id_number, holder.sex) | fields
    return new | {"photo": (photo_digest or b"").hex()} != _said(claims)


def _stays_the_holders(versions: Sequence[Claims], record: Record, kind: SuccessionKind) -> bool:
    """Whether a row says the same person as every version, newest first.

    Every version is asked, for else one step could pass on the name and the
    next one the number. A replacement tells by its number whose place it
    takes, so it has the newest one's; an earlier one's may have been wrong and
    was corrected.
    """
    if kind is SuccessionKind.REPLACEMENT and not _has_number(versions[0], record):
        return False
    return all(_has_number(one, record) or _has_name(one, record) for one in versions)


def _has_number(claims: Claims, record: Record) -> bool:
    """Whether both have the same ID number; of two who have none, whether they have the same name."""
    was, is_now = claims.holder, record.holder
    if not was.id_number and not is_now.id_number:
        return _has_name(claims, record)
    return (was.id_type, was.id_number) == (is_now.id_type, is_now.id_number)


def _has_name(claims: Claims, record: Record) -> bool:
    return fold_name_for_matching(claims.holder.name) == fold_name_for_matching(record.holder.name)


def binding_of(successions: Mapping[int, NewSuccession]) -> Sequence[str]:
    """What of the successions a batch's digest covers, for each row its own text."""
    return [
        "\n".join((str(row), str(one.predecessor_id), one.kind, one.reason, one.decision, str(one.seen_change)))
        for row, one in sorted(successions.items())
    ]
