"""Who may do what: every route with every scope, and one issuer sees nothing of another."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from issuer.api.callers import Scope
from service.issuing import issuing_router
from tests.service.api.conftest import EVERY_SCOPE, Api, StillRunner, let_in
from tests.service.api.test_batches import assert_problem
from tests.service.api.test_changes import CORRECTION, REPLACEMENT, REVOCATION, WITHDRAWAL
from tests.service.api.test_credentials import record

#: What each route asks for; docs/api.md shows the same table.
NEEDS: dict[tuple[str, str], set[str]] = {
    ("GET", "/me"): set(EVERY_SCOPE),
    ("POST", "/checks"): {"submit"},
    ("POST", "/checks/annotated"): {"submit"},
    ("POST", "/batches"): {"submit"},
    ("GET", "/batches"): {"read", "submit", "approve"},
    ("GET", "/batches/{batch_id}"): {"read", "submit", "approve"},
    ("GET", "/batches/{batch_id}/rows"): {"submit", "approve"},
    ("GET", "/batches/{batch_id}/problems"): {"submit", "approve"},
    ("POST", "/batches/{batch_id}/approve"): {"approve"},
    ("POST", "/batches/{batch_id}/resume"): {"submit", "approve"},
    ("POST", "/batches/{batch_id}/cancel"): {"submit", "approve"},
    ("POST", "/batches/{batch_id}/hand-over"): {"hand-over"},
    ("POST", "/credentials"): {"submit"},
    ("GET", "/credentials/{serial}"): {"read"},
    ("GET", "/credentials/{serial}/history"): {"read"},
    ("POST", "/credentials/{serial}/claim-code"): {"hand-over"},
    ("POST", "/search"): {"read"},
    ("POST", "/credentials/{serial}/changes"): {"change"},
    ("POST", "/batches/{batch_id}/withdraw"): {"change"},
    ("GET", "/changes"): {"change", "approve"},
    ("GET", "/changes/{change_id}"): {"change", "approve"},
    ("POST", "/changes/{change_id}/approve"): {"approve"},
    ("POST", "/changes/{change_id}/refuse"): {"approve"},
    ("POST", "/changes/{change_id}/withdraw"): {"change"},
    ("POST", "/credentials/{serial}/corrections"): {"change"},
    ("POST", "/credentials/{serial}/replacements"): {"change"},
    ("GET", "/batches/{batch_id}/successions"): {"submit", "approve", "change"},
}


def _routes(api: Api) -> list[tuple[str, str]]:
    router = issuing_router(api.house, StillRunner(), let_in)
    found = [one for one in router.routes if isinstance(one, APIRoute)]
    return [(method, one.path.removeprefix("/api/v1")) for one in found for method in one.methods or ()]


def _send(api: Api, method: str, path: str, person: str, *scopes: str, **values: Any) -> Any:
    target = path.format(**{"batch_id": 1, "serial": "33020020260000000000", "change_id": 1} | values)
    return api.client.ask(method, f"/api/v1{target}", headers=api.headers(person, *scopes))


def test_the_table_of_scopes_names_every_route(api: Api) -> None:
    assert sorted(_routes(api)) == sorted(NEEDS)


def test_a_route_takes_only_tokens_with_its_scope(api: Api) -> None:
    for (method, path), needed in NEEDS.items():
        for scope in Scope:
            answer = _send(api, method, path, "wang", scope.value)
            if scope.value in needed:
                assert answer.status_code not in {401, 403}, (method, path, scope, answer.text)
            else:
                assert_problem(answer, 403, "missing-scope")
                assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer yz_aaaaaaaa_" + "a" * 32, "Basic dXNlcjpwdw==", "Bearer ü"])
def test_no_route_answers_without_a_token(api: Api, sent: str) -> None:
    headers = {"Authorization": sent.encode("latin-1")} if sent else {}
    for method, path in NEEDS:
        target = path.format(batch_id=1, serial="1", change_id=1)

        answer = api.client.ask(method, f"/api/v1{target}", headers=headers)

        assert answer.status_code == 401
        assert answer.json()["code"] == ("bad-token" if sent.startswith("Bearer ") else "not-signed-in")
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_one_issuer_sees_nothing_of_another(api: Api, sheet: Path) -> None:
    batch = api.issue(sheet)
    row = api.get(f"/batches/{batch['id']}/rows").json()["items"][0]
    serial, number = row["serial"], batch["id"]
    waiting = api.post("/credentials", json={"record": record(77)}).json()

    for path in ("", "/rows", "/problems"):
        assert_problem(api.get(f"/batches/{number}{path}", "zhao"), 404, "unknown-batch")
    for path, body in (
        ("approve", {"digest": waiting["digest"]}),
        ("resume", None),
        ("cancel", {"reason": "x"}),
        ("hand-over", None),
    ):
        assert_problem(api.post(f"/batches/{waiting['id']}/{path}", "zhao", json=body), 404, "unknown-batch")
    for path in ("", "/history"):
        assert_problem(api.get(f"/credentials/{serial}{path}", "zhao"), 404, "unknown-serial")
    assert_problem(api.post(f"/credentials/{serial}/claim-code", "zhao"), 404, "unknown-serial")
    for sent in ({"serial": serial}, {"name": row["name"]}, {"id_number": row["id_number"]}):
        assert api.post("/search", "zhao", json=sent).json()["items"] == []
    change = api.post(f"/credentials/{serial}/changes", json=REVOCATION).json()["id"]
    assert_problem(api.get(f"/changes/{change}", "zhao"), 404, "unknown-proposal")
    for path in ("approve", "refuse", "withdraw"):
        assert_problem(api.post(f"/changes/{change}/{path}", "zhao"), 404, "unknown-proposal")
    for path, body in (("changes", REVOCATION), ("corrections", CORRECTION), ("replacements", REPLACEMENT)):
        assert_problem(api.post(f"/credentials/{serial}/{path}", "zhao", json=body), 404, "unknown-serial")
    assert_problem(api.post(f"/batches/{number}/withdraw", "zhao", json=WITHDRAWAL), 404, "unknown-batch")
    assert_problem(api.get(f"/batches/{number}/successions", "zhao"), 404, "unknown-batch")
    assert api.get("/changes", "zhao").json()["items"] == []
    assert api.get("/batches", "zhao").json()["items"] == []
    assert api.get(f"/credentials/{serial}").json()["state"] == "01"
    assert api.get(f"/batches/{waiting['id']}").json()["state"] == "submitted"


def test_what_is_not_there_and_what_is_anothers_are_answered_alike(api: Api, sheet: Path) -> None:
    number = api.submit(sheet).json()["id"]

    other = api.get(f"/batches/{number}", "zhao")
    none = api.get(f"/batches/{number + 1}", "zhao")

    assert other.text.replace(str(number), "N") == none.text.replace(str(number + 1), "N")


def test_both_issuers_may_certify_the_same_person(api: Api, sheet: Path) -> None:
    api.issue(sheet)

    batch = api.submit(sheet, "zhao").json()

    assert (batch["is_new"], batch["issuer"]) == (True, "other")
    assert_problem(api.approve(batch, "li"), 404, "unknown-batch")
    assert api.approve(batch, "qian").status_code == 202


def test_a_token_says_whose_it_is(api: Api) -> None:
    me = api.get("/me", "zhao", "read", "change").json()

    assert (me["issuer"], me["person"], me["person_name"]) == ("other", "zhao", "赵经办")
    assert me["scopes"] == ["change", "read"]
