"""Claim codes for the issuing API; see issuer.api.ports.HandOverDesk."""

from dataclasses import asdict

from issuer.api.callers import SignedIn
from issuer.api.holding_models import ClaimCode, HandOver, HandOverLine
from registry.batches import UnknownBatch, get_batch
from service.handing import hand_over, new_claim_code
from service.house import House


class HouseHandOver:
    """Makes claim codes for certificates of the caller's issuer."""

    def __init__(self, house: House) -> None:
        self._house = house

    def hand_over(self, caller: SignedIn, batch_id: int) -> HandOver:
        """New codes for every good certificate of a batch."""
        with self._house.database.reading() as session:
            if get_batch(session, batch_id).issuer_id != caller.issuer_id:
                raise UnknownBatch(batch_id)
        lines = hand_over(self._house, batch_id, caller.person_id)
        return HandOver(items=[HandOverLine.model_validate(asdict(one)) for one in lines])

    def claim_code(self, caller: SignedIn, serial: str) -> ClaimCode:
        """A new code for one certificate."""
        made = new_claim_code(self._house, serial, caller.person_id, issuer_id=caller.issuer_id)
        return ClaimCode.model_validate(asdict(made))
