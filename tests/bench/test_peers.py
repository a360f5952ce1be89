import json
import lzma
import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from bench.peers.certificates import FACES, LOOK, Certificate, certificates, write_jobs
from bench.peers.figures import Kept, Result, Run
from bench.peers.key_material import KeyMaterial, certify, create_key, write
from bench.peers.known import PEERS, Peer, PeerFailed, Running
from bench.peers.report import against_tuned, chart, notes, table
from bench.peers.verified import BadCertificate, verify
from credential.ports import Algorithm
from keys.file_signer import FileSigner
from press.fonts import FontLibrary
from press.press import Press
from press.template_file import load_template
from templates import certificate_folder

HERE = Path(__file__).parents[2] / "bench" / "peers"
FONTS = Path(__file__).parents[2] / "templates" / "fonts"


@dataclass(frozen=True, slots=True)
class Made:
    press: Press
    material: KeyMaterial
    document: bytes
    certificate: Certificate
    scene: dict[str, Any]
    folder: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, unpacked_fonts: Path, cache_folder: Path) -> Made:
    """A certificate of our press, and the jobs that a peer would be given with it."""
    folder, fonts = tmp_path_factory.mktemp("jobs"), tmp_path_factory.mktemp("fonts")
    for face in set(FACES.values()):
        (fonts / f"{face}.xz").write_bytes(lzma.compress(b"a face", preset=0))
    material = certify(create_key(Algorithm.P256), Algorithm.P256, "zh")
    signer = FileSigner(material.key)
    library = FontLibrary(FONTS, unpacked_fonts)
    template = load_template(certificate_folder("professional-title"))
    press = Press(template, LOOK, library, signer, material.chain, cache_folder=cache_folder)
    certificate, *_ = write_jobs(folder, press, certificates(press, signer), 2, fonts)
    document = press.prefix(photo=True).content + certificate.printed_by(press)
    return Made(press, material, document, certificate, json.loads((folder / "scene.json").read_text("utf-8")), folder)


def check(made: Made, document: bytes, job: dict[str, Any] | None = None, ca_cert: bytes | None = None) -> None:
    verify(document, job or made.scene["jobs"][0], made.scene, ca_cert or made.material.ca_cert)


def test_a_peer_is_given_the_texts_that_our_press_prints(made: Made) -> None:
    check(made, made.document)

    words = "".join(line["text"] for line in made.scene["jobs"][0]["lines"])
    holder = made.certificate.claims.holder
    assert holder.name in words
    assert holder.id_number in words
    assert "专业技术职务任职资格证书" in words
    assert made.scene["jobs"][0]["qr"] == made.certificate.qr_text
    assert (made.folder / made.scene["jobs"][0]["photo"]).read_bytes() == made.certificate.photo


def test_every_line_stands_on_the_page(made: Made) -> None:
    width, height = made.scene["page"]

    for line in made.scene["jobs"][0]["lines"]:
        ems = sum(0.5 if character.isascii() else 1 for character in line["text"])
        assert line["x"] > 0
        assert line["x"] + ems * line["size"] < width
        assert 0 < line["y"] < height


def test_a_peer_without_json_is_given_the_same(made: Made) -> None:
    rows = [line.split("\t") for line in (made.folder / "scene.tsv").read_text("utf-8").splitlines()]

    assert [row[2] for row in rows if row[0] == "job"] == [job["qr"] for job in made.scene["jobs"]]
    lines = [line for job in made.scene["jobs"] for line in job["lines"]]
    assert [row[-1] for row in rows if row[0] == "line"] == [line["text"] for line in lines]
    assert {len(row) for row in rows if row[0] == "line"} == {7}


def test_a_signature_over_other_bytes_is_no_certificate(made: Made) -> None:
    changed = bytearray(made.document)
    changed[changed.index(made.certificate.photo) + 20_000] ^= 1

    with pytest.raises(BadCertificate, match="not good"):
        check(made, bytes(changed))


def test_a_signature_of_another_authority_is_no_certificate(made: Made) -> None:
    other = certify(create_key(Algorithm.P256), Algorithm.P256, "zh")

    with pytest.raises(BadCertificate, match="not good"):
        check(made, made.document, ca_cert=other.ca_cert)


def test_another_text_or_code_than_asked_for_is_no_certificate(made: Made) -> None:
    job = made.scene["jobs"][0]

    with pytest.raises(BadCertificate, match="does not say 欧阳无此人"):
        check(made, made.document, {**job, "lines": [*job["lines"], {"text": "欧阳无此人"}]})
    with pytest.raises(BadCertificate, match="QR code"):
        check(made, made.document, {**job, "qr": job["qr"] + "1"})


def test_a_blank_where_the_photo_belongs_is_noticed(made: Made) -> None:
    scene = {**made.scene, "photo": [79, 218, 42, 42]}

    with pytest.raises(BadCertificate, match="no portrait"):
        verify(made.document, made.scene["jobs"][0], scene, made.material.ca_cert)


def test_people_differ_and_only_those_that_every_font_can_write_are_asked_for(made: Made) -> None:
    people = list(islice(certificates(made.press, FileSigner(made.material.key)), 20))

    assert len({one.claims.serial for one in people}) == len({one.photo for one in people}) == 20
    assert all(one.claims.holder.name.replace("·", "").encode("gb2312") for one in people)


def test_every_stack_is_known_by_the_process_that_runs_it() -> None:
    stacks = (HERE / "stacks" / "__main__.py").read_text("utf-8")

    for peer in PEERS:
        if peer.kind == "python":
            assert f'"{peer.name}": lambda' in stacks
    assert len({peer.name for peer in PEERS}) == len(PEERS)


def test_what_node_installs_has_a_hash() -> None:
    asked = json.loads((HERE / "node" / "package.json").read_text("utf-8"))["dependencies"]
    packages = json.loads((HERE / "node" / "package-lock.json").read_text("utf-8"))["packages"]

    assert {f"node_modules/{name}" for name in asked} <= packages.keys()
    assert [name for name, one in packages.items() if name and not one["integrity"].startswith("sha512-")] == []
    assert [name for name, one in packages.items() if "resolved" in one] == []


def test_a_peer_that_ends_is_reported_with_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Peer, "command", lambda *_: ["sh", "-c", "echo there is no such font >&2; exit 1"])

    with Running(PEERS[0], tmp_path, tmp_path) as running, pytest.raises(PeerFailed, match="no such font"):
        running.make(0, 1)


def result(name: str, rate: float, *, tuned: tuple[str, str] = ("", ""), algorithm: str = "p-256") -> Result:
    runs = tuple(Run(rate / 2, rate * part, 900.0, 2_000.0) for part in (0.9, 1.0, 1.3))
    return Result(algorithm, name, f"stack {name}", tuned=tuned, runs=runs, length=139_038)


def test_an_interrupted_run_goes_on_and_another_one_begins_anew(tmp_path: Path) -> None:
    path, asked = tmp_path / "run.jsonl", {"keys": ["p-256"], "seconds": 1.0}
    first = Kept(path, asked)
    first.resume(2)
    first.add(result("a", 5))

    again, other = Kept(path, asked), Kept(path, {**asked, "seconds": 5.0})
    again.resume(2)

    assert again.results == [result("a", 5)]
    assert again.has("p-256", "a")
    assert not again.has("rsa-2048", "a")
    other.resume(2)
    assert other.results == []


def test_a_run_that_was_whole_is_measured_again(tmp_path: Path) -> None:
    first, again = Kept(tmp_path / "run.jsonl", {"seconds": 1.0}), Kept(tmp_path / "run.jsonl", {"seconds": 1.0})
    first.resume(1)
    first.add(result("a", 5))

    again.resume(1)

    assert again.results == []


def test_a_line_says_median_least_and_most_and_how_many_times_our_press_makes() -> None:
    missing = replace(result("gone", 1), runs=(), note=("未能安装", "could not be installed"))
    rows = table([result("press", 900), missing, result("b", 20), result("a", 10)], "en")

    assert [row[0] for row in rows[1:]] == ["stack a", "stack b", "Yinzheng, press alone", "stack gone"]
    assert rows[2][1:] == ("20.0 (18.0–26.0)", "10.0", "1.00%", "45.0 ×", "100,000")
    assert rows[4][1] == "could not be installed"


def test_what_was_missed_is_called_missed() -> None:
    tuned = ("调优", "tuned")

    assert "wanted at least 150 times: MISSED" in against_tuned([result("a", 10, tuned=tuned)], "en")[0]
    assert "达到" in against_tuned([result("a", 5, tuned=tuned)], "zh")[0]
    assert "未达到" not in against_tuned([result("a", 5, tuned=tuned)], "zh")[0]
    assert against_tuned([result("a", 10)], "en") == []
    assert notes([replace(result("a", 1), note=("说明", "a note"))], "zh") == ["- stack a (p-256): 说明"]


def test_the_chart_has_a_bar_for_each_that_was_measured() -> None:
    missing = replace(result("gone", 1), runs=())
    missing_too = chart([result("a<b", 10), result("press", 900), missing, result("c", 3, algorithm="rsa-2048")])
    drawing = ET.fromstring(missing_too)  # noqa: S314 - we wrote it

    bars = [one for one in drawing.iter("{http://www.w3.org/2000/svg}rect") if "bar" in one.get("class", "")]
    assert len(bars) == 3
    assert [one.get("class") for one in bars].count("bar ours") == 1
    widths = sorted(float(one.get("width", "0")) for one in bars)
    assert 0 < widths[0] < widths[1] < widths[2]


def test_a_key_is_written_in_every_form(tmp_path: Path, made: Made) -> None:
    write(made.material, tmp_path / "keys")

    assert {path.name for path in (tmp_path / "keys").iterdir()} == {
        "key.pem",
        "key.der",
        "key.p12",
        "cert.pem",
        "ca.pem",
    }
