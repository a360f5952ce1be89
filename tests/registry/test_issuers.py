"""Issuers and the persons who act for them."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from registry.issuers import (
    AlreadyExists,
    BadIssuerSettings,
    BadSlug,
    Issuer,
    Person,
    UnknownIssuer,
    UnknownPerson,
    add_issuer,
    add_person,
    get_issuer,
    get_person,
    list_issuers,
)
from tests.fakes_issuer import ISSUER, MAKER, START, House, build_house


@pytest.fixture
def house(tmp_path: Path) -> House:
    return build_house(tmp_path)


def test_an_issuer_comes_back_with_its_settings(house: House) -> None:
    other = replace(ISSUER, id="taizhou", uscc="11331000002682023K")
    with house.database.transaction() as session:
        add_issuer(session, other, now=START)
    with house.database.reading() as session:
        assert get_issuer(session, "taizhou") == other
        assert list_issuers(session) == [ISSUER, other]


@pytest.mark.parametrize(
    "issuer", [replace(ISSUER, id="other"), replace(ISSUER, uscc="11331000002682023K")], ids=["code", "id"]
)
def test_an_id_or_a_code_is_taken_once(house: House, issuer: Issuer) -> None:
    with house.database.transaction() as session:
        with pytest.raises(AlreadyExists, match=r"issuer .* exists already"):
            add_issuer(session, issuer, now=START)
        add_person(session, Person("zhao", ISSUER.id, "赵"), now=START)  # the session goes on


@pytest.mark.parametrize("slug", ["", "A", "a b", "-a", "宁波", "a" * 33, "a/b"])
def test_an_id_is_a_short_word(house: House, slug: str) -> None:
    with house.database.transaction() as session:
        with pytest.raises(BadSlug):
            add_issuer(session, replace(ISSUER, id=slug), now=START)
        with pytest.raises(BadSlug):
            add_person(session, Person(slug, ISSUER.id, "赵"), now=START)


def test_a_person_acts_for_one_issuer(house: House) -> None:
    with house.database.transaction() as session:
        assert get_person(session, MAKER, issuer_id=ISSUER.id).name == MAKER
        with pytest.raises(UnknownPerson):
            get_person(session, MAKER, issuer_id="taizhou")
        with pytest.raises(UnknownPerson):
            get_person(session, "nobody", issuer_id=ISSUER.id)
        with pytest.raises(UnknownIssuer):
            add_person(session, Person("zhao", "taizhou", "赵"), now=START)
        with pytest.raises(AlreadyExists):
            add_person(session, Person(MAKER, ISSUER.id, "王"), now=START)


@pytest.mark.parametrize("settings", ["{}", '{"colour": "red"}'])
def test_settings_of_another_version_are_refused_with_their_names(house: House, settings: str) -> None:
    with house.database.transaction() as session:
        session.execute(text("UPDATE issuer SET settings = :settings"), {"settings": settings})
        with pytest.raises(BadIssuerSettings, match="type_code"):
            get_issuer(session, ISSUER.id)
