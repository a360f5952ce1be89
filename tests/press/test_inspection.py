import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from press.fonts import FontLibrary
from press.inspection import check_document, check_template
from tests.press.certificates import FOLDER, SAMPLES, make_press, print_certificate


@pytest.fixture(scope="module")
def document(library: FontLibrary) -> bytes:
    return print_certificate(make_press(library)).document


def test_a_certificate_passes(document: bytes) -> None:
    assert list(check_document(document)) == []


def spoil(root: Any, how: str) -> None:
    page = root.Pages.Kids[0]
    widget = root.AcroForm.Fields[0]
    if how == "photo":
        page.Resources.XObject.Photo.ColorSpace = pikepdf.Name.DeviceCMYK
    elif how == "descriptor":
        del page.Resources.Font.S.DescendantFonts[0].FontDescriptor["/FontFile2"]
    elif how == "unicode":
        del page.Resources.Font.V["/ToUnicode"]
    elif how == "content":
        page.Contents[0].write(page.Contents[0].read_bytes() + b"\n0 0 9 9 re f\n")
    elif how == "unmarked":
        page.Contents[1].write(page.Contents[1].read_bytes().replace(b"/MCID 5", b"/MCID 99"))
    elif how == "alt":
        del root.StructTreeRoot.K[0].K[3]["/Alt"]
    elif how == "flags":
        widget.F = 2
    elif how == "date":
        del root.AF[0].EF.F.Params["/ModDate"]
    else:
        raise AssertionError(how)


@pytest.mark.parametrize(
    ("change", "clause"),
    [
        (lambda root: root.MarkInfo.__setitem__("/Marked", False), "ISO 19005-3, 6.7.2.2"),
        (lambda root: root.__delitem__("/Lang"), "ISO 14289-1, 7.2"),
        (lambda root: root.__delitem__("/ViewerPreferences"), "ISO 14289-1, 7.1"),
        (lambda root: root.Pages.Kids[0].__delitem__("/Tabs"), "ISO 14289-1, 7.18.3"),
        (lambda root: root.__delitem__("/Metadata"), "ISO 19005-3, 6.6.2.1"),
        (
            lambda root: root.Metadata.write(root.Metadata.read_bytes().replace(b"part>3", b"part>2")),
            "ISO 19005-3, 6.6.4",
        ),
        (lambda root: root.__delitem__("/OutputIntents"), "ISO 19005-3, 6.2.3"),
        (lambda root: root.__delitem__("/AF"), "ISO 19005-3, 6.8"),
        (lambda root: root.__delitem__("/Perms"), "ISO 32000-1, 12.8.4"),
        (lambda root: root.AcroForm.Fields[0].__delitem__("/TU"), "ISO 14289-1, 7.18.1"),
        (lambda root: root.AcroForm.Fields[0].__delitem__("/AP"), "ISO 19005-3, 6.3.3"),
        (lambda root: root.AcroForm.Fields[0].__setitem__("/StructParent", 7), "ISO 14289-1, 7.18.4"),
        (lambda root: root.AcroForm.Fields.append(root.AcroForm.Fields[0]), "ISO 32000-1, 12.7"),
        (lambda root: spoil(root, "photo"), "ISO 19005-3, 6.2.4.3"),
        (lambda root: spoil(root, "descriptor"), "ISO 19005-3, 6.2.11.4.1"),
        (lambda root: spoil(root, "unicode"), "ISO 19005-3, 6.2.11.7.2"),
        (lambda root: spoil(root, "content"), "ISO 14289-1, 7.1"),
        (lambda root: spoil(root, "unmarked"), "ISO 32000-1, 14.7.4.4"),
        (lambda root: spoil(root, "alt"), "ISO 14289-1, 7.3"),
        (lambda root: spoil(root, "flags"), "ISO 19005-3, 6.3.2"),
        (lambda root: spoil(root, "date"), "ISO 19005-3, 6.8"),
    ],
)
def test_each_fault_is_found_by_its_clause(document: bytes, change: Callable[[Any], None], clause: str) -> None:
    changed = BytesIO()
    with pikepdf.open(BytesIO(document)) as pdf:
        change(pdf.Root)
        pdf.save(changed)
    assert clause in {found for found, _, _ in check_document(changed.getvalue())}


def test_the_template_passes_with_all_samples(library: FontLibrary) -> None:
    report = check_template(FOLDER, library)
    assert report.findings == ()
    assert sorted(report.samples) == SAMPLES
    assert report.qr_budget == 313
    assert len(report.prefix_bytes) == 2


@pytest.mark.parametrize(
    ("name", "old", "new", "code"),
    [
        ("background.typ", "#set page(width: 297mm", "#set page(width: 210mm", "bad-template"),
        ("background.typ", "#let paper", "#lat paper", "bad-template"),
        ("template.toml", "size = 15", "size = 15\nsiez = 3", "bad-template"),
        ("samples/ordinary.toml", 'sex = "男"', 'sax = "男"', "bad-template"),
        ("samples/ordinary.toml", "张喆堃", "张\ue000", "missing-glyph"),
        ("samples/ordinary.toml", "高级工程师评审委员会", "高级工程师评审委员会" * 12, "overflow"),
        ("samples/issuer.toml", "示例市人力资源和社会保障局", "示例市人力资源和社会保障局" * 9, "overflow"),
    ],
)
def test_a_fault_of_the_template_becomes_a_finding(  # noqa: PLR0917 - the cases' columns
    library: FontLibrary, tmp_path: Path, name: str, old: str, new: str, code: str
) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "copy"))
    content = (folder / name).read_text("utf-8")
    assert old in content
    (folder / name).write_text(content.replace(old, new, 1), "utf-8")
    report = check_template(folder, library)
    assert code in {finding.clause for finding in report.findings}
