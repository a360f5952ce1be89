"""Hand certificates over to their holders: claim codes for a batch or for one certificate."""

import os
from dataclasses import dataclass
from datetime import timedelta

from credential.claims import decode_claims
from credential.cose import open_message
from credential.errors import RefusedError
from credential.names import mask_name
from holder.claim_codes import ClaimDesk, may_be_handed_out
from intake.handover_sheet import HandoverLine
from issuer.office import BEIJING
from registry.batches import get_batch
from registry.claim_codes import Holding, get_holding, holdings_of_batch
from registry.credentials import get_credential
from registry.issuers import get_person
from service.house import House
from service.pace import steady_pace


class NothingToHandOver(RefusedError):
    """No certificate of the batch can be handed over."""

    code = "nothing-to-hand-over"

    def __init__(self, batch_id: int) -> None:
        super().__init__(
            f"batch {batch_id} has no printed certificate that is still good; resume the batch first",
            f"批次 {batch_id} 中没有已制作完成且有效的证书; 请先继续该批次",
        )
        self.batch_id = batch_id


class NotToHandOver(RefusedError):
    """This certificate's file is not handed out as things stand."""

    code = "not-to-hand-over"

    def __init__(self, serial: str) -> None:
        super().__init__(
            f"no claim code is made for {serial}: it is not printed yet, or was revoked, suspended, replaced or erased",
            f"不能为 {serial} 生成领取码: 证书尚未制作完成, 或已被撤销、暂扣、替换或删除",
        )
        self.serial = serial


@dataclass(frozen=True, slots=True)
class NewClaimCode:
    """One new code, shown this once.

    Attributes:
        code: grouped, as it is typed.
        until: last day, Beijing time.
        page: address of the page where it is typed in.
    """

    serial: str
    code: str
    until: str
    page: str


def claim_desk(house: House) -> ClaimDesk:
    """Open the desk where holders exchange claim codes for their files."""
    return ClaimDesk(house.database, house.vault, house.documents, random=os.urandom, now=house.now, pace=steady_pace)


def hand_over(house: House, batch_id: int, person: str) -> list[HandoverLine]:
    """Make a claim code for every good certificate of a batch; codes made before open nothing any more.

    Certificates that are not printed, revoked, suspended, replaced or erased are left out.

    Args:
        house: of the installation.
        batch_id: of the batch.
        person: id of who hands over; acts for the batch's issuer.

    Returns:
        One line for each, by row, shown this once: only digests are kept.

    Raises:
        UnknownBatch: there is none with this number.
        UnknownPerson: the person does not act for the issuer.
        NothingToHandOver: no certificate of it can be handed over.
    """
    with house.database.transaction() as session:
        batch = get_batch(session, batch_id)
        get_person(session, person, issuer_id=batch.issuer_id)
        found = [one for one in holdings_of_batch(session, house.vault, batch_id) if _is_ready(one)]
        if not found:
            raise NothingToHandOver(batch_id)
        names = [mask_name(decode_claims(open_message(one.claims).payload).holder.name) for one in found]
        made = claim_desk(house).make_codes(session, found, person, _lifetime(house))
    page = _claim_page(house, batch.issuer_id)
    return [
        HandoverLine(
            row=one.row_number,
            serial=one.serial,
            name=name,
            code=new.code,
            until=new.expires_at.astimezone(BEIJING).strftime("%Y-%m-%d"),
            page=page,
        )
        for one, name, new in zip(found, names, made, strict=True)
    ]


def new_claim_code(house: House, serial: str, person: str, *, issuer_id: str | None = None) -> NewClaimCode:
    """Make a new claim code for the newest version of one certificate; the one before opens nothing any more.

    Args:
        house: of the installation.
        serial: of the certificate.
        person: id of who hands over; acts for its issuer.
        issuer_id: needed where several issuers use the serial.

    Raises:
        UnknownSerial: there is none, or several issuers have one.
        UnknownPerson: the person does not act for the issuer.
        NotToHandOver: it is not printed, or not good any more.
    """
    with house.database.transaction() as session:
        credential = get_credential(session, serial, issuer_id)
        get_person(session, person, issuer_id=credential.issuer_id)
        holding = get_holding(session, credential.id)
        if not _is_ready(holding):
            raise NotToHandOver(serial)
        (made,) = claim_desk(house).make_codes(session, [holding], person, _lifetime(house))
    until = made.expires_at.astimezone(BEIJING).strftime("%Y-%m-%d")
    return NewClaimCode(serial, made.code, until, _claim_page(house, holding.issuer_id))


def _is_ready(holding: Holding) -> bool:
    return holding.is_printed and not holding.is_erased and may_be_handed_out(holding)


def _lifetime(house: House) -> timedelta:
    return timedelta(days=house.settings.claim_code_days)


def _claim_page(house: House, issuer_id: str) -> str:
    return f"{house.issuer(issuer_id).settings.public_url}/claim"
