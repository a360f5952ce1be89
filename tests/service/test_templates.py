"""An issued certificate keeps the template that printed it, whatever becomes of the folder."""

import csv
import io
import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from sqlmodel import select

from press.look import extract_text, render
from press.strict_table import BadTemplate
from press.template_file import load_template
from press.template_folder import TemplateFiles, open_archive, read_folder
from registry.service_tables import TemplatePrefixRow
from registry.templates import list_versions
from service.house import House, open_house
from service.settings import Settings
from service.templates import KnownTemplates, TemplateVersionLost
from service.verifying import open_offline_verifier, open_verifier
from templates import certificate_folder
from tests.service.at_hand import PASSPHRASE, USCC, id_number, run
from verifier.sandbox import Sandbox
from verifier.steps import Supplied
from verifier.symbol import read_symbols
from verifier.verify import Verifier

HEADINGS = ("姓名", "证件号码", "培训课程", "学时", "开始日期", "结束日期", "课程内容")
WHO = ("--issuer", "nb", "--as", "wang")
EDITS = (
    ('text = "课程内容"', 'text = "培训内容"'),
    ('field = "started_on"', 'field = "started_on@iso"'),
    ("box = [20, 25, 170, 15]", "box = [20, 24, 170, 15]"),
)


def sheet(folder: Path, name: str, number: int) -> Path:
    file = folder / f"sheet-{number}.csv"
    row = (name, id_number(number), "安全培训", "16", "2026-03-02", "2026-03-04", "第一单元 法规\n第二单元 演练")
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        csv.writer(out).writerows([HEADINGS, row])
    return file


def edit(folder: Path) -> None:
    path = folder / "template.toml"
    text = path.read_text("utf-8")
    for old, new in EDITS:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text, "utf-8")


@pytest.fixture(scope="module")
def story(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One certificate of each of two versions of a template; look, do not touch."""
    folder = tmp_path_factory.mktemp("versions")
    data = folder / "data"
    shutil.copytree(made, data, symlinks=True)
    shutil.copytree(certificate_folder("training"), data / "templates" / "course")
    for number, name in ((1, "赵安"), (2, "钱宁")):
        out = folder / f"out-{number}"
        given = (*WHO, "--approve-as", "li", "--template", "course", "--out", out)
        ran = run("--data", data, "issue", sheet(folder, name, number), *given)
        assert ran.code == 0, ran
        if number == 1:
            edit(data / "templates" / "course")
    return folder


@pytest.fixture
def house(story: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("YINZHENG_PASSPHRASE", PASSPHRASE)
    return open_house(Settings(data=story / "data"))


def pdf_of(story: Path, number: int) -> Path:
    (found,) = (story / f"out-{number}").glob("*.pdf")
    return found


def unsigned(file: Path) -> bytes:
    """The file as a careless program saves it: the same page, no signature."""
    out = io.BytesIO()
    with pikepdf.open(file) as pdf:
        del pdf.Root.AcroForm, pdf.Root.Perms, pdf.pages[0].Annots
        pdf.save(out)
    return out.getvalue()


def verified(data: Path, *what: str | Path) -> dict[str, Any]:
    ran = run("--data", data, "verify", "--json", *what)
    answer: dict[str, Any] = json.loads(ran.out.splitlines()[0])
    return answer


def test_both_versions_show_what_their_own_template_says(story: Path) -> None:
    first, second = (extract_text(pdf_of(story, number).read_bytes()) for number in (1, 2))
    assert "课程内容" in first
    assert "2026年03月02日" in "".join(first.split())
    assert "培训内容" in second
    assert "2026-03-02" in second


@pytest.mark.parametrize("number", [1, 2])
def test_every_way_of_asking_gives_valid_for_both_versions(number: int, story: Path) -> None:
    file = pdf_of(story, number)
    (text,) = read_symbols(render(file.read_bytes(), 200))
    name = {1: "赵安", 2: "钱宁"}[number]
    code = text.partition("#")[0].rpartition("/")[2]
    for what in ((file,), ("--qr", text), ("--code", code), ("--serial", file.stem, "--name", name)):
        answer = verified(story / "data", *what)
        assert answer["verdict"] == "valid", answer


@pytest.mark.parametrize("number", [1, 2])
def test_a_copy_is_compared_by_the_version_that_printed_it(number: int, story: Path, house: House) -> None:
    with open_verifier(house) as verifier:
        own = verifier.verify_file(unsigned(pdf_of(story, number)), house.now())
    assert own.reason == "copy"
    assert "shown-differs" not in {check.name for check in own.checks}


def test_by_another_version_the_same_page_would_be_called_false(story: Path, house: House) -> None:
    with house.database.reading() as session:
        first, second = (one for one in list_versions(session) if one.name == "course")
        rows = session.exec(select(TemplatePrefixRow).where(TemplatePrefixRow.template_digest == first.digest)).all()
    exchanged = {row.prefix_digest: house.known_templates[second.digest] for row in rows}
    with Sandbox() as reader:
        origins = {USCC: frozenset({"https://zs.example.gov.cn"})}
        verifier = Verifier(house.source, house.trust, reader, Supplied(templates=exchanged, origins=origins))
        wrong = verifier.verify_file(unsigned(pdf_of(story, 1)), house.now())
    assert wrong.reason == "shown-differs"


def test_a_verifier_needs_neither_store_nor_folders_of_templates(story: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(story / "data", tmp_path / "data", symlinks=True))
    shutil.rmtree(data / "templates")
    for one in (data / "blobs").rglob("*"):
        if one.is_file():
            one.unlink()
    answer = verified(data, pdf_of(story, 1))
    assert answer["verdict"] == "valid"
    assert answer["credential"]["fields"]["course"] == "安全培训"


def test_offline_the_file_itself_says_which_version_printed_it(story: Path, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "elsewhere")
    trust = story / "data" / "public" / "trust-list.json"
    old = tmp_path / "elsewhere" / "templates" / "course"
    now = datetime.now(UTC)
    for has_template in (False, True):
        if has_template:
            shutil.copytree(story / "data" / "templates" / "course", old)  # the second version
        for number in (1, 2):
            with open_offline_verifier(settings, trust) as verifier:
                verdict = verifier.verify_file(pdf_of(story, number).read_bytes(), now)
            assert verdict.reason == "register-not-asked"
            outcomes = [check.outcome.value for check in verdict.checks if check.name == "shown"]
            assert outcomes == ["passed" if has_template and number == 2 else "indeterminate"]


def test_the_list_names_versions_and_counts_certificates(story: Path) -> None:
    out = run("--data", story / "data", "template", "list").out
    lines = [line.split("│") for line in out.splitlines() if "course" in line and "today" not in line]
    assert [[cell.strip() for cell in line[1:5]] for line in lines] == [
        ["course", "1", "training-certificate", "1"],
        ["course", "2", "training-certificate", "1"],
    ]


def test_a_submitted_batch_goes_on_with_its_own_version(data: Path, tmp_path: Path) -> None:
    folder = data / "templates" / "course"
    shutil.copytree(certificate_folder("training"), folder)
    ran = run("--data", data, "issue", sheet(tmp_path, "孙和", 3), *WHO, "--template", "course")
    assert ran.code == 0, ran
    edit(folder)
    shutil.rmtree(data / "cache" / "templates", ignore_errors=True)
    shown = run("--data", data, "batch", "show", "1").out
    digest = re.search(r"\b[0-9a-f]{16}\b", shown)
    assert digest is not None
    ran = run("--data", data, "approve", "1", "--as", "li", "--digest", digest[0], "--out", tmp_path / "out")
    assert ran.code == 0, ran
    (made,) = (tmp_path / "out").glob("*.pdf")
    assert "课程内容" in extract_text(made.read_bytes())


def test_one_issuer_uses_both_kinds_at_once(story: Path) -> None:
    serial = pdf_of(story, 1).stem
    assert serial.startswith("2026330200" + "90")


def test_a_version_kept_is_the_very_folder(house: House) -> None:
    with house.database.reading() as session:
        first, second = (one for one in list_versions(session) if one.name == "course")
    assert (first.number, second.number) == (1, 2)
    template = house.templates.kept(first.digest)
    assert template.digest == first.digest
    assert template.folder != house.folder.templates / "course"
    today = load_template(house.folder.templates / "course")
    assert today.digest == second.digest != first.digest
    # A damaged copy in the cache is made anew.
    (template.folder / "template.toml").write_text("no", "utf-8")
    assert house.templates.kept(first.digest).digest == first.digest


def test_a_damaged_archive_is_never_taken_for_the_version(story: Path) -> None:
    files = read_folder(story / "data" / "templates" / "course")
    archive = files.archive()
    assert open_archive(archive).digest == files.digest
    assert archive == files.archive()
    at = archive.index("培训内容".encode())
    for damaged in (archive[:at] + b"X" + archive[at + 1 :], archive[:2000], b""):
        with pytest.raises(BadTemplate, match="is damaged"):
            open_archive(damaged)
    rules = open_archive(files.rules(), only_rules=True)
    assert set(rules) == {"record.toml", "template.toml"}
    with pytest.raises(BadTemplate):
        open_archive(files.rules())  # not the whole folder


def test_rules_that_were_exchanged_in_the_register_make_it_unavailable(house: House) -> None:
    with house.database.reading() as session:
        first, second = (one for one in list_versions(session) if one.name == "course")
    known = KnownTemplates((), house.database)
    with pytest.raises(KeyError):
        known[bytes(32)]
    assert known[first.digest].digest == first.digest
    lying = TemplateFiles(open_archive(second.rules, only_rules=True).contents, "# course\n")
    with pytest.raises(BadTemplate):
        open_archive(lying.rules(), only_rules=True)
    with pytest.raises(TemplateVersionLost):
        house.templates.kept(bytes(32))
