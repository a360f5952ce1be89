"""Every answer is one that the API's description promises, whatever is sent; schemathesis makes the requests."""

import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.app import Application
from service.house import House
from service.limits import Kind
from service.settings import Settings
from service.tokens import create_token
from tests.service.api.conftest import EVERY_SCOPE, Api
from tests.service.at_hand import PASSPHRASE

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 8
ADDRESS = "/api/v1/openapi.json"
#: Of each router one, so that none is left out of the application.
OF_EACH_ROUTER = {"/api/v1/verify", "/status/{name}", "/log/tile/{name}", "/ca/{name}", "/api/v1/claims",
                  "/api/v1/downloads/{grant}", "/healthz", "/readyz", "/api/v1/batches", "/api/v1/me"}  # fmt: skip


@pytest.fixture
def whole(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    """The service with every role, and limits that nobody reaches."""
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    free = {f"limit_{kind}": "1000000/minute" for kind in Kind}
    application = Application(Settings(data=house.folder.root).model_copy(update=free))
    yield application
    application.desk.close()
    application.reader.close()
    application.house.database.close()


def _operations(app: FastAPI) -> list[Any]:
    schema = schemathesis.openapi.from_asgi(ADDRESS, app)
    found = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    assert {one.path for one in found} >= OF_EACH_ROUTER
    return found


def test_every_answer_of_the_service_is_one_that_is_described(whole: Application) -> None:
    token, _ = create_token(whole.house, "wang", scopes=EVERY_SCOPE, days=1)
    headers = {"Authorization": f"Bearer {token}"}
    called = set()
    for operation in _operations(whole.build()):

        @given(case=operation.as_strategy())
        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        def conform(case: Any) -> None:
            called.add((case.method, case.path))
            case.call_and_validate(headers=headers, checks=CHECKS, timeout=60)

        conform()
    assert len(called) > 35


def test_the_description_of_the_service_is_made_without_a_warning_and_names_each_operation_once(
    whole: Application,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        described = whole.build().openapi()
    operations = [one for methods in described["paths"].values() for one in methods.values()]

    assert len({one["operationId"] for one in operations}) == len(operations)
    assert {"HTTPValidationError", "ValidationError"}.isdisjoint(described["components"]["schemas"])
    for one in operations:
        refusals = {status: answer for status, answer in one["responses"].items() if int(status) >= 400}
        assert refusals
        for status, answer in refusals.items():
            assert "application/problem+json" in answer["content"], (one["operationId"], status)


def test_every_operation_is_described_with_an_example_and_its_problems(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    operations = [one for methods in paths.values() for one in methods.values()]

    assert len({one["operationId"] for one in operations}) == len(operations)
    for one in operations:
        assert any("\u4e00" <= char <= "\u9fff" for char in one["description"]), one["operationId"]
        assert one["security"] == [{"token": []}]
        for status, answer in one["responses"].items():
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"], (one["operationId"], status)
        assert {"401", "403", "422", "429", "500", "503"} <= set(one["responses"])


def test_the_examples_of_the_description_are_valid(app: FastAPI) -> None:
    components = app.openapi()["components"]["schemas"]

    assert "HTTPValidationError" not in components
    for name in ("Approval", "SingleIssue", "Cancellation", "ChangeSent", "CorrectionSent"):
        assert any("examples" in field for field in components[name]["properties"].values()), name


@pytest.mark.parametrize("field", ["record", "photo", "template", "else"])
@given(
    value=st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.lists(st.text(max_size=5), max_size=3)
)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_body_is_a_fault_of_ours(api: Api, field: str, value: object) -> None:
    answer = api.client.ask(
        "POST",
        "/api/v1/credentials",
        headers=api.headers("wang") | {"Content-Type": "application/json"},
        content=json.dumps({"record": {"name": "张三"}} | {field: value}).encode(),
    )

    assert answer.status_code in {404, 422}, answer.text
