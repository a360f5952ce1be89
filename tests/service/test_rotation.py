"""Keys are rolled while certificates are made; whatever was issued stays good, whichever key signed it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from credential.note import open_checkpoint
from credential.trust import Role
from issuer.issue import finish_chunk, reserve_chunk
from keys.entry import KeyState
from registry.history import HistoryKind
from registry.status.token_list import open_status_token
from registry.tables import HistoryRow
from service import batches
from service.keeping import verify_whole_log
from service.rotation import (
    KeyNotAnnounced,
    KeyStillSigns,
    NoPendingKey,
    RoleNotRolled,
    activate_key,
    retire_key,
    roll_key,
)
from tests.service.rolling import ISSUER, Bureau, open_bureau
from tests.verifier.world import DirectReader
from verifier.reasons import Word
from verifier.verify import Verifier

GOOD = (Word.VALID, Word.VALID)
OWNERS = {Role.PDF: ISSUER, Role.QR: ISSUER, Role.LOG: "", Role.STATUS: ""}


@pytest.fixture
def bureau(issued_data: Path, tmp_path: Path) -> Iterator[Bureau]:
    with open_bureau(issued_data, tmp_path) as opened:
        yield opened


def first_serial(bureau: Bureau) -> str:
    return bureau.serials(1)[0]


def roll(bureau: Bureau, *roles: Role) -> None:
    """Take the first two steps, with some time between."""
    for role in roles:
        roll_key(bureau.house, role, OWNERS[role])
    bureau.clock.go_on()
    for role in roles:
        activate_key(bureau.house, role, OWNERS[role])
    bureau.clock.go_on()


def told(bureau: Bureau) -> list[str]:
    with bureau.house.database.reading() as session:
        query = (
            select(HistoryRow.kind).where(col(HistoryRow.kind).startswith("key-")).order_by(col(HistoryRow.sequence))
        )
        return list(session.exec(query))


def test_all_keys_are_rolled_and_retired_and_nothing_that_was_issued_is_lost(bureau: Bureau) -> None:
    house = bureau.house
    old = first_serial(bureau)
    assert bureau.words(old) == GOOD
    before = {role: bureau.key(role) for role in OWNERS}
    roll(bureau, *OWNERS)
    new = bureau.issue()[0]
    assert (bureau.words(old), bureau.words(new)) == (GOOD, GOOD)
    for role, owner in OWNERS.items():
        assert bureau.key(role).generation == 2
        assert bureau.key(role, 1).state is KeyState.RETIRED
        retire_key(house, role, owner)
    bureau.clock.go_on(timedelta(minutes=1))
    newer = bureau.issue()[0]
    assert {bureau.words(one) for one in (old, new, newer)} == {GOOD}
    for role, entry in before.items():
        key = next(key for key in house.trust.keys if key.public_key == entry.public_key)
        assert (key.role, key.valid_until is None, key.compromised_since) == (role, False, None)
    kinds = told(bureau)
    assert kinds.count(HistoryKind.KEY_ACTIVATED) == kinds.count(HistoryKind.KEY_RETIRED) == len(OWNERS)
    verify_whole_log(house)


def test_the_checkpoint_and_the_lists_are_signed_by_the_next_keys_at_once(bureau: Bureau) -> None:
    house = bureau.house
    size = open_checkpoint(house.log_reader.checkpoint(), bureau.key(Role.LOG).public_key, house.trust.log_origin).size
    roll(bureau, Role.LOG, Role.STATUS)
    checkpoint = open_checkpoint(house.log_reader.checkpoint(), bureau.key(Role.LOG).public_key, house.trust.log_origin)
    assert checkpoint.size > size
    token = house.status_lists.token(1)
    assert open_status_token(token, bureau.key(Role.STATUS).public_key, house.now()).sub.endswith("/1")


def test_a_batch_that_is_half_made_is_finished_under_the_next_keys_without_a_new_approval(bureau: Bureau) -> None:
    """Reserved with the old COSE key, printed with the new PDF key; the rest of it wholly under the new ones."""
    house = bureau.house
    half, later = bureau.approved(2), bureau.approved(2)
    _, name, version = batches._template_of(batches._batch(house, half))
    reserve_chunk(house.line(ISSUER, name, version), half, 1)
    house.log.sequence(house.now())
    roll(bureau, Role.QR, Role.PDF)
    finish_chunk(house.line(ISSUER, name, version), half, 1)
    for batch in (half, later):
        batches.run(house, batch, lambda _: None)
        assert {bureau.words(serial) for serial in bureau.serials(batch)} == {GOOD}
    retire_key(house, Role.QR, ISSUER)
    retire_key(house, Role.PDF, ISSUER)
    assert {bureau.words(serial) for serial in bureau.serials(half)} == {GOOD}
    document = house.documents.fetch_pdf(bureau.serials(half)[0])
    offline = Verifier(None, house.trust, DirectReader()).verify_file(document, house.now())
    assert offline.reason == "register-not-asked"


def test_a_key_is_not_retired_while_a_batch_may_still_use_it(bureau: Bureau) -> None:
    batch = bureau.approved()
    roll(bureau, Role.QR)
    with pytest.raises(KeyStillSigns, match=f"batch {batch}"):
        retire_key(bureau.house, Role.QR, ISSUER)
    batches.run(bureau.house, batch, lambda _: None)
    retire_key(bureau.house, Role.QR, ISSUER)


def test_steps_out_of_their_order_are_refused(bureau: Bureau) -> None:
    house = bureau.house
    with pytest.raises(KeyStillSigns, match="active"):
        retire_key(house, Role.QR, ISSUER)
    with pytest.raises(RoleNotRolled):
        roll_key(house, Role.TRUST_ROOT)
    made = house.store.create_next(Role.QR, bureau.key(Role.QR).algorithm, ISSUER, now=house.now())
    assert made.public_key not in {key.public_key for key in house.trust.keys}
    with pytest.raises(KeyNotAnnounced):
        activate_key(house, Role.QR, ISSUER)
    with pytest.raises(NoPendingKey):
        activate_key(house, Role.QR, ISSUER, 7)
    assert bureau.key(Role.QR).generation == 1


def test_a_roll_that_was_cut_off_goes_on_with_the_same_key(bureau: Bureau) -> None:
    first = roll_key(bureau.house, Role.PDF, ISSUER)
    again = roll_key(bureau.house, Role.PDF, ISSUER)
    assert first.entry == again.entry
    assert first.entry.chain
    assert again.amended is None
    activated = activate_key(bureau.house, Role.PDF, ISSUER)
    assert activate_key(bureau.house, Role.PDF, ISSUER) == activated
    assert told(bureau).count(HistoryKind.KEY_ACTIVATED) == 1
