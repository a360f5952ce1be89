"""The certificates that the press and its peers make: the same people, texts, places, photos and QR codes.

Ours come as claims, and the press sets them. A peer is handed lines that are already placed, so that none of them pays
for breaking or measuring a text; and the frame, the rules and no ornament, so that none pays for our artwork.
"""

import hashlib
import json
import lzma
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from typing import Any

from bench.made_up import people
from bench.stopped import Job
from credential.claims import encode_claims
from credential.cose import sign_message, signature_bytes
from credential.model import Claims, PartialDate, Record
from credential.ports import Signer
from credential.qr import encode_qr_claims, fit_qr_claims, qr_text
from credential.serial import identifier
from press.display import display_values
from press.issuer_look import IssuerLook
from press.press import Press
from press.template import Box, Label, Row, TextBox, Value

LOOK = IssuerLook(
    name="示例市人力资源和社会保障局",
    public_url="https://zs.example.gov.cn",
    legal_effect="本电子证书与纸质证书具有同等效力；打印件、截图等任何再转换版本以扫码或签章验证结果为准。",
    seal_arc="示例市人力资源和社会保障局",
    seal_bottom="职称证书专用章",
    is_sample=False,
)
FACES = {  # one file for each of the template's faces: peers have no second face to fall back to
    "title": "NotoSerifSC-Bold.ttf",
    "label": "NotoSerifSC-Regular.ttf",
    "number": "NotoSerifSC-Regular.ttf",
    "value": "LXGWWenKai-Regular.ttf",
}
_USCC, _TYPE = "11330200MB0T000315", "11339900MB0T000153001"
_CODE = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_POINTS = 72 / 25.4
_LATIN = 0.55  # of an em, roughly; it only decides where a line is broken


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate to be printed: what the press takes, and what a verifier must find on a peer's page."""

    claims: Claims
    photo: bytes
    qr_text: str
    message: bytes
    proof: str

    @property
    def job(self) -> Job:
        """It as a press is asked for it."""
        parts = {"photo": self.photo, "qr_text": self.qr_text, "message": self.message, "proof": self.proof}
        return self.claims, parts

    def printed_by(self, press: Press) -> bytes:
        """Print it with our press, alone; gives the tail."""
        claims, parts = self.job
        return press.print(claims, **parts).tail


def certificates(press: Press, qr_signer: Signer) -> Iterator[Certificate]:
    """Make certificates without end, each of another person whom every font here can write.

    Args:
        press: whose template, issuer and QR code they are for.
        qr_signer: signs claims and QR codes.
    """
    for number in count(0, 50):
        for record in people(number, 50):
            # No face of a peer has the rare characters of one name in a hundred, and none falls back to another face.
            if record.holder.name.replace("·", "").encode("gb2312", "ignore").decode("gb2312") == (
                record.holder.name.replace("·", "")
            ):
                yield _certificate(press, qr_signer, record, number)


def _certificate(press: Press, signer: Signer, record: Record, number: int) -> Certificate:
    photo = record.photo or b""
    serial = f"33029920260{number + record.row:09}"
    code = "".join(_CODE[byte % 32] for byte in hashlib.sha256(serial.encode()).digest()[:16])
    prefix = press.prefix(photo=True)
    claims = Claims(
        issuer=_USCC,
        issuer_name=LOOK.name,
        serial=serial,
        version=1,
        kind=press.template.schema.kind,
        identifier=identifier(_TYPE, _USCC, serial, 1),
        holder=record.holder,
        fields=record.fields,
        issued_at=datetime(2026, 11, 22, 2, 3, 4, tzinfo=UTC),
        issued_on=PartialDate("2026-11-22"),
        expires_on=None,
        status_uri=f"{LOOK.public_url}/status/0",
        status_index=number,
        verification_code=code,
        photo_digest=hashlib.sha256(photo).digest(),
        template_digest=prefix.digest,
        salt=os.urandom(16),
    )
    message = sign_message(encode_claims(claims), signer)
    fitted = fit_qr_claims(
        claims, 0, press.qr_budget, signature_bytes(signer.algorithm), in_qr=press.template.schema.in_qr
    )
    text = qr_text(LOOK.public_url, code, sign_message(encode_qr_claims(fitted), signer))
    return Certificate(claims, photo, text, message, _proof(serial))


def _proof(serial: str) -> str:
    """Text of the length that a proof in a log of ten thousand leaves has."""
    hashes = "".join(f"{hashlib.sha256(f'{serial}{at}'.encode()).hexdigest()[:43]}=\n" for at in range(14))
    return f"c2sp.org/tlog-proof@v1\nindex 1\n{hashes}\nlog.example\n10000\n{'A' * 43}=\n\n— log.example {'A' * 96}\n"


def write_jobs(folder: Path, press: Press, made: Iterator[Certificate], jobs: int, fonts: Path) -> list[Certificate]:
    """Write what a peer needs into a folder: fonts, the page's fixed parts, and for each job lines and photo."""
    chosen = list(islice(made, jobs))
    for face in sorted(set(FACES.values())):
        (folder / face).write_bytes(lzma.decompress((fonts / f"{face}.xz").read_bytes()))
    template = press.template
    scene = {
        "page": [template.width * _POINTS, template.height * _POINTS],
        "frames": [
            _rectangle(Box(8, 8, 281, 194), template.height),
            _rectangle(Box(11, 11, 275, 188), template.height),
        ],
        "rules": [
            [*_rectangle(one.value.place(photo=True), template.height)[:3], 0]
            for one in template.items
            if isinstance(one, Row)
        ],
        "photo": _rectangle(template.photo_box or Box(26, 61, 35, 49), template.height),
        "qr": _rectangle(template.qr.box, template.height),
        "qr_version": template.qr.version,
        "fonts": {name: str(folder / name) for name in sorted(set(FACES.values()))},
        "jobs": [_job(folder, press, number, one) for number, one in enumerate(chosen)],
    }
    (folder / "scene.json").write_text(json.dumps(scene, ensure_ascii=False), encoding="utf-8")
    (folder / "scene.tsv").write_text("\n".join(_as_table(scene)), encoding="utf-8")
    return chosen


def _as_table(scene: dict[str, Any]) -> Iterator[str]:
    """The same for a peer whose language brings no JSON: a line each, cells parted by tabs."""

    def line(*cells: object) -> str:
        return "\t".join(map(str, cells))

    yield line("page", *scene["page"])
    yield line("photo", *scene["photo"])
    yield line("qr", *scene["qr"], scene["qr_version"])
    yield from (line("frame", *one) for one in scene["frames"])
    yield from (line("rule", *one) for one in scene["rules"])
    yield from (line("font", *one) for one in scene["fonts"].items())
    for job in scene["jobs"]:
        yield line("job", job["photo"], job["qr"])
        for one in job["lines"]:
            yield line("line", *(one[key] for key in ("x", "y", "size", "font", "colour", "text")))


def _job(folder: Path, press: Press, number: int, one: Certificate) -> dict[str, Any]:
    photo = folder / f"photo-{number}.jpg"
    photo.write_bytes(one.photo)
    return {"lines": list(_lines(press, one.claims)), "qr": one.qr_text, "photo": photo.name}


def _lines(press: Press, claims: Claims) -> Iterator[dict[str, Any]]:
    """Every line of the page, fixed ones too, with the left end of its baseline in points from the bottom left."""
    values = display_values(press.template, claims)
    for item in press.template.items:
        if isinstance(item, Label) and not item.only_sample:
            yield from _placed(press, item.text.format(**LOOK.words()), item.where)
        elif isinstance(item, Row):
            source = next((one for one in item.sources if values.get(one.field)), item.sources[0])
            yield from _placed(press, source.label, item.label)
            yield from _placed(press, values.get(source.field, item.empty), item.value)
        elif isinstance(item, Value) and values.get(item.field):
            yield from _placed(press, item.before + values[item.field], item.where)


def _placed(press: Press, text: str, where: TextBox) -> Iterator[dict[str, Any]]:
    box = where.place(photo=True)
    width, size = box.width * _POINTS, where.size
    while size > where.min_size and len(_broken(text, width / size)) > max(1, where.lines):
        size -= 0.5
    lines = _broken(text, width / size)
    leading = size * (where.leading or 1.2)
    middle = (press.template.height - box.y - box.height / 2) * _POINTS
    for at, line in enumerate(lines):
        left = box.x * _POINTS
        spare = max(0.0, width - _width(line) * size)
        left += {"centre": spare / 2, "right": spare}.get(where.align, 0.0)
        baseline = middle + ((len(lines) - 1) / 2 - at) * leading - 0.36 * size
        yield {
            "text": line,
            "x": round(left, 2),
            "y": round(baseline, 2),
            "size": size,
            "font": FACES[where.face],
            "colour": where.colour,
        }


def _broken(text: str, ems: float) -> list[str]:
    lines, line = [], ""
    for character in text:
        if line and _width(line + character) > ems:
            lines.append(line)
            line = ""
        line += character
    return [*lines, line]


def _width(text: str) -> float:
    return sum(_LATIN if character.isascii() else 1.0 for character in text)


def _rectangle(box: Box, height: float) -> list[float]:
    """Left, bottom, width, height in points."""
    corners = (box.x, height - box.y - box.height, box.width, box.height)
    return [round(one * _POINTS, 2) for one in corners]
