"""What the sandbox's children do: examine a document, look at it, or both, and answer in JSON."""

import base64
import gc
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from verifier.document import examine
from verifier.look import look_at
from verifier.report import BETWEEN, DocumentReport, encode_report, is_altered
from verifier.specimen import MOMENT, specimen


def _examine(request: Mapping[str, Any]) -> DocumentReport:
    return examine(
        base64.b64decode(request["document"]),
        anchors=[base64.b64decode(anchor) for anchor in request["anchors"]],
        crls=[base64.b64decode(crl) for crl in request["crls"]],
        now=datetime.fromisoformat(request["now"]),
    )


def _look(request: Mapping[str, Any], *, ends_at_ours: bool) -> bytes:
    found = look_at(base64.b64decode(request["document"]), ends_at_ours=ends_at_ours)
    return json.dumps({"symbols": found.symbols, "text": found.text, "is_whole": found.is_whole}).encode()


def _told(work: Callable[[], bytes]) -> bytes:
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - a hostile file can raise anything; only the type is told
        return json.dumps({"failed": type(error).__name__}).encode()


def _read_in_turn(request: Mapping[str, Any]) -> Iterator[bytes]:
    reports: list[DocumentReport] = []

    def examined() -> bytes:
        reports.append(_examine(request))
        return encode_report(reports[0])

    yield _told(examined) + BETWEEN
    yield _told(lambda: _look(request, ends_at_ours=any(map(is_altered, reports))))


def answers_to(message: bytes) -> Iterator[bytes]:
    """Do one task and give its answer, piece by piece; whatever goes wrong becomes an answer too."""
    request: Mapping[str, Any] = {}

    def parsed() -> bytes:
        nonlocal request
        request = json.loads(message)
        if request["task"] not in {"examine", "look", "read"}:
            raise KeyError
        return b""

    trouble = _told(parsed)
    if trouble:
        yield trouble
    elif request["task"] == "read":
        yield from _read_in_turn(request)
    elif request["task"] == "examine":
        yield _told(lambda: encode_report(_examine(request)))
    else:
        yield _told(lambda: _look(request, ends_at_ours=False))


def answer_request(message: bytes) -> bytes:
    """Give all of :func:`answers_to` in one."""
    return b"".join(answers_to(message))


def warm() -> None:
    """Read a specimen, so that what is loaded and computed at a first document is there when children are forked."""
    document, root = specimen()
    for one in (document, document.replace(b"(specimen)", b"(SPECIMEN)")):
        examine(one, anchors=[root], crls=[], now=MOMENT)
        look_at(one)
    # A collection in a child would write to every page that it shares with the helper, and so copy it.
    gc.collect()
    gc.freeze()
