import shutil
from pathlib import Path

import pytest

from press.fonts import FontLibrary
from press.inspection import check_template
from tests.press.certificates import FOLDER, SAMPLES


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
