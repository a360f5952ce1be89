"""Every answer is one that the API's description promises, whatever is sent; schemathesis makes the requests."""

import json
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

from tests.service.api.conftest import Api

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 12


def _operations(api: Api) -> list[Any]:
    schema = schemathesis.openapi.from_asgi("/openapi.json", api.app)
    found = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    assert len(found) > 25
    return found


def test_every_answer_is_one_that_is_described(api: Api) -> None:
    headers = api.headers("wang")
    called = set()
    for operation in _operations(api):

        @given(case=operation.as_strategy())
        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        def conform(case: Any) -> None:
            called.add((case.method, case.path))
            case.call_and_validate(headers=headers, checks=CHECKS, timeout=60)

        conform()
    assert len(called) > 25


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
