"""Tokens: random, shown once, kept as a digest, over when they are over."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from issuer.api.callers import Scope
from registry.tokens import ApiToken
from service import tokens
from service.house import House, SystemClock
from service.settings import Settings
from service.tokens import BadTokenRequest, caller_of, create_token
from tests.service.at_hand import PASSPHRASE, run


@pytest.fixture
def house(data: Path) -> Iterator[House]:
    made = House(Settings(data=data), PASSPHRASE.encode("ascii"), SystemClock())
    yield made
    made.database.close()


def _now() -> datetime:
    return datetime.now(UTC)


def test_a_token_tells_whose_it_is_and_what_it_may(house: House) -> None:
    made, kept = create_token(house, "wang", scopes=["submit", "read"], days=90)

    caller = caller_of(house.database, made, _now())

    assert caller is not None
    assert (caller.issuer_id, caller.person_id, caller.scopes) == ("nb", "wang", frozenset({Scope.READ, Scope.SUBMIT}))
    assert caller.token_id == kept.id
    assert timedelta(days=89) < kept.expires_at - _now() <= timedelta(days=90)


def test_a_token_has_160_random_bits_and_no_two_are_alike(house: House) -> None:
    made = {create_token(house, "wang", scopes=["read"], days=1)[0] for _ in range(20)}

    secrets = {re.fullmatch(r"yz_[a-z2-7]{8}_([a-z2-7]{32})", one) for one in made}
    assert len({match[1] for match in secrets if match}) == 20
    assert 32 * 5 >= 160


def test_the_secret_stands_nowhere_in_the_data_folder(house: House, data: Path) -> None:
    made, kept = create_token(house, "wang", scopes=["read"], days=1)
    secret = made.rpartition("_")[2].encode()

    files = [file.read_bytes() for file in data.rglob("*") if file.is_file() and "cache" not in file.parts]

    assert kept.digest == sha256(secret).digest()
    assert any(kept.digest in content for content in files)
    assert not any(secret in content for content in files)
    assert secret.decode() not in repr(kept)


@pytest.mark.parametrize(
    ("ahead", "is_good"),
    [(timedelta(), True), (timedelta(days=1, seconds=-1), True), (timedelta(days=1), False), (timedelta(900), False)],
)
def test_a_token_ends_at_its_moment(house: House, ahead: timedelta, is_good: bool) -> None:  # noqa: FBT001 - a case
    made, kept = create_token(house, "wang", scopes=["read"], days=1)

    assert (caller_of(house.database, made, kept.created_at + ahead) is not None) is is_good


def test_a_revoked_token_is_over_for_good(house: House) -> None:
    made, kept = create_token(house, "wang", scopes=["read"], days=1)
    first = tokens.revoke(house, kept.id)

    assert caller_of(house.database, made, _now()) is None
    assert tokens.revoke(house, kept.id).revoked_at == first.revoked_at
    with pytest.raises(DBAPIError), house.database.transaction() as session:
        session.connection().execute(text("UPDATE api_token SET revoked_at = NULL"))
    with pytest.raises(DBAPIError), house.database.transaction() as session:
        session.connection().execute(text("UPDATE api_token SET expires_at = '2099-01-01'"))


def test_one_changed_character_is_no_token(house: House) -> None:
    made, _ = create_token(house, "wang", scopes=["read"], days=1)

    for at in range(len(made)):
        changed = made[:at] + ("b" if made[at] != "b" else "c") + made[at + 1 :]
        assert caller_of(house.database, changed, _now()) is None, at


def test_no_text_is_a_token_by_chance(house: House) -> None:
    create_token(house, "wang", scopes=["read"], days=1)

    @given(st.text(max_size=60) | st.from_regex(r"yz_[a-z2-7]{8}_[a-z2-7]{32}", fullmatch=True))
    def refused(sent: str) -> None:
        assert caller_of(house.database, sent, _now()) is None

    refused()


def test_the_secret_of_one_token_does_not_open_another(house: House) -> None:
    one, _ = create_token(house, "wang", scopes=["read"], days=1)
    other, _ = create_token(house, "li", scopes=["approve"], days=1)
    mixed = "_".join([*one.split("_")[:2], other.split("_")[2]])

    assert caller_of(house.database, mixed, _now()) is None


@pytest.mark.parametrize(
    ("scopes", "days", "label"),
    [([], 1, ""), (["admin"], 1, ""), (["read", "READ"], 1, ""), (["read"], 0, ""), (["read"], 367, ""),
     (["read"], -1, ""), (["read"], 1, "x" * 101)],
)  # fmt: skip
def test_a_token_that_there_cannot_be_is_refused(house: House, scopes: list[str], days: int, label: str) -> None:
    with pytest.raises(BadTokenRequest):
        create_token(house, "wang", scopes=scopes, days=days, label=label)
    assert tokens.all_tokens(house) == []


def test_a_token_without_good_times_is_not_good() -> None:
    now = _now()
    token = ApiToken("a", "nb", "wang", b"", (), "", now, now + timedelta(1))

    assert token.is_good(now)
    assert not token.is_good(now + timedelta(1))


def test_the_command_line_makes_lists_and_revokes(data: Path) -> None:
    made = run("--data", data, "token", "create", "--person", "wang", "--scope", "submit", "--scope", "read",
               "--days", "90", "--label", "[red]入库程序[/]")  # fmt: skip
    text_of = made.out.strip().splitlines()[-1]
    token_id = text_of.split("_")[1]

    listed = run("--data", data, "token", "list")
    revoked = run("--data", data, "token", "revoke", token_id)
    again = run("--data", data, "token", "list")

    assert made.code == listed.code == revoked.code == 0, (made, listed, revoked)
    assert re.fullmatch(r"yz_[a-z2-7]{8}_[a-z2-7]{32}", text_of)
    assert token_id in listed.out
    assert "[red]入库程序[/]" in listed.out
    assert text_of not in listed.out
    assert "read submit" in listed.out
    assert "good" in listed.out
    assert "revoked" in again.out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["create", "--person", "nobody", "--scope", "read"], "unknown-person"),
        (["revoke", "aaaaaaaa"], "unknown-token"),
    ],
)
def test_the_command_line_says_what_there_is_not(data: Path, arguments: list[str], code: str) -> None:
    ran = run("--data", data, "token", *arguments)

    assert (ran.code, ran.error) == (1, code)


@pytest.mark.parametrize("arguments", [["--scope", "admin"], [], ["--scope", "read", "--days", "367"]])
def test_the_command_line_asks_for_scopes_and_a_time(data: Path, arguments: list[str]) -> None:
    assert run("--data", data, "token", "create", "--person", "wang", *arguments).code == 2


def test_scopes_are_stored_as_words(house: House) -> None:
    create_token(house, "wang", scopes=["hand-over", "read"], days=1)

    with house.database.reading() as session:
        stored = session.connection().execute(text("SELECT scopes FROM api_token")).scalar_one()

    assert json.loads(stored) == ["read", "hand-over"]
