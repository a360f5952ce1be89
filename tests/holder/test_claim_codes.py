"""Claim codes: what they are worth, what each wrong way gives, and that no try is ever free."""

import os
import random
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from credential.errors import Error
from credential.model import RevocationReason
from holder.claim_codes import (
    CODE_CHARACTERS,
    GRANT_LIFETIME,
    RANDOM_BITS,
    BadClaimCode,
    ClaimRefused,
    NotHandedOut,
    UnknownDownload,
    group_claim_code,
    new_claim_code,
    parse_claim_code,
)
from issuer.change import revoke
from registry.claim_codes import TRIES
from tests.fakes_issuer import CHECKER, MAKER
from tests.faults.faults import Countdown, Killed, watched
from tests.holder.conftest import LIFETIME, Counter

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODES = st.binary(min_size=2_000, max_size=2_000).map(lambda seed: new_claim_code(_reader(seed)))
NO_SERIAL = "33020020260130009999"


def _reader(seed: bytes) -> Callable[[int], bytes]:
    position = 0

    def read(count: int) -> bytes:
        nonlocal position
        position += count
        return seed[position - count : position] if position <= len(seed) else os.urandom(count)

    return read


def wrong_code() -> str:
    return group_claim_code(new_claim_code(os.urandom))


def outcome(act: Callable[[], object]) -> str:
    try:
        act()
    except Error as error:
        return error.code
    return "done"


# ---- how a code is written --------------------------------------------------------------------------------------


def test_a_code_has_more_than_fifty_random_bits() -> None:
    assert RANDOM_BITS >= 50 + 1  # one bit is more than the check character's choice costs
    drawn = {new_claim_code(os.urandom) for _ in range(3_000)}
    assert len(drawn) == 3_000
    for place in range(CODE_CHARACTERS - 1):
        assert {code[place] for code in drawn} == set(ALPHABET)


@given(CODES)
def test_a_code_is_read_as_people_type_it(code: str) -> None:
    grouped = group_claim_code(code)
    slips = grouped.lower().replace("0", "o").replace("1", "l")
    wide = "".join(chr(ord(char) + 0xFEE0) for char in grouped)

    assert len(grouped) == 14
    assert {parse_claim_code(typed) for typed in (code, grouped, slips, wide, f"  {grouped} ")} == {code}


@given(CODES, st.integers(0, CODE_CHARACTERS - 1), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_found_before_it_costs_a_try(code: str, place: int, other: str) -> None:
    changed = code[:place] + other + code[place + 1 :]
    if changed != code:
        with pytest.raises(BadClaimCode):
            parse_claim_code(changed)


def test_nearly_all_neighbours_exchanged_are_found() -> None:
    """ISO 7064 MOD 37,36 promises every single wrong character, and most exchanges of two neighbours."""
    chance = random.Random(7064)  # noqa: S311 - the same codes each time
    exchanged = found = 0
    for _ in range(500):
        code = new_claim_code(chance.randbytes)
        for place in range(CODE_CHARACTERS - 1):
            changed = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
            exchanged += changed != code
            found += changed != code and outcome(lambda: parse_claim_code(changed)) == "bad-claim-code"  # noqa: B023 - called at once

    assert found / exchanged > 0.95


@given(st.text(max_size=200))
def test_whatever_is_typed_is_a_code_or_refused(typed: str) -> None:
    assert outcome(lambda: parse_claim_code(typed)) in {"done", "bad-claim-code"}


def test_a_refused_code_is_not_repeated() -> None:
    with pytest.raises(BadClaimCode) as refused:
        parse_claim_code("7K3M-9QXA-XXXX")

    assert "9QXA" not in refused.value.en + refused.value.zh


# ---- what a code opens ------------------------------------------------------------------------------------------


def test_a_code_opens_the_exact_file_of_its_own_certificate_and_only_once(counter: Counter) -> None:
    made = counter.make()
    claims = [counter.desk.claim(serial, one.code) for serial, one in zip(counter.serials, made, strict=True)]

    for serial, claim in zip(counter.serials, claims, strict=True):
        download = counter.desk.download(claim.grant)
        assert download.content == counter.house.documents.fetch_pdf(serial)
        assert download.serial == serial
        assert claim.file_name == f"{serial}.pdf"
    for serial, one in zip(counter.serials, made, strict=True):
        assert outcome(partial(counter.desk.claim, serial, one.code)) == "claim-code-refused"


def test_the_code_of_another_certificate_opens_nothing(counter: Counter) -> None:
    first, second = counter.make()

    assert outcome(lambda: counter.desk.claim(counter.serials[0], second.code)) == "claim-code-refused"
    assert counter.desk.claim(counter.serials[0], first.code).serial == counter.serials[0]


def test_five_wrong_codes_end_a_code_and_no_other(counter: Counter) -> None:
    first, second = counter.make()
    wrong = [outcome(lambda: counter.desk.claim(counter.serials[0], wrong_code())) for _ in range(TRIES)]

    assert wrong == ["claim-code-refused"] * 5
    assert outcome(lambda: counter.desk.claim(counter.serials[0], first.code)) == "claim-code-refused"
    assert counter.desk.claim(counter.serials[1], second.code).serial == counter.serials[1]


def test_four_wrong_codes_and_any_number_of_slips_do_not(counter: Counter) -> None:
    first, _ = counter.make()
    for _ in range(TRIES - 1):
        assert outcome(lambda: counter.desk.claim(counter.serials[0], wrong_code())) == "claim-code-refused"
    for _ in range(20):
        assert outcome(lambda: counter.desk.claim(counter.serials[0], first.code[:-1])) == "bad-claim-code"

    assert counter.desk.claim(counter.serials[0], first.code).serial == counter.serials[0]


def test_a_new_code_ends_the_one_before(counter: Counter) -> None:
    before, after = counter.make()[0], counter.make()[0]

    assert outcome(lambda: counter.desk.claim(counter.serials[0], before.code)) == "claim-code-refused"
    assert counter.desk.claim(counter.serials[0], after.code).serial == counter.serials[0]


def test_a_new_code_is_no_way_to_keep_trying_the_old_one(counter: Counter) -> None:
    for _ in range(TRIES + 1):
        outcome(lambda: counter.desk.claim(counter.serials[0], wrong_code()))
    fresh = counter.make()[0]

    assert counter.desk.claim(counter.serials[0], fresh.code).serial == counter.serials[0]


def test_a_code_expires(counter: Counter) -> None:
    made = counter.make()[0]
    counter.wait(LIFETIME)

    assert outcome(lambda: counter.desk.claim(counter.serials[0], made.code)) == "claim-code-refused"


def test_a_download_may_be_fetched_again_until_it_expires(counter: Counter) -> None:
    claim = counter.desk.claim(counter.serials[0], counter.make()[0].code)
    assert counter.desk.download(claim.grant).content == counter.desk.download(claim.grant).content
    counter.wait(GRANT_LIFETIME)

    assert outcome(lambda: counter.desk.download(claim.grant)) == "unknown-download"


@pytest.mark.parametrize("grant", ["", "x", "A" * 43, "\ud800", "../../etc"])
def test_nothing_else_opens_a_download(grant: str, counter: Counter) -> None:
    with pytest.raises(UnknownDownload):
        counter.desk.download(grant)


def test_only_digests_are_kept(counter: Counter) -> None:
    made = counter.make()
    claim = counter.desk.claim(counter.serials[0], made[0].code)
    with counter.house.database.reading() as session:
        kept = [str(row) for row in session.execute(text("SELECT * FROM claim_code"))]
        kept += [str(row) for row in session.execute(text("SELECT * FROM download_grant"))]

    assert len(kept) == 3
    for secret in (*(one.code for one in made), *(one.code.replace("-", "") for one in made), claim.grant):
        assert not any(secret in row for row in kept)


# ---- what is not told -------------------------------------------------------------------------------------------


def test_every_wrong_way_gives_one_answer_at_one_pace(counter: Counter) -> None:
    first, second = counter.make()
    used = counter.desk.claim(counter.serials[1], second.code)
    answers = []
    for serial, code in [
        (NO_SERIAL, first.code),
        ("", first.code),
        (counter.serials[0], wrong_code()),
        (counter.serials[0], second.code),
        (counter.serials[1], second.code),
    ]:
        with pytest.raises(ClaimRefused) as refused:
            counter.desk.claim(serial, code)
        answers.append((refused.value.code, refused.value.en, refused.value.zh, refused.value.__dict__.keys()))

    assert used.grant
    assert answers == [answers[0]] * 5
    assert counter.pace.entered == counter.pace.left == 6


def test_a_revoked_certificate_is_not_handed_out_and_only_its_holder_is_told(counter: Counter) -> None:
    made = counter.make()
    claim = counter.desk.claim(counter.serials[1], made[1].code)
    for serial in counter.serials:
        revoke(
            counter.house.desk,
            serial,
            reason=RevocationReason.FRAUD,
            decision="示人社函〔2026〕9号",
            effective_on=counter.house.clock.now().date(),
            maker=MAKER,
            checker=CHECKER,
            now=counter.house.clock.now(),
        )

    assert outcome(lambda: counter.desk.claim(counter.serials[0], wrong_code())) == "claim-code-refused"
    with pytest.raises(NotHandedOut):
        counter.desk.claim(counter.serials[0], made[0].code)
    with pytest.raises(NotHandedOut):
        counter.desk.download(claim.grant)


def test_an_erased_record_gives_nothing_and_says_nothing(counter: Counter) -> None:
    made = counter.make()
    claim = counter.desk.claim(counter.serials[1], made[1].code)
    with counter.house.database.transaction() as session:
        session.execute(text("UPDATE record_key SET wrapped = NULL WHERE row_number > 0"))

    assert outcome(lambda: counter.desk.claim(counter.serials[0], made[0].code)) == "claim-code-refused"
    assert outcome(lambda: counter.desk.download(claim.grant)) == "unknown-download"


# ---- a try is never free ----------------------------------------------------------------------------------------


def tries_left(counter: Counter) -> int:
    with counter.house.database.reading() as session:
        return int(session.execute(text("SELECT MIN(tries_left) FROM claim_code")).scalar_one())


def test_killed_anywhere_a_wrong_code_has_cost_its_try_before_anything_is_known(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter.make()
    compared: list[int] = []
    real = counter.house.vault.blind

    def blind(field: str, *values: str) -> bytes:
        if field == "claim-code":
            compared.append(tries_left(counter))
        return real(field, *values)

    monkeypatch.setattr(counter.house.vault, "blind", blind)
    with pytest.raises(ClaimRefused):
        counter.desk.claim(counter.serials[0], wrong_code())

    assert compared == [TRIES - 1]  # another connection sees the count before the comparison begins


def test_killed_between_counting_and_answering_five_times_the_code_is_over(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = counter.make()[0]

    def killed(*_: object) -> bytes:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(counter.house.vault, "blind", killed)
        for _ in range(TRIES):
            with pytest.raises(Killed):
                counter.desk.claim(counter.serials[0], made.code)

    assert outcome(lambda: counter.desk.claim(counter.serials[0], made.code)) == "claim-code-refused"


def test_killed_at_every_place_a_right_code_is_used_or_may_be_used_again(counter: Counter) -> None:
    """Never both a download and a live code, and never more tries than were paid for."""
    place, was_killed = 0, True
    while was_killed:
        place += 1
        made = counter.make()[0]
        claim = None
        try:
            with watched(Countdown(place)):
                claim = counter.desk.claim(counter.serials[0], made.code)
            was_killed = False
        except Killed:
            pass
        again = outcome(partial(counter.desk.claim, counter.serials[0], made.code))
        assert again == ("done" if claim is None else "claim-code-refused")

    assert place > 4


def test_two_at_once_get_one_download(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    made = counter.make()[0]
    real = counter.house.vault.blind
    inner: list[str] = []

    def blind(field: str, *values: str) -> bytes:
        if field == "claim-code" and not inner:
            inner.append("claiming")
            inner[0] = outcome(lambda: counter.desk.claim(counter.serials[0], made.code))
        return real(field, *values)

    monkeypatch.setattr(counter.house.vault, "blind", blind)

    assert outcome(lambda: counter.desk.claim(counter.serials[0], made.code)) == "claim-code-refused"
    assert inner == ["done"]


def test_grants_that_are_over_are_forgotten(counter: Counter) -> None:
    first, second = counter.make()
    counter.desk.claim(counter.serials[0], first.code)
    counter.wait(GRANT_LIFETIME + timedelta(seconds=1))
    counter.desk.claim(counter.serials[1], second.code)
    with counter.house.database.reading() as session:
        kept = session.execute(text("SELECT COUNT(*) FROM download_grant")).scalar_one()

    assert kept == 1
