"""`yinzheng history`: everything is listed under a name people know, and its proof fails when anything was changed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.history import HistoryKind
from registry.rules import ALL_RULES
from registry.tables import HistoryRow
from registry.triggers import create_triggers, drop_triggers
from service.cli.history import KIND_NAMES
from service.custody import note_use
from service.house import House, SystemClock
from service.settings import Settings
from tests.service.at_hand import PASSPHRASE, run


@pytest.fixture
def house(issued_data: Path) -> Iterator[House]:
    opened = House(Settings(data=issued_data), PASSPHRASE.encode("ascii"), SystemClock())
    yield opened
    opened.database.close()


def listed(data: Path, *options: str) -> list[dict[str, object]]:
    ran = run("--data", data, "history", "list", "--json", *options)
    assert ran.code == 0, ran
    return [json.loads(line) for line in ran.out.splitlines()]


def test_every_kind_has_a_name_in_both_languages() -> None:
    assert not [kind for kind in HistoryKind if kind not in KIND_NAMES]
    assert len({zh for zh, _ in KIND_NAMES.values()} | {en for _, en in KIND_NAMES.values()}) == 2 * len(KIND_NAMES)


def test_entries_are_chosen_by_issuer_service_kind_and_number(house: House, issued_data: Path) -> None:
    note_use(house, HistoryKind.KEY_MADE, "key qr nb@2 5d1f00aa5d1f00aa")
    everything = listed(issued_data)
    assert [one["sequence"] for one in everything] == list(range(1, len(everything) + 1))
    assert [one["previous"] for one in everything[1:]] == [one["digest"] for one in everything[:-1]]
    assert {one["issuer"] for one in everything} == {"nb", None}
    assert listed(issued_data, "--issuer", "nb") == [one for one in everything if one["issuer"] == "nb"]
    of_service = listed(issued_data, "--service")
    assert of_service == [one for one in everything if one["issuer"] is None]
    assert of_service[-1]["kind"] == "key-made"
    approved = listed(issued_data, "--kind", "batch-approved")
    assert [(one["maker"], one["checker"]) for one in approved] == [("wang", "li")]
    assert listed(issued_data, "--last", "1") == everything[-1:]
    assert listed(issued_data, "--since", "2020-01-01") == everything
    assert listed(issued_data, "--since", "2999-01-01") == []


def test_entries_about_one_serial_are_found(house: House, issued_data: Path) -> None:
    with house.database.reading() as session:
        serials = [str(row) for row in session.connection().exec_driver_sql("SELECT serial FROM credential").scalars()]
    assert listed(issued_data, "--serial", serials[0]) == []
    revoke = ("--reason", "issued-in-error", "--decision", "示人社函〔2026〕9号", "--as", "wang", "--approve-as", "li")
    assert run("--data", issued_data, "revoke", serials[0], *revoke).code == 0
    (found,) = listed(issued_data, "--serial", serials[0])
    assert (found["kind"], found["state"], found["reason"]) == ("state-changed", "03", "issued-in-error")
    assert "示人社函" not in json.dumps(found, ensure_ascii=False)
    assert listed(issued_data, "--serial", serials[1]) == []


def test_people_read_words_and_names_in_their_language(house: House, issued_data: Path) -> None:
    note_use(house, HistoryKind.TRUST_LIST_PUBLISHED, "trust list 2 [bold]")
    zh = run("--data", issued_data, "history", "list", environ={"YINZHENG_LANG": "zh"}).out
    assert all(word in zh for word in ("批准批次", "王经办 wang", "李审核 li", "发布信任列表", "(服务)", "[bold]"))
    en = run("--data", issued_data, "history", "list", "--last", "1").out
    assert "trust list published" in en
    assert "the newest 1 only" in en


def test_the_proof_counts_what_is_in_the_log_and_what_waits(house: House, issued_data: Path) -> None:
    before = json.loads(run("--data", issued_data, "history", "verify", "--json").out)
    assert before["waiting"] == 0
    note_use(house, HistoryKind.BACKED_UP, "backup 1")
    after = json.loads(run("--data", issued_data, "history", "verify", "--json").out)
    assert (after["entries"], after["waiting"]) == (before["entries"] + 1, 1)
    assert after["checkpoint"] == before["checkpoint"]
    assert after["head"] == listed(issued_data)[-1]["digest"]
    house.log.sequence(house.now())
    whole = run("--data", issued_data, "history", "verify").out
    assert after["head"] in whole
    assert "the history is whole" in whole


def test_the_proof_fails_when_an_entry_was_changed_or_cut_off(house: House, issued_data: Path) -> None:
    note_use(house, HistoryKind.KEY_RETIRED, "key qr nb 5d1f00aa5d1f00aa")
    with house.database.transaction() as session:
        drop_triggers(session.connection())
        session.get_one(HistoryRow, 1).maker = "li"
        session.flush()
        create_triggers(session.connection(), ALL_RULES)
    ran = run("--data", issued_data, "history", "verify")
    assert (ran.code, ran.error) == (2, "history-broken")
    assert "entry 1" in ran.err


def test_a_bad_question_is_told_as_such(data: Path) -> None:
    assert run("--data", data, "history", "list", "--issuer", "nobody").error == "unknown-issuer"
    assert run("--data", data, "history", "list", "--since", "yesterday").error == "bad-day"
