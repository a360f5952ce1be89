"""The photo after the end of the ID number: five wrong ends a day, counted before anything is compared."""

import hashlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import text

from credential.claims import decode_claims
from credential.cose import open_message
from credential.model import RevocationReason
from issuer.change import revoke
from registry.packs import PackDamaged
from registry.photos import TRIES, WINDOW
from registry.vault import RecordKey
from service import portrait
from service.house import House
from service.portrait import PhotoNotShown, photo_of
from tests import fakes_issuer
from tests.fakes_issuer import CHECKER, MAKER, make_records
from tests.faults.faults import Killed, issued_house

RIGHT, WRONG = "010001", "010002"


@dataclass
class Shown:
    """A house whose first certificate is asked for its photo."""

    inner: fakes_issuer.House
    ahead: timedelta = timedelta(0)

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def now(self) -> datetime:
        return self.inner.clock.now() + self.ahead

    def today(self) -> date:
        return self.now().date()

    @property
    def code(self) -> str:
        registered = self.inner.source.by_serial(self.inner.press.printed[0])[0]
        return decode_claims(open_message(registered.claims).payload).verification_code

    def ask(self, last_six: str, code: str | None = None) -> bytes | None:
        """The photo, or None where it is not shown."""
        try:
            return photo_of(cast("House", self), code or self.code, last_six, steady)
        except PhotoNotShown:
            return None


def steady() -> AbstractContextManager[None]:
    return nullcontext()


@pytest.fixture
def shown(either_registry: str, tmp_path: Path) -> Shown:
    assert either_registry
    return Shown(issued_house(tmp_path))


@pytest.fixture
def photo() -> bytes:
    found = make_records(1)[0].photo
    assert found is not None
    return found


def test_the_right_end_shows_the_photo_that_was_signed(shown: Shown, photo: bytes) -> None:
    registered = shown.inner.source.by_serial(shown.inner.press.printed[0])[0]
    claims = decode_claims(open_message(registered.claims).payload)

    assert shown.ask(RIGHT) == photo
    assert hashlib.sha256(photo).digest() == claims.photo_digest


@pytest.mark.parametrize("typed", [" 010001 ", "010 001", "０１０００１", "01-0001"])
def test_it_is_read_as_people_type_it(typed: str, shown: Shown, photo: bytes) -> None:
    assert shown.ask(typed) == photo


def test_the_code_is_read_as_people_type_it(shown: Shown, photo: bytes) -> None:
    code = shown.code.lower()

    assert shown.ask(RIGHT, "-".join(code[at : at + 4] for at in range(0, 16, 4))) == photo


def test_after_five_wrong_ends_the_right_one_shows_nothing_for_a_day(shown: Shown, photo: bytes) -> None:
    assert [shown.ask(WRONG) for _ in range(TRIES)] == [None] * 5
    assert shown.ask(RIGHT) is None
    shown.ahead = WINDOW - timedelta(minutes=1)
    assert shown.ask(RIGHT) is None
    shown.ahead = WINDOW + timedelta(minutes=1)
    assert shown.ask(RIGHT) == photo


def test_right_ends_do_not_count_but_wrong_ones_between_them_do(shown: Shown, photo: bytes) -> None:
    for _ in range(TRIES - 1):
        assert shown.ask(RIGHT) == photo
        assert shown.ask(RIGHT) == photo
        assert shown.ask(WRONG) is None
    assert shown.ask(RIGHT) == photo
    assert shown.ask(WRONG) is None

    assert shown.ask(RIGHT) is None


@pytest.mark.parametrize("typed", ["", "1", "10001", "0010001", "33020019900101" + RIGHT, "\ud800" * 6, "零一零零零一"])
def test_what_cannot_be_the_end_of_a_number_shows_nothing_and_is_no_try(typed: str, shown: Shown, photo: bytes) -> None:
    assert [shown.ask(typed) for _ in range(TRIES + 1)] == [None] * 6
    assert shown.ask(RIGHT) == photo


@pytest.mark.parametrize("code", ["", "0000-0000-0000-0000", "no code", "\x00"])
def test_an_unknown_code_and_a_wrong_end_give_one_answer(code: str, shown: Shown) -> None:
    answers = []
    for asked, typed in [(code, RIGHT), (shown.code, WRONG)]:
        with pytest.raises(PhotoNotShown) as refused:
            photo_of(cast("House", shown), asked, typed, steady)
        answers.append((refused.value.code, refused.value.en, refused.value.zh))

    assert answers[0] == answers[1]
    assert RIGHT not in answers[0][1]


def test_every_answer_comes_at_the_same_pace(shown: Shown) -> None:
    paced: list[str] = []

    def pace() -> AbstractContextManager[None]:
        paced.append("paced")
        return nullcontext()

    for code, typed in [("", RIGHT), (shown.code, WRONG), (shown.code, RIGHT), (shown.code, "")]:
        try:
            photo_of(cast("House", shown), code, typed, pace)
        except PhotoNotShown:
            continue

    assert len(paced) == 4


def test_a_certificate_that_is_not_good_shows_no_photo(shown: Shown) -> None:
    revoke(
        shown.inner.desk,
        shown.inner.press.printed[0],
        reason=RevocationReason.FRAUD,
        decision="示人社函〔2026〕9号",
        effective_on=shown.inner.clock.now().date(),
        maker=MAKER,
        checker=CHECKER,
        now=shown.inner.clock.now(),
    )

    assert shown.ask(RIGHT) is None


def test_an_erased_record_shows_no_photo(shown: Shown) -> None:
    code = shown.code
    with shown.inner.database.transaction() as session:
        session.execute(text("UPDATE record_key SET wrapped = NULL WHERE row_number > 0"))

    assert shown.ask(RIGHT, code) is None


def test_another_photo_than_the_signed_one_is_never_shown(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    real = RecordKey.open_bytes

    def open_bytes(self: RecordKey, sealed: bytes, at: bytes) -> bytes:
        return b"another photo" if b"photo" in at else real(self, sealed, at)

    monkeypatch.setattr(RecordKey, "open_bytes", open_bytes)
    with pytest.raises(PackDamaged):
        shown.ask(RIGHT)


def test_killed_between_counting_and_answering_the_try_is_gone(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> bool:
        raise Killed

    code = shown.code
    with monkeypatch.context() as patch:
        patch.setattr(portrait, "_is_end", killed)
        for _ in range(TRIES):
            with pytest.raises(Killed):
                shown.ask(RIGHT, code)

    assert shown.ask(RIGHT, code) is None
