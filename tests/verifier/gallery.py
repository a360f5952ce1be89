"""Verdicts for every reason, made by hand: to see and to test what pages say of them."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from fastapi import FastAPI, Request, Response

from credential.cbor import Tag, encode
from credential.errors import RefusedError
from credential.model import State
from credential.ports import Change, Link
from holder.pages import Claimed, claim_routes
from service import problems
from service.assets import Assets, asset_routes
from service.rendering import Pages
from verifier.explaining import IssuerNotice, Notices
from verifier.pages import Portraits, page_routes, photo_routes
from verifier.reasons import REASONS, Indication, Step, Word
from verifier.verdict import Check, Outcome, Presented, PublicSummary, Verdict, WitnessCount

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
USCC = "11330299MB0T00023P"
CODE = "7F3K9Q2MWX4T8ZBN"
HOST = "zs.example.gov.cn"
PHOTO = b"\xff\xd8\xff\xe0 a portrait"

SUMMARY = PublicSummary(
    issuer=USCC,
    issuer_name="示例市人力资源和社会保障局",
    serial="33029920260520001289",
    version=1,
    name="张喆堃",
    fields={
        "series": "工程技术人员",
        "specialty": "电子与信息工程",
        "title": "高级工程师",
        "level": "副高级",
        "qualified_on": "2026-06-30",
    },
    issued_on="2026-07-08",
    expires_on="",
    state=State.VALID,
    kind="professional-title",
    has_photo=True,
    headings={
        "series": ("系列名称", "series"),
        "specialty": ("专业名称", "specialty"),
        "title": ("资格名称", "title"),
        "level": ("级别", "level"),
        "qualified_on": ("取得资格时间", "qualified on"),
    },
    in_qr={"title": "title", "level": "level", "qualified_on": "qualified_on"},
    claims_digest="5d" * 32,
)

_STATES = {"revoked": State.REVOKED, "suspended": State.SUSPENDED, "ended": State.ENDED}
_NOBODY = frozenset(
    {"bad-code", "bad-qr", "no-such-credential", "not-ours", "unreadable", "trust-list-expired"}
    | {"register-unavailable", "register-not-asked", "claims-malformed", "claims-signature", "claims-unknown-key"}
)
_PRESENTED: Mapping[str, Presented] = {
    "altered": Presented.ALTERED,
    "signed-by-another": Presented.ALTERED,
    "seal-not-logged": Presented.ALTERED,
    "copy": Presented.CONVERTED_COPY,
    "unreadable": Presented.OTHER,
    "not-ours": Presented.OTHER,
    "qr-of-another": Presented.CONVERTED_COPY,
}
_CHECKS = (
    Check(Step.TRUST_LIST, "trust-list", Outcome.PASSED, "信任列表在有效期内", "the trust list is current"),
    Check(Step.CLAIMS, "claims", Outcome.PASSED, "数据签名有效", "the signed data is the issuer's"),
    Check(Step.COMPARE, "shown", Outcome.INDETERMINATE, "页面文字未能比对", "the page's text could not be compared"),
)


def verdict_of(reason: str) -> Verdict:
    """Make a verdict that ended for this reason, of an invented person's certificate."""
    why = REASONS[reason]
    checks: tuple[Check, ...] = _CHECKS
    if why.indication is not Indication.PASSED:
        outcome = Outcome.FAILED if why.indication is Indication.FAILED else Outcome.INDETERMINATE
        checks = (*_CHECKS, Check(why.step, reason, outcome, why.zh, why.en))
    return Verdict(
        reason=reason,
        presented=_PRESENTED.get(reason, Presented.CODE),
        integrity=None,
        checks=checks,
        credential=None if reason in _NOBODY else _summary(reason),
        changes=_changes(reason),
        status_at=None if reason in _NOBODY else NOW,
        judged_at=NOW,
        witnesses=None if reason in _NOBODY or why.step < Step.LOG else WitnessCount(seen=0, known=0, demanded=0),
    )


def _summary(reason: str) -> PublicSummary:
    if reason == "superseded":
        return replace(SUMMARY, superseded_by=Link("33029920261110000044", 1))
    if reason == "expired":
        return replace(SUMMARY, expires_on="2026-10-31")
    return replace(SUMMARY, state=_STATES.get(reason, State.VALID))


def _changes(reason: str) -> tuple[Change, ...]:
    if reason not in _STATES:
        return ()
    recorded = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)
    suspended = Change(State.SUSPENDED, date(2026, 1, 15), datetime(2026, 1, 15, 3, 0, tzinfo=UTC), "inquiry")
    last = Change(_STATES[reason], date(2026, 3, 1), recorded, "fraud", "示人社函〔2026〕9号")
    return (suspended, last) if reason == "revoked" else (last,)


def one_of_each_word() -> dict[Word, str]:
    """The first reason of each verdict."""
    found: dict[Word, str] = {}
    for reason, why in REASONS.items():
        found.setdefault(why.word, reason)
    return {**found, Word.UNAVAILABLE: "register-unavailable", Word.UNKNOWN: "no-such-credential"}


class GalleryDesk:
    """A desk whose codes are places in the gallery: 16 digits, the reason's number at the end."""

    def __init__(self, change: Callable[[Verdict], Verdict] = lambda verdict: verdict) -> None:
        self._change = change
        self.asked: list[tuple[str, ...]] = []

    def verify_code(self, code: str) -> Verdict:
        self.asked.append(("code", code))
        return self._change(verdict_of(list(REASONS)[int(code)] if code.isdigit() else "bad-code"))

    def verify_file(self, document: bytes) -> Verdict:
        self.asked.append(("file", str(len(document))))
        reason = document[:40].decode("ascii", "replace")
        return self._change(verdict_of(reason if reason in REASONS else "not-ours"))

    def verify_qr(self, text: str) -> Verdict:
        raise AssertionError(f"no page asks for a QR text: {text[:40]}")

    def verify_serial(self, serial: str, name: str) -> Verdict:
        self.asked.append(("serial", serial, name))
        if serial != SUMMARY.serial:
            return self._change(replace(verdict_of("no-such-credential"), presented=Presented.SERIAL))
        masked = replace(SUMMARY, name="张**", has_photo=False, fields={"title": "高级工程师"})
        return self._change(replace(verdict_of("good"), presented=Presented.SERIAL, credential=masked))


def gallery_code(reason: str) -> str:
    """The verification code under which ``GalleryDesk`` has a verdict for this reason."""
    return f"{list(REASONS).index(reason):016d}"


class WrongEnd(RefusedError):
    code = "wrong-end-of-tests"

    def __init__(self) -> None:
        super().__init__("the last six do not match; 4 tries are left", "后六位不符; 还可尝试 4 次")


class StillNotices:
    def issuer(self, uscc: str) -> IssuerNotice | None:
        assert uscc == SUMMARY.issuer
        return IssuerNotice(HOST, "任何再转换版本均以扫码核验结果为准。", is_sample=False)

    def qr_keys(self, uscc: str) -> Sequence[Mapping[str, str | None]]:
        return [{"issuer": uscc, "public_key": "AAAA"}]


def show_portrait(code: str, last_six: str) -> bytes:
    if len(code) != 16 or last_six != "12017X":
        raise WrongEnd
    return PHOTO


def let_in(_request: Request) -> None:
    pass


def refuse_claim(_serial: str, _code: str) -> Claimed:
    """A desk where no claim code is good."""
    raise WrongEnd


NO_KEYS = json.dumps({"payload": b64encode(b'{"keys": []}').decode("ascii")}).encode("ascii")


def gallery_app(
    desk: GalleryDesk | None = None,
    notices: Notices | None = None,
    *,
    portraits: Portraits = show_portrait,
    trust_list: bytes = NO_KEYS,
) -> FastAPI:
    """The pages over a gallery of verdicts."""
    shown, told, assets = desk or GalleryDesk(), notices or StillNotices(), Assets()
    pages = Pages(f"https://{HOST}", assets)
    app = FastAPI()
    app.include_router(page_routes(shown, pages.render, let_in, told))
    app.include_router(photo_routes(shown, portraits, pages.render, let_in, told))
    app.include_router(claim_routes(refuse_claim, pages.render, let_in))
    app.include_router(asset_routes(assets))
    app.add_api_route("/trust-list.json", lambda: Response(trust_list, media_type="application/json"))
    problems.install(app, pages.error)
    return app


def fragment_of(message: bytes) -> str:
    """The fragment of a QR code's address, without ``#``."""
    return f"1{int.from_bytes(bytes([1]) + message)}"


#: A well-formed code of the gallery's person, with a signature of zeros by a key that nobody has.
SIGNED_BY_NOBODY = fragment_of(
    encode(
        Tag(
            18,
            [
                encode({1: -7, 4: bytes(8)}),
                {},
                encode({0: 2, 1: USCC, 2: SUMMARY.serial, 8: 1, 9: 2, 10: 1_783_000_000, 11: bytes(32)}),
                bytes(64),
            ],
        )
    )
)
