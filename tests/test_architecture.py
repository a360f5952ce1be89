"""The house keeps its rules, and each rule can fail: it is also held against a text that breaks it."""

import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests import architecture, code_style
from tests.architecture import Source

PROJECT = Path(__file__).resolve().parent.parent
FOLDERS = (*architecture.FLOORS, *architecture.BESIDE)


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    files = sorted(file for folder in FOLDERS for file in (PROJECT / folder).rglob("*.py"))
    found = [Source(file.relative_to(PROJECT).as_posix(), file.read_text("utf-8")) for file in files]
    expect_none(complaint for source in found for complaint in source.syntax_errors())
    return found


def expect_none(complaints: Iterable[str]) -> None:
    if lines := list(complaints):
        pytest.fail("\n".join(["the house breaks this rule:", *lines]), pytrace=False)


def every(rule: Callable[[Source], Iterator[str]], sources: Iterable[Source]) -> Iterator[str]:
    return (complaint for source in sources for complaint in rule(source))


# ---- the house --------------------------------------------------------------------------------------------------


def test_every_folder_of_the_house_is_looked_at(sources: list[Source]) -> None:
    packages = {file.parent.name for file in PROJECT.glob("*/__init__.py")}

    assert packages <= set(FOLDERS)
    assert {source.package for source in sources} >= set(architecture.FLOORS)


def test_imports_run_down_only(sources: list[Source]) -> None:
    expect_none(every(architecture.upward_imports, sources))


def test_credential_is_pure(sources: list[Source]) -> None:
    expect_none(every(architecture.impure_credential, sources))


def test_the_verifier_reaches_nothing_that_signs(sources: list[Source]) -> None:
    expect_none(architecture.ways_to_signing(sources))


def test_heavy_libraries_stay_in_their_homes(sources: list[Source]) -> None:
    expect_none(every(architecture.strayed_libraries, sources))


def test_nothing_is_imported_by_name(sources: list[Source]) -> None:
    expect_none(every(architecture.imports_by_name, sources))


def test_no_import_runs_in_a_circle(sources: list[Source]) -> None:
    assert architecture.import_cycle(sources) == ""


def test_nothing_catches_everything(sources: list[Source]) -> None:
    expect_none(every(code_style.broad_excepts, sources))


def test_only_the_command_line_prints(sources: list[Source]) -> None:
    expect_none(every(code_style.prints, sources))


def test_time_and_chance_are_passed_in(sources: list[Source]) -> None:
    expect_none(every(code_style.clocks_and_chance, sources))


def test_only_the_service_reads_the_environment(sources: list[Source]) -> None:
    expect_none(every(code_style.environment_reads, sources))


def test_every_error_has_its_own_code_and_two_sentences(sources: list[Source]) -> None:
    ours = [source for source in sources if source.floor is not None]

    expect_none(code_style.unfit_errors(ours))


def test_nothing_unfinished_is_noted_in_the_code(sources: list[Source]) -> None:
    expect_none(every(code_style.unfinished, sources))


def test_every_silenced_checker_has_a_code_and_a_reason(sources: list[Source]) -> None:
    expect_none(every(code_style.bare_ignores, sources))


def test_no_file_is_too_long_to_read(sources: list[Source]) -> None:
    expect_none(every(code_style.long_files, sources))


def test_every_name_says_what_is_inside(sources: list[Source]) -> None:
    expect_none(every(code_style.empty_names, sources))


def test_no_file_names_a_registry_host_or_a_path_of_one_machine(tool: Callable[[str], Path]) -> None:
    git = subprocess.run(
        [tool("git"), "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
        text=True,
    )
    names = [name for name in git.stdout.split("\0") if name and (PROJECT / name).is_file()]
    assert "Makefile" in names

    expect_none(complaint for name in names for complaint in _foreign_places(name))


def _foreign_places(name: str) -> Iterator[str]:
    content = (PROJECT / name).read_bytes()
    if b"\0" not in content[:8000]:  # a text, by git's own rule
        yield from code_style.foreign_places(name, content.decode("utf-8"))


# ---- each rule can fail -----------------------------------------------------------------------------------------

BROKEN: list[tuple[Callable[[Source], Iterator[str]], str, str]] = [
    (architecture.upward_imports, "credential/a.py", "import keys"),
    (architecture.upward_imports, "keys/a.py", "from registry.database import Database"),
    (architecture.upward_imports, "registry/log/a.py", "def read():\n    import templates"),
    (architecture.upward_imports, "intake/a.py", "from press.look import render"),
    (architecture.upward_imports, "issuer/a.py", "import verifier.verify"),
    (architecture.upward_imports, "verifier/a.py", "from issuer import issue"),
    (architecture.upward_imports, "service/a.py", "from tests import fakes"),
    (architecture.impure_credential, "credential/a.py", "import pikepdf"),
    (architecture.impure_credential, "credential/a.py", "from pathlib import Path"),
    (architecture.impure_credential, "credential/a.py", "text = open('a').read()"),
    (architecture.strayed_libraries, "issuer/a.py", "from sqlmodel import Session"),
    (architecture.strayed_libraries, "verifier/verify.py", "import pyhanko.sign"),
    (architecture.strayed_libraries, "press/tail.py", "def draw():\n    import pypdfium2"),
    (architecture.strayed_libraries, "verifier/symbol.py", "import fontTools.ttLib"),
    (architecture.imports_by_name, "press/a.py", "import importlib\nimportlib.import_module('keys')"),
    (architecture.imports_by_name, "press/a.py", "__import__('keys')"),
    (code_style.broad_excepts, "press/a.py", "try:\n    pass\nexcept:\n    pass"),
    (code_style.broad_excepts, "press/a.py", "try:\n    pass\nexcept Exception:\n    pass"),
    (code_style.broad_excepts, "press/a.py", "try:\n    pass\nexcept (OSError, BaseException) as e:\n    pass"),
    (code_style.broad_excepts, "press/a.py", "with contextlib.suppress(Exception):\n    pass"),
    (code_style.prints, "registry/a.py", "def f():\n    print('here')"),
    (code_style.prints, "service/settings.py", "print('here')"),
    (code_style.clocks_and_chance, "credential/a.py", "now = datetime.now(UTC)"),
    (code_style.clocks_and_chance, "press/a.py", "now = datetime.datetime.now()"),
    (code_style.clocks_and_chance, "registry/log/a.py", "now = time.time()"),
    (code_style.clocks_and_chance, "registry/credentials.py", "salt = secrets.token_bytes(16)"),
    (code_style.clocks_and_chance, "intake/a.py", "salt = os.urandom(16)"),
    (code_style.clocks_and_chance, "press/a.py", "from secrets import token_bytes"),
    (code_style.environment_reads, "keys/a.py", "word = os.environ['PASSPHRASE']"),
    (code_style.environment_reads, "issuer/a.py", "word = os.getenv('PASSPHRASE')"),
    (code_style.unfinished, "press/a.py", "x = 1  # TO" + "DO: later"),
    (code_style.unfinished, "press/a.py", 'def f():\n    """Do it.\n\n    FIX' + 'ME: not yet.\n    """'),
    (code_style.bare_ignores, "press/a.py", "x = 1  # type: " + "ignore"),
    (code_style.bare_ignores, "press/a.py", "x = 1  # type: " + "ignore[assignment]"),
    (code_style.bare_ignores, "press/a.py", "x = 1  # no" + "qa"),
    (code_style.bare_ignores, "press/a.py", "x = 1  # no" + "qa: S101"),
    (code_style.bare_ignores, "press/a.py", "# ruff: no" + "qa"),
    (code_style.bare_ignores, "press/a.py", "# ruff: no" + "qa: S101"),
    (code_style.bare_ignores, "press/a.py", "# mypy: " + "ignore-errors"),
    (code_style.long_files, "press/a.py", "x = 1\n" * (code_style.MAX_LINES + 1)),
    (code_style.empty_names, "press/utils.py", ""),
    (code_style.empty_names, "press/pdf_helpers.py", ""),
    (code_style.empty_names, "press/common/fonts.py", ""),
    (code_style.empty_names, "press/data.py", ""),
]


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN)
def test_a_broken_rule_is_told_with_file_and_line(
    rule: Callable[[Source], Iterator[str]], path: str, text: str
) -> None:
    complaints = list(rule(Source(path, text)))

    assert len(complaints) == 1
    file, line, _ = complaints[0].split(":", 2)
    assert file == path
    assert 1 <= int(line) <= text.count("\n") + 1


KEPT: list[tuple[Callable[[Source], Iterator[str]], str, str]] = [
    (architecture.upward_imports, "service/a.py", "import keys, registry, press, issuer, verifier"),
    (architecture.upward_imports, "tests/verifier/test_a.py", "import keys, issuer"),
    (architecture.impure_credential, "credential/a.py", "import cbor2, hashlib\nfrom cryptography import x509"),
    (architecture.strayed_libraries, "press/look.py", "import pypdfium2"),
    (architecture.strayed_libraries, "registry/log/tables.py", "from sqlmodel import Field"),
    (architecture.strayed_libraries, "tests/a.py", "import pyhanko"),
    (code_style.broad_excepts, "service/cli/__init__.py", "try:\n    pass\nexcept Exception:\n    pass"),
    (code_style.broad_excepts, "press/a.py", "try:\n    pass\nexcept (OSError, ValueError):\n    pass"),
    (code_style.prints, "bench/issue.py", "print('195 a second')"),
    (code_style.clocks_and_chance, "service/clock.py", "now = datetime.now(UTC)"),
    (code_style.clocks_and_chance, "registry/status/slots.py", "def draw(random):\n    return random(16)"),
    (code_style.clocks_and_chance, "registry/vault.py", "nonce = os.urandom(12)"),
    (code_style.unfinished, "press/a.py", "x = 'XX' 'X'  # a pattern of a serial"),
    (code_style.bare_ignores, "press/a.py", "x = 1  # type: " + "ignore[misc]  # the stubs lack it"),
    (code_style.bare_ignores, "press/a.py", "x = 1  # no" + "qa: S101, S102 - outside input is checked above"),
    (code_style.bare_ignores, "tests/a.py", "# ruff: no" + "qa: S608 - raw SQL on purpose"),
    (code_style.long_files, "press/a.py", "x = 1\n" * code_style.MAX_LINES),
    (code_style.long_files, "registry/migrations/versions/0001.py", "x = 1\n" * 900),
    (code_style.empty_names, "registry/database.py", ""),
]


@pytest.mark.parametrize(("rule", "path", "text"), KEPT)
def test_a_kept_rule_is_silent(rule: Callable[[Source], Iterator[str]], path: str, text: str) -> None:
    assert list(rule(Source(path, text))) == []


def test_a_second_broad_handler_in_an_outermost_file_is_told() -> None:
    handler = "try:\n    pass\nexcept Exception:\n    pass\n"
    complaints = list(code_style.broad_excepts(Source("verifier/reading_tasks.py", handler * 2)))

    assert [complaint.split(" ")[0] for complaint in complaints] == ["verifier/reading_tasks.py:7:"]


def test_a_circle_of_imports_is_told() -> None:
    circle = [
        Source("press/a.py", "from press import b"),
        Source("press/b.py", "import press.c"),
        Source("press/c.py", "from press.a import thing"),
    ]

    assert set(architecture.import_cycle(circle).split(" <- ")) == {"press.a", "press.b", "press.c"}


@pytest.mark.parametrize("late", ["def f():\n    import press.a", "if TYPE_CHECKING:\n    import press.a"])
def test_an_import_that_does_not_run_closes_no_circle(late: str) -> None:
    assert architecture.import_cycle([Source("press/a.py", "import press.b"), Source("press/b.py", late)]) == ""


@pytest.mark.parametrize(
    ("found", "way"),
    [
        ("from press.tail import write", "verifier.verify -> press.tail"),
        ("def f():\n    from keys import store", "verifier.verify -> keys.store"),
        ("import press.display", "verifier.verify -> press.display -> press.cms"),
    ],
)
def test_a_way_from_the_verifier_to_signing_is_told(found: str, way: str) -> None:
    sources = [
        Source("verifier/verify.py", found),
        Source("press/display.py", "import press.cms"),
        Source("press/cms.py", ""),
        Source("press/tail.py", ""),
        Source("keys/store.py", ""),
    ]

    assert way in list(architecture.ways_to_signing(sources))


GOOD_ERROR = (
    "class {name}(InputError):\n    code = '{code}'\n    def __init__(self):\n        super().__init__('bad', '有误')\n"
)
FAMILY = "class Error(Exception):\n    code = 'error'\nclass InputError(Error):\n    code = 'bad-input'\n"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("class BadSerial(InputError):\n    pass", "needs a code"),
        ("class BadSerial(InputError):\n    code = 'BadSerial'", "needs a code"),
        ("class BadSerial(errors.InputError):\n    code = 'bad-input'", "has the code of InputError"),
        (GOOD_ERROR.format(name="A", code="a") + "class B(A):\n    pass", "B needs a code"),
        ("class BadSerial(InputError):\n    code = 'x'\n    def __init__(self):\n        super().__init__('en')", "zh"),
        ("class BadSerial(InputError):\n    code = 'x'\n    def __init__(self):\n        self.x = 1", "zh"),
        (GOOD_ERROR.format(name="A", code="a").replace("'bad'", "f'bad {self}.'"), "full stop"),
        (GOOD_ERROR.format(name="A", code="a").replace("有误", "有误。"), "full stop"),
        (GOOD_ERROR.format(name="A", code="a").replace("有误", "wrong"), "not Chinese"),
    ],
)
def test_an_unfit_error_is_told(text: str, what: str) -> None:
    complaints = list(code_style.unfit_errors([Source("press/a.py", text), Source("credential/errors.py", FAMILY)]))

    assert len(complaints) == 1
    assert what in complaints[0]


def test_a_fit_error_is_silent() -> None:
    fit = GOOD_ERROR.format(name="A", code="a") + "class B(A):\n    code = 'b'\n"

    assert list(code_style.unfit_errors([Source("credential/errors.py", FAMILY), Source("press/a.py", fit)])) == []


@pytest.mark.parametrize(
    "place",
    [
        "https://pypi@org/simple",
        "registry@npmjs@org",
        "deb@debian@org",
        "|work|main",
        "'|root|x'",
        "|tmp|data",
        "|home|me",
    ],
)
def test_a_foreign_place_is_told(place: str) -> None:
    hidden = place.replace("|", "/").replace("@", ".")  # so that this file does not name it
    complaints = list(code_style.foreign_places("README.md", f"one\nsee {hidden} there"))

    assert [complaint.split(" ")[0] for complaint in complaints] == ["README.md:2:"]


@pytest.mark.parametrize("place", ["../work/x", "templates/fonts", "https://example.org/work", "/data", "/work"])
def test_a_place_of_everybody_is_silent(place: str) -> None:
    assert list(code_style.foreign_places("README.md", f"see {place} there")) == []
