"""Writes the list of files in `architecture.md` from the first lines of the files themselves; run by `make docs`."""

import ast
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PAGE = PROJECT / "docs" / "architecture.md"
FOLDERS = (
    "credential",
    "keys",
    "registry",
    "registry/log",
    "registry/status",
    "registry/migrations",
    "templates",
    "press",
    "intake",
    "issuer",
    "issuer/api",
    "verifier",
    "holder",
    "service",
    "service/cli",
)
BEGIN, END = "<!-- files: written by `make docs` -->\n", "<!-- end of files -->\n"


def first_sentence(file: Path) -> str:
    """Take the first line of a file's docstring, without its full stop."""
    docstring = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return docstring.partition("\n")[0].removesuffix(".").replace("``", "`")


def list_files() -> str:
    """Draw one table a folder, sorted by name."""
    lines = []
    for folder in FOLDERS:
        door = PROJECT / folder / "__init__.py"
        purpose = first_sentence(door) if door.is_file() else ""
        lines += [f"### {folder}/", *([purpose] if purpose else []), ""]
        files = sorted(file for file in (PROJECT / folder).glob("*.py") if file.name != "__init__.py")
        if files:
            table = [f"| `{file.name}` | {first_sentence(file)} |" for file in files]
            lines += ["| file | what it is for |", "|---|---|", *table, ""]
    return "\n".join(lines)


def rewrite(page: str) -> str:
    """Put the current list between the two marks of the page."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{list_files()}\n{END}{after}"


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(rewrite(PAGE.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
