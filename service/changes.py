"""Change credentials: find the issuer, revoke, say what was done."""

from dataclasses import dataclass
from datetime import date

from credential.errors import InputError
from credential.model import Ban, RevocationReason, State
from issuer.ban import BAN_SCOPE
from issuer.change import revoke
from registry.credentials import UnknownSerial, find_by_serial
from service.house import House


class IncompleteBan(InputError):
    """A ban of one's own needs its first day, its last day and the document it rests on."""

    code = "incomplete-ban"

    def __init__(self) -> None:
        super().__init__(
            "a ban needs --ban-from, --ban-until and --ban-basis together, the first day before the last; leave "
            "all three out to take the issuer's default",
            "限制申报须同时给出 --ban-from、--ban-until 和 --ban-basis, 且起始日不晚于截止日; "
            "三项都不给则按机构默认规则",
        )


class SeveralIssuers(InputError):
    """Several issuers use the serial."""

    code = "several-issuers"

    def __init__(self, serial: str, issuers: list[str]) -> None:
        listed = ", ".join(issuers)
        super().__init__(
            f"the serial {serial} is used by {listed}; name one with --issuer",
            f"编号 {serial} 被多个机构使用({listed}); 请用 --issuer 指明",
        )


@dataclass(frozen=True, slots=True)
class Revoked:
    """What was done."""

    serial: str
    state: State
    effective_on: date
    ban: Ban | None


def revoke_credential(  # noqa: PLR0913 - each is a fact that the law asks for
    house: House,
    serial: str,
    *,
    issuer: str | None,
    reason: RevocationReason,
    decision: str,
    maker: str,
    checker: str,
    effective_on: date | None = None,
    ban_from: date | None = None,
    ban_until: date | None = None,
    ban_basis: str | None = None,
) -> Revoked:
    """Revoke a credential; every way of checking shows it at once.

    Args:
        house: of the installation.
        serial: of the credential.
        issuer: needed only where several use the serial.
        reason: from the closed list.
        decision: number of the decision document.
        maker: id of the person who proposes it.
        checker: id of the second person.
        effective_on: today in Beijing time when None.
        ban_from: first day of the ban; None, with the next two, takes the issuer's default.
        ban_until: its last day.
        ban_basis: the document it rests on.

    Raises:
        UnknownSerial: no issuer has such a credential.
        SeveralIssuers: more than one has.
        IncompleteBan: only a part of the ban is given.
        and what ``issuer.change.revoke`` raises.
    """
    owner = issuer or _issuer_of(house, serial)
    desk = house.desk(house.issuer(owner))
    day = effective_on or house.today()
    ban = _ban(ban_from, ban_until, ban_basis)
    done = revoke(
        desk,
        serial,
        reason=reason,
        decision=decision,
        effective_on=day,
        maker=maker,
        checker=checker,
        now=house.now(),
        ban=ban,
    )
    return Revoked(serial, done.state, day, ban)


def _issuer_of(house: House, serial: str) -> str:
    with house.database.reading() as session:
        found = sorted({one.issuer_id for one in find_by_serial(session, serial)})
    if not found:
        raise UnknownSerial(serial)
    if len(found) > 1:
        raise SeveralIssuers(serial, found)
    return found[0]


def _ban(start: date | None, until: date | None, basis: str | None) -> Ban | None:
    if start is None and until is None and basis is None:
        return None
    if start is None or until is None or not basis or until < start:
        raise IncompleteBan
    return Ban(start, until, BAN_SCOPE, basis)
