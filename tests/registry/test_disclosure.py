"""Openings for auditors: every kind of leaf can be opened, by anybody, with a few lines that are not ours."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import pytest
from sqlalchemy import text

from credential.cbor import encode
from credential.claims import decode_claims
from credential.cose import open_message
from credential.cosignature import read_log_key
from credential.leaves import LeafKind, key_leaf, renewal_leaf
from credential.model import State
from credential.note import BadNote
from credential.ports import Algorithm
from issuer.batch import cancel
from registry.columns import table_of
from registry.disclosure import Disclosure, Scope
from registry.log.openings import BadOpening, Opening, check_openings, format_header, format_opening, prove_each
from registry.log.outbox import put_leaves
from registry.service_tables import SuccessionKind
from registry.tables import CredentialFileRow, PackRow
from tests.fakes_issuer import MAKER, ORIGIN, START, STATUS_BASE, House, MemorySigner
from tests.faults.faults import issued_house
from tests.issuer.successors import approve_it, change, changed, correct, record_of, submit_successor, versions
from tests.registry.log.conftest import entries

KEY_CONTENT = encode(["pdf", "11330200002941234X", b"SPKI"])


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Everything that can happen to two certificates, so that the log has a leaf of every kind but a trust list's."""
    house = issued_house(tmp_path)
    first, second = house.press.printed
    correct(house, first, name="张珊")
    change(house, second, State.SUSPENDED)
    change(house, second, State.VALID)
    replacing = changed(record_of(house, second), title="正高级工程师", level="正高级")
    given_up = submit_successor(house, second, replacing, kind=SuccessionKind.REPLACEMENT)
    approve_it(house, given_up)
    cancel(house.office, given_up.id, person=MAKER, reason="wrong", now=house.clock.now())
    renewed(house, second)
    with house.database.transaction() as session:
        put_leaves(session, [key_leaf("pdf", "11330200002941234X", b"SPKI")])
    house.log.sequence(house.clock.now())
    return house


def renewed(house: House, serial: str) -> None:
    """Register a later revision of a file as `yinzheng archive` does."""
    files, packs = table_of(CredentialFileRow), table_of(PackRow)
    salt = decode_claims(open_message(versions(house, serial)[0].claims).payload).salt
    with house.database.transaction() as session:
        where = "SELECT f.* FROM credential_file f JOIN credential c ON c.id = f.credential_id WHERE c.serial = :serial"
        old = session.execute(text(where), {"serial": serial}).one()
        digest = hashlib.sha256(b"the revision").digest()
        (leaf,) = put_leaves(session, [renewal_leaf(digest, old.digest, salt)])
        pack = packs.insert().values(kind="revision", name="rev", digest=digest, length=1, created_at=START)
        pack_id = session.execute(pack.returning(packs.c.id)).scalar_one()
        session.execute(
            files.insert().values(
                credential_id=old.credential_id,
                revision=1,
                digest=digest,
                length=1,
                prefix_digest=old.prefix_digest,
                pack_id=pack_id,
                pack_offset=0,
                pack_length=1,
                seal_leaf=leaf,
                stored_at=START,
            )
        )


def status_uri(number: int) -> str:
    return f"{STATUS_BASE}/{number}"


def opened(house: House, scope: Scope = Scope(), *, proofs: bool = True) -> list[str]:  # noqa: B008 - frozen
    """The lines of a file of openings."""
    head = house.reader.head()
    with house.database.reading() as session:
        public = [(LeafKind.KEY, KEY_CONTENT, "pdf key"), (LeafKind.KEY, KEY_CONTENT, "named twice")]
        found = Disclosure(session, house.vault, status_uri, head.size).openings(scope, public)
        lines = [format_opening(one) for one in (prove_each(found, head.path) if proofs else found)]
    return [format_header(head.note), *lines]


def check(house: House, lines: list[str], leaf_at: Callable[[int], bytes] | None = None) -> Counter[LeafKind]:
    return check_openings(lines, [house.log_signer.public_key], ORIGIN, leaf_at).counts


def test_every_leaf_can_be_opened_and_anybody_can_check_it(house: House) -> None:
    size = house.reader.head().size
    logged = entries(house.line.proofs._folder, size)  # type: ignore[attr-defined] # its files, read by other lines
    kinds = {}
    for line in opened(house)[1:]:
        told = json.loads(line)
        salt, content = bytes.fromhex(told["salt"]), bytes.fromhex(told["content"])
        commitment = hashlib.sha256(f"yinzheng.log/v1/{told['kind']}".encode() + b"\0" + salt + content).digest()
        assert logged[told["position"]] == cbor2.dumps([told["kind"], 1, commitment])
        assert told["position"] not in kinds, "one leaf has one opening"
        kinds[told["position"]] = told["kind"]
    by_kind = Counter(kinds.values())
    # A list is signed anew at each change; only the newest is at hand to open, and this house has handed over none.
    unopened = {cbor2.loads(leaf)[0] for at, leaf in enumerate(logged) if at not in kinds}
    assert unopened == {"status-list"}
    assert set(by_kind) == {kind.value for kind in LeafKind} - {"status-list", "trust-list"}
    assert (by_kind["issue"], by_kind["reissue"], by_kind["status"], by_kind["void"]) == (3, 1, 3, 1)


def test_what_was_opened_is_true_by_its_proofs_and_by_the_entries(house: House) -> None:
    logged = entries(house.line.proofs._folder, house.reader.head().size)  # type: ignore[attr-defined] # its files
    lines = opened(house)
    assert check(house, lines).total() == len(lines) - 1
    assert check(house, opened(house, proofs=False), logged.__getitem__) == check(house, lines)
    with pytest.raises(BadOpening, match="no proof"):
        check(house, opened(house, proofs=False))


def test_only_what_is_asked_for_is_opened(house: House) -> None:
    first, second = house.press.printed[:2]
    for serial, count in ((first, 6), (second, 5)):
        lines = opened(house, Scope(serial))
        assert {json.loads(line)["about"].split("/")[0] for line in lines[1:]} == {f"serial {serial}"}
        assert check(house, lines).total() == count
    batch = opened(house, Scope(batch_id=1))
    assert check(house, batch)[LeafKind.ISSUE] == 2
    assert LeafKind.HISTORY not in check(house, batch)
    assert len(opened(house, Scope("no such serial"))) == 1


def test_an_erased_persons_leaves_stay_shut_and_the_rest_does_not(house: House) -> None:
    second = house.press.printed[1]
    with house.database.transaction() as session:
        where = "(batch_id, row_number) = (SELECT batch_id, row_number FROM credential WHERE serial = :serial)"
        session.execute(
            text(f"UPDATE record_key SET wrapped = NULL, destroyed_at = :now WHERE {where}"),  # noqa: S608 - ours
            {"serial": second, "now": "2026-11-22 00:00:00"},
        )
    assert set(check(house, opened(house, Scope(second)))) == {LeafKind.STATUS}
    head = house.reader.head()
    with house.database.reading() as session:
        disclosure = Disclosure(session, house.vault, status_uri, head.size)
        kinds = Counter(one.kind for one in disclosure.openings(Scope()))
        counts = disclosure.count_logged()
    assert disclosure.erased == 1
    assert counts.total() == head.size
    assert (kinds[LeafKind.ISSUE], counts[LeafKind.ISSUE]) == (2, 3)
    assert kinds[LeafKind.HISTORY] == counts[LeafKind.HISTORY]


def test_a_leaf_past_the_checkpoint_is_not_opened(house: House) -> None:
    before = opened(house)
    correct(house, house.press.printed[0], name="张姗")
    after = opened(house)
    old = json.loads(before[0])["checkpoint"]
    size = int(old.split("\n")[1])
    with house.database.reading() as session:
        found = list(Disclosure(session, house.vault, status_uri, size).openings(Scope()))
    assert len(after) > len(before)
    assert len(found) == len(before) - 2  # the header, and the key, which is public


DAMAGE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "another salt": lambda _: {"salt": "00" * 16},
    "a short salt": lambda told: {"salt": told["salt"][2:]},
    "another content": lambda told: {
        "content": told["content"][:-2] + ("01" if told["content"].endswith("00") else "00")
    },
    "another kind": lambda _: {"kind": "void"},
    "no kind": lambda _: {"kind": "marriage"},
    "another place": lambda told: {"position": told["position"] + 1},
    "past the end": lambda _: {"position": 10**6},
    "below the start": lambda _: {"position": -1},
    "no number": lambda _: {"position": True},
    "no hexadecimal": lambda _: {"content": "zz"},
    "a cut proof": lambda told: {"proof": told["proof"][:-1]},
    "no base64": lambda told: {"proof": ["?", *told["proof"][1:]]},
    "a number for a proof": lambda _: {"proof": 7},
}


@pytest.fixture(scope="module")
def one_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, list[str]]:
    house = issued_house(tmp_path_factory.mktemp("one"))
    return house, opened(house)


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_any_change_to_an_opening_is_refused(
    one_file: tuple[House, list[str]], damage: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    house, lines = one_file
    told = json.loads(lines[2])
    changed_line = json.dumps(told | damage(told))
    assert changed_line != json.dumps(told)
    with pytest.raises(BadOpening, match="line 3"):
        check(house, [*lines[:2], changed_line, *lines[3:]])


@pytest.mark.parametrize("lines", [[], ["{}"], ["[]"], ["not json"], ['{"format": "yinzheng.openings/v1"}']])
def test_a_file_without_a_proper_head_is_refused(one_file: tuple[House, list[str]], lines: list[str]) -> None:
    with pytest.raises(BadOpening, match="line 1"):
        check(one_file[0], [*lines, *one_file[1][1:]])


def test_openings_under_another_signer_are_refused(one_file: tuple[House, list[str]]) -> None:
    _, lines = one_file
    with pytest.raises(BadNote):
        check_openings(lines, [MemorySigner("thief", Algorithm.ED25519).public_key], ORIGIN)


def test_entries_decide_even_where_a_proof_is_given(one_file: tuple[House, list[str]]) -> None:
    house, lines = one_file
    with pytest.raises(BadOpening, match="does not commit"):
        check(house, lines, lambda _: b"another")


def test_an_opening_tells_its_leaf(one_file: tuple[House, list[str]]) -> None:
    told: list[tuple[Opening, object]] = []
    house, lines = one_file
    keys = [house.log_signer.public_key]
    check_openings(lines, keys, ORIGIN, tell=lambda opening, content: told.append((opening, content)))
    assert len(told) == len(lines) - 1
    assert all(isinstance(content, list) for _, content in told)


def test_the_example_of_the_specification_is_true() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats-log.md").read_text("utf-8")
    example = page.split("```jsonl\n")[1].split("```")[0].splitlines(keepends=True)
    origin, key = read_log_key(next(line for line in page.splitlines() if line.startswith("rsj.example/log+")))
    assert check_openings(example, [key], origin).counts == {LeafKind.ISSUE: 1}
