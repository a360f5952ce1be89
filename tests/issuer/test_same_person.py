"""A certificate never becomes somebody else's, by no way of corrections and replacements, however long."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from credential.claims import decode_claims
from credential.cose import open_message
from issuer.batch import submit
from issuer.predecessor import AnotherPerson
from registry.service_tables import SuccessionKind
from tests.fakes_issuer import MAKER, House, build_house, make_records
from tests.faults.faults import run_all
from tests.issuer.successors import changed, correct, issue_it, record_of, submit_successor, versions

OTHER_NUMBER = "330200199001010099"
NUMBERS = ("", OTHER_NUMBER, "330200199001010101")
REPLACEMENT = SuccessionKind.REPLACEMENT
HIGHER = {"title": "正高级工程师", "level": "正高级"}


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Two certificates are issued."""
    house = build_house(tmp_path)
    run_all(house)
    return house


@pytest.fixture
def serial(house: House) -> str:
    return serials(house)[0]


def serials(house: House) -> list[str]:
    with house.database.reading() as session:
        return list(session.execute(text("SELECT serial FROM credential ORDER BY id")).scalars())


def test_a_certificate_whose_id_number_was_corrected_can_be_replaced(house: House, serial: str) -> None:
    was = record_of(house, serial)
    correct(house, serial, id_number=OTHER_NUMBER)
    with pytest.raises(AnotherPerson, match="that it has now"):  # by the number that was wrong
        submit_successor(house, serial, changed(was, **HIGHER), kind=REPLACEMENT)
    other_name = changed(record_of(house, serial), name="李四", **HIGHER)
    with pytest.raises(AnotherPerson):  # of the first version it would have neither name nor number
        submit_successor(house, serial, other_name, kind=REPLACEMENT)
    batch = submit_successor(house, serial, changed(record_of(house, serial), **HIGHER), kind=REPLACEMENT)
    issue_it(house, batch)
    newest = versions(house, serial)[0].superseded_by

    assert newest is not None
    with pytest.raises(AnotherPerson):
        submit_successor(house, newest.serial, changed(record_of(house, newest.serial), name="李四"))


STEPS = st.lists(
    st.tuples(st.sampled_from(SuccessionKind), st.sampled_from(["张珊", "李四", "王五"]), st.sampled_from(NUMBERS)),
    min_size=2,
    max_size=4,
)


@pytest.fixture(scope="module")
def busy_house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """One house for many examples, each with a certificate of its own."""
    return build_house(tmp_path_factory.mktemp("busy"))


@settings(max_examples=10)
@given(steps=STEPS)
def test_no_way_of_corrections_and_replacements_leads_to_another_person(
    busy_house: House, steps: list[tuple[SuccessionKind, str, str]]
) -> None:
    house = busy_house
    known = len(serials(house))
    (first,) = make_records(1, start=1000 + known, photos=False)
    issue_it(house, submit(house.office, [first], [], maker=MAKER, now=house.clock.now()).batch)
    (serial,) = serials(house)[known:]
    # Titles differ each time, so that no other rule than that of the person takes part.
    chain = [(first.holder.name, first.holder.id_number)]
    for at, (kind, name, number) in enumerate(steps):
        number = number or first.holder.id_number  # noqa: PLW2901 - an empty one stands for the first
        record = changed(
            record_of(house, serial),
            name=name,
            id_number=number,
            title=f"工程师{known}-{at}",
            specialty=f"{known}-{at}",
        )
        may = all(name == was or number == its for was, its in chain)
        if kind is REPLACEMENT:
            may = may and number == chain[-1][1]
        if not may:
            with pytest.raises(AnotherPerson):
                submit_successor(house, serial, record, kind=kind)
            continue
        issue_it(house, submit_successor(house, serial, record, kind=kind))
        serial = serials(house)[-1]
        chain.append((name, number))
    claims = [decode_claims(open_message(one.claims).payload) for one in versions(house, serial)]

    assert (claims[0].holder.name, claims[0].holder.id_number) == chain[-1]
    assert all(chain[-1][0] == was or chain[-1][1] == its for was, its in chain)
