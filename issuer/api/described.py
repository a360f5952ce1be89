"""What every route's description shares: its problems, its key, its page."""

from typing import Annotated, Any

from fastapi import Header, Path, Query

from issuer.api.models import MAX_ID

_PHRASES = {
    400: "The request cannot be read. 请求无法读取。",
    401: "No token, or one that is not valid. 缺少令牌或令牌无效。",
    403: "The token, or this person, may not do this. 无权操作。",
    404: "Not there, or of another issuer. 不存在, 或属于其他机构。",
    409: "A rule says no; the sentence says what has to change. 规则不允许。",
    413: "Larger than is taken. 内容过大。",
    422: "A value is bad; the sentence names it. 内容有误。",
    429: "Too many requests; wait as Retry-After says. 请求过多。",
    500: "A fault of the service. 服务故障。",
    503: "A store does not answer; try again. 暂时无法服务。",
}
_ALWAYS = (400, 401, 403, 413, 422, 429, 500, 503)


def problems(*more: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for its description."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": _PHRASES[status], "content": {"application/problem+json": {"schema": schema}}}
        for status in sorted({*_ALWAYS, *more})
    }


LOOKS = {"x-idempotency": "looks"}
"""Of a POST that changes nothing."""

SHOWN_ONCE = {"x-idempotency": "shown-once"}
"""Of a POST whose answer is never kept."""

BatchId = Annotated[int, Path(ge=1, le=MAX_ID, description="批次号。 Number of the batch.", examples=[7])]
Serial = Annotated[
    str,
    Path(
        min_length=1,
        max_length=64,
        pattern=r"^[0-9A-Za-z-]+$",
        description="证书编号。 The printed serial.",
        examples=["33020020260120000017"],
    ),
]
Limit = Annotated[int, Query(ge=1, le=200, description="Items on a page, at most. 每页条数。")]
Before = Annotated[int, Query(ge=0, le=MAX_ID, description="`next_before` of the page before; 0 for the newest.")]
After = Annotated[int, Query(ge=0, le=MAX_ID, description="`next_after` of the page before; 0 for the first.")]


def idempotency_key(
    _key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            max_length=202,
            description="A key of your own for this request, as a UUID: sent again with it, the request is done once. "
            "自拟的幂等键(如 UUID), 重发时同一请求只执行一次。",
            examples=["6f1c2d0e-7c1b-4b58-9f0e-2f6f3c1d9a10"],
        ),
    ] = None,
) -> None:
    """Describe the header; service/idempotency.py has acted on it before."""
