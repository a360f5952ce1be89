"""Complete the API's description: what every route may be answered with besides what it says of itself.

Routers of the lower floors name the status of each refusal; that each is a
problem document (RFC 9457) is the application's doing, and so is said here.
"""

from typing import Any

from fastapi import FastAPI

from issuer.api.models import Problem
from service.problems import MEDIA_TYPE

_PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}
_ANYWHERE = {
    "422": "A value is bad; the sentence names it. 内容有误。",
    "500": "A fault of the service. 服务故障。",
    "503": "A store does not answer; try again. 暂时无法服务。",
}
_WITH_A_BODY = {
    "400": "The request cannot be read. 请求无法读取。",
    "408": "The body comes too slowly. 请求传输过慢。",
    "413": "Larger than is taken. 内容过大。",
}
#: What FastAPI describes its own refusals by; ours are problems.
_OF_THE_FRAMEWORK = ("HTTPValidationError", "ValidationError")


def complete(app: FastAPI) -> None:
    """Make an app describe every refusal of each route as a problem; call once all routes are in it."""
    made = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(made())
        return made()

    app.openapi = described  # type: ignore[method-assign]  # the way that FastAPI's manual has it


def _complete(description: dict[str, Any]) -> None:
    schemas = description.setdefault("components", {}).setdefault("schemas", {})
    schemas.setdefault("Problem", Problem.model_json_schema(ref_template="#/components/schemas/{model}"))
    for name in _OF_THE_FRAMEWORK:
        schemas.pop(name, None)
    for methods in description["paths"].values():
        for operation in methods.values():
            _complete_operation(operation)


def _complete_operation(operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    told = _ANYWHERE | (_WITH_A_BODY if "requestBody" in operation else {})
    for status, sentence in told.items():
        answers.setdefault(status, {"description": sentence})
    for status, answer in answers.items():
        if int(status) < 400:
            continue
        content = answer.setdefault("content", {})
        if status == "422" and "application/json" in content:
            answer["description"] = _ANYWHERE["422"]
            del content["application/json"]
        content[MEDIA_TYPE] = _PROBLEM
