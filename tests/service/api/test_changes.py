"""Changes over HTTP: one person proposes, another decides; corrections and replacements are batches of one."""

from pathlib import Path
from typing import Any

import pytest

from issuer.change import ChangeDesk
from issuer.proposal import details_of
from registry.database import Session
from registry.proposals import Proposal
from service import batches
from tests.service.api.conftest import Api
from tests.service.api.test_batches import assert_problem

DECISION = "示人社函〔2026〕9号"
REVOCATION = {"action": "revoke", "reason": "fraud", "decision": DECISION, "note": "举报属实"}
WITHDRAWAL = {"reason": "issued-in-error", "decision": DECISION}
CORRECTION = {"reason": "clerical-error", "decision": DECISION, "changes": {"employer": "示例市安禾中心"}}
REPLACEMENT = {
    "reason": "higher-level",
    "decision": DECISION,
    "changes": {"title": "高级农艺师", "level": "副高级", "qualified_on": "2026-06-30"},
}


@pytest.fixture
def done(api: Api, sheet: Path) -> dict[str, Any]:
    """A batch that was issued, with its serials."""
    batch = api.issue(sheet)
    rows = api.get(f"/batches/{batch['id']}/rows").json()["items"]
    return batch | {"serials": [row["serial"] for row in rows]}


def _propose(api: Api, serial: str, person: str = "wang", **changed: Any) -> dict[str, Any]:
    answer = api.post(f"/credentials/{serial}/changes", person, json=REVOCATION | changed)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/api/v1/changes/{made['id']}"
    return made


def _state(api: Api, serial: str) -> str:
    return str(api.get(f"/credentials/{serial}").json()["state"])


def test_a_revocation_waits_for_another_person(api: Api, done: dict[str, Any]) -> None:
    serial = done["serials"][0]

    change = _propose(api, serial)
    assert (change["outcome"], change["serial"], change["maker"], _state(api, serial)) == (
        "waiting", serial, "wang", "01",
    )  # fmt: skip
    assert_problem(api.post(f"/changes/{change['id']}/approve", "wang"), 403, "same-person")
    assert _state(api, serial) == "01"
    approved = api.post(f"/changes/{change['id']}/approve", "li")

    assert (approved.status_code, approved.json()["outcome"], approved.json()["checker"]) == (200, "approved", "li")
    assert _state(api, serial) == "03"
    entry = api.get(f"/credentials/{serial}/history").json()["items"][-1]
    assert (entry["state"], entry["reason"], entry["decision"], entry["maker"], entry["checker"]) == (
        "03", "fraud", DECISION, "wang", "li",
    )  # fmt: skip


def test_what_a_post_answers_holds_neither_decision_nor_note(api: Api, done: dict[str, Any]) -> None:
    sent = api.post(f"/credentials/{done['serials'][0]}/changes", json=REVOCATION, key="k1")

    assert DECISION not in sent.text
    assert "举报" not in sent.text
    shown = api.get(f"/changes/{sent.json()['id']}", "li").json()
    assert (shown["decision"], shown["note"]) == (DECISION, "举报属实")


def test_an_approval_repeated_is_made_once(api: Api, done: dict[str, Any]) -> None:
    change = _propose(api, done["serials"][0])

    answers = [api.post(f"/changes/{change['id']}/approve", "li") for _ in range(2)]

    assert [one.status_code for one in answers] == [200, 200]
    entries = api.get(f"/credentials/{done['serials'][0]}/history").json()["items"]
    assert [one["state"] for one in entries].count("03") == 1


def test_suspended_and_reinstated_and_ended(api: Api, done: dict[str, Any]) -> None:
    serial = done["serials"][0]
    steps = (("suspend", "under-investigation", "02"), ("reinstate", "cleared", "01"), ("end", "given-back", "04"))

    for action, reason, state in steps:
        change = _propose(api, serial, action=action, reason=reason)
        assert api.post(f"/changes/{change['id']}/approve", "li").status_code == 200
        assert _state(api, serial) == state


def test_a_change_is_refused_by_the_second_or_withdrawn_by_the_first(api: Api, done: dict[str, Any]) -> None:
    one, other = (_propose(api, serial) for serial in done["serials"][:2])

    assert_problem(api.post(f"/changes/{one['id']}/refuse", "wang"), 403, "same-person")
    assert_problem(api.post(f"/changes/{one['id']}/withdraw", "li"), 403, "not-your-proposal")
    assert api.post(f"/changes/{one['id']}/refuse", "li").json()["outcome"] == "refused"
    assert api.post(f"/changes/{other['id']}/withdraw", "wang").json()["outcome"] == "withdrawn"
    assert_problem(api.post(f"/changes/{one['id']}/approve", "li"), 409, "proposal-decided")
    assert {_state(api, serial) for serial in done["serials"]} == {"01"}


def test_changes_are_listed_page_by_page(api: Api, done: dict[str, Any]) -> None:
    ids = [_propose(api, serial)["id"] for serial in done["serials"]]
    api.post(f"/changes/{ids[0]}/refuse", "li")

    waiting = api.get("/changes?limit=1").json()
    rest = api.get(f"/changes?limit=1&before={waiting['next_before']}").json()
    every = api.get("/changes?waiting_only=false").json()

    assert [one["id"] for one in (*waiting["items"], *rest["items"])] == [ids[2], ids[1]]
    assert rest["next_before"] is None
    assert [one["id"] for one in every["items"]] == ids[::-1]


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"action": "suspend"}, 422, "unknown-reason"),
        ({"action": "destroy"}, 422, "invalid-request"),
        ({"decision": ""}, 422, "bad-decision"),
        ({"decision": "x" * 101}, 422, "bad-decision"),
        ({"effective_on": "2999-01-01"}, 422, "effective-in-future"),
        ({"effective_on": "2026-02-30"}, 422, "invalid-request"),
        ({"note": "a\x00b"}, 422, "invalid-request"),
        ({"action": "reinstate", "reason": "cleared"}, 409, "change-not-allowed"),
        (
            {"ban": {"start": "2029-01-01", "until": "2027-01-01", "basis": "x"}},
            422,
            "incomplete-ban",
        ),
    ],
)
def test_a_change_that_there_cannot_be_is_refused(
    api: Api, done: dict[str, Any], changed: dict[str, Any], status: int, code: str
) -> None:
    answer = api.post(f"/credentials/{done['serials'][0]}/changes", json=REVOCATION | changed)

    assert_problem(answer, status, code)
    assert api.get("/changes").json()["items"] == []


def test_a_whole_batch_is_withdrawn_by_two_persons(api: Api, done: dict[str, Any]) -> None:
    change = api.post(f"/batches/{done['id']}/withdraw", json=WITHDRAWAL).json()
    assert (change["batch"], change["serial"]) == (done["id"], None)
    assert_problem(api.post(f"/batches/{done['id']}/withdraw", json=WITHDRAWAL), 409, "already-proposed")
    assert_problem(api.post(f"/changes/{change['id']}/approve", "wang"), 403, "same-person")

    approved = api.post(f"/changes/{change['id']}/approve", "li").json()

    assert approved["withdrawal"] == {"revoked": 3, "revoked_before": [], "replaced_by": [], "voided": 0}
    assert {_state(api, serial) for serial in done["serials"]} == {"03"}


@pytest.mark.parametrize(("path", "sent", "kind"), [
    ("corrections", CORRECTION, "correction"), ("replacements", REPLACEMENT, "replacement"),
])  # fmt: skip
def test_a_successor_is_a_batch_of_one_that_another_approves(
    api: Api, done: dict[str, Any], path: str, sent: dict[str, Any], kind: str
) -> None:
    old = done["serials"][0]
    submitted = api.post(f"/credentials/{old}/{path}", json=sent)
    batch = submitted.json()
    assert (submitted.status_code, batch["rows"], batch["state"]) == (201, 1, "submitted")
    shown = api.get(f"/batches/{batch['id']}/successions", "li").json()["items"]
    assert [(one["kind"], one["serial"], one["version"]) for one in shown] == [(kind, old, 1)]
    assert set(shown[0]["changed"]) >= set(sent["changes"])

    assert_problem(api.approve(batch, "wang"), 403, "same-person")
    assert api.approve(batch).status_code == 202
    batches.run(api.house, batch["id"], lambda _: None)

    row = api.get(f"/batches/{batch['id']}/rows").json()["items"][0]
    new = api.get(f"/credentials/{row['serial']}").json()
    assert (new["state"], new["is_superseded"]) == ("01", False)
    assert {key: new["fields"][key] for key in sent["changes"]} == sent["changes"]
    assert (new["serial"] == old, new["version"]) == ((True, 2) if kind == "correction" else (False, 1))


def test_a_correction_that_intake_refuses_lists_why(api: Api, done: dict[str, Any]) -> None:
    sent = CORRECTION | {"changes": {"qualified_on": "2026-02-30"}}

    body = assert_problem(api.post(f"/credentials/{done['serials'][0]}/corrections", json=sent), 422, "record-refused")

    assert "date-does-not-exist" in {one["code"] for one in body["problems"]}


def test_a_page_of_changes_decrypts_no_others(api: Api, done: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for serial in done["serials"]:
        _propose(api, serial)
    opened: list[int] = []

    def watched(session: Session, desk: ChangeDesk, one: Proposal) -> dict[str, Any]:
        opened.append(one.id)
        return details_of(session, desk, one)

    monkeypatch.setattr("issuer.proposal.details_of", watched)

    assert len(api.get("/changes?limit=1").json()["items"]) == 1
    assert len(opened) == 2  # the second says whether there is a next page
