import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r'"([a-z0-9]+(?:-[a-z0-9]+)+|missing)",\n\s+f?"[^"]*[\u4e00-\u9fff]')
CLASS_CODE = re.compile(r'code = "([a-z-]+)"')


def test_every_code_of_intake_is_in_its_page() -> None:
    page = (ROOT / "docs/intake.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`([a-z0-9-]+)`", page))
    found: set[str] = set()
    for source in (ROOT / "intake").glob("*.py"):
        text = source.read_text(encoding="utf-8")
        found |= set(CODE.findall(text)) | set(CLASS_CODE.findall(text))
    assert len(found) > 50
    assert found <= listed, found - listed
