"""Writes the table of rules in `conformance.md` from the rules themselves; run by `make docs`."""

from pathlib import Path

from press import (
    conformance_file,
    conformance_fonts,
    conformance_metadata,
    conformance_page,
    conformance_seal,
    conformance_tags,
)
from press.conformance import Rule

PAGE = Path(__file__).resolve().parent / "conformance.md"
BEGIN, END = "<!-- rules: written by `python -m docs.rules` -->\n", "<!-- end of rules -->\n"
GROUPS: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("文件 file", conformance_file.RULES),
    ("页面 page", conformance_page.RULES),
    ("字体 fonts", conformance_fonts.RULES),
    ("标签 tags", conformance_tags.RULES),
    ("元数据与附件 metadata, attachments", conformance_metadata.RULES),
    ("印章与签名 seal, signature", conformance_seal.RULES),
)


def list_rules() -> str:
    """Draw one table a group."""
    lines = []
    for title, rules in GROUPS:
        lines += [f"### {title}", "", "| rule | clauses | finding 发现 |", "|---|---|---|"]
        lines += [f"| `{rule.name}` | {'; '.join(rule.clauses)} | {rule.zh}<br>{rule.en} |" for rule in rules]
        lines.append("")
    return "\n".join(lines)


def rewrite(page: str) -> str:
    """Put the current tables between the two marks of the page."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{list_rules()}\n{END}{after}"


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(rewrite(PAGE.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
