"""The rules of the house as functions from source text to complaints; `test_architecture.py` applies them.

A complaint is one line, `path:line: what is wrong`, so that an editor can jump to it.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath

FLOORS = {
    "credential": 0,
    "keys": 1,
    "registry": 1,
    "templates": 1,
    "press": 2,
    "intake": 2,
    "issuer": 3,
    "verifier": 3,
    "service": 4,
}
BESIDE = ("tests", "bench")  # may import anything, and nothing imports them

CREDENTIAL_MAY_IMPORT = {"credential", "cbor2", "cryptography"}
IMPURE = {"os", "pathlib", "random", "secrets", "shutil", "socket", "sqlite3", "subprocess", "tempfile", "time"}
SIGNING_SIDE = ("keys", "press.cms", "press.press", "press.tail")

HOMES: Mapping[str, tuple[str, ...]] = {
    "alembic": ("registry/",),
    "fontTools": ("press/",),
    "openpyxl": ("intake/",),
    "pikepdf": ("press/",),
    "pydantic_settings": ("service/settings.py",),
    "pyhanko": ("verifier/document.py", "verifier/updates.py"),  # a document, and what was changed in it since
    "pyhanko_certvalidator": ("verifier/document.py", "verifier/updates.py"),
    "pypdfium2": ("press/look.py",),
    "python_calamine": ("intake/",),
    "qrcode": ("press/symbol.py",),
    "rich": ("service/cli/",),
    "sqlalchemy": ("registry/",),
    "sqlmodel": ("registry/",),
    "typer": ("service/cli/",),
    "typst": ("press/",),
    "xlsxwriter": ("intake/",),
    "zxingcpp": ("verifier/symbol.py",),
}
BROAD_EXCEPT = ("service/cli/__init__.py", "verifier/sandbox.py")  # one handler each
PRINTS = ("service/cli/", "bench/")
MAX_LINES = 400
LONG_FILES = ("registry/migrations/versions/",)  # a migration is never edited, so never split
EMPTY_NAMES = {"util", "utils", "helper", "helpers", "manager", "managers", "base", "common", "data", "info", "misc"}
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
CHANCE = {"os.urandom", "uuid.uuid1", "uuid.uuid4", "uuid4"}
CHANCE_MODULES = {"random", "secrets"}


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the root of the project, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def package(self) -> str:
        return self.path.split("/")[0].removesuffix(".py")

    @property
    def floor(self) -> int | None:
        return FLOORS.get(self.package)

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def at(self, line: int, what: str) -> str:
        return f"{self.path}:{line}: {what}"

    def lives_in(self, homes: Sequence[str]) -> bool:
        return any(self.path == home or (home.endswith("/") and self.path.startswith(home)) for home in homes)

    def comments(self) -> Iterator[tuple[int, str]]:
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


# ---- imports ----------------------------------------------------------------------------------------------------


def imports(source: Source, *, at_run_time: bool = False) -> Iterator[tuple[int, str]]:
    """Every name imported, with its line; `from a import b` gives `a.b`.

    With `at_run_time` only what runs when the file is first imported: nothing
    in functions, nothing for type checkers only.
    """
    for node in _statements(source.tree) if at_run_time else ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(source, node)
            for alias in node.names:
                yield node.lineno, f"{origin}.{alias.name}"


def _origin(source: Source, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    above = PurePosixPath(source.path).parts[: -node.level]
    return ".".join((*above, *([node.module] if node.module else [])))


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _statements(child)


def upward_imports(source: Source) -> Iterator[str]:
    """Imports run down only, and never from one folder to another on its floor."""
    if source.floor is None:
        return
    for line, name in imports(source):
        package = name.split(".")[0]
        if package in BESIDE:
            yield source.at(line, f"{source.package} imports {name}, which is no part of the program")
        elif package != source.package and package in FLOORS and FLOORS[package] >= source.floor:
            yield source.at(line, f"floor {source.floor} imports {name} of floor {FLOORS[package]}")


def impure_credential(source: Source) -> Iterator[str]:
    """Floor 0 knows the standard library, CBOR and cryptography, and no files, network, clock or chance."""
    if source.package != "credential":
        return
    for line, name in imports(source):
        package = name.split(".")[0]
        if package not in CREDENTIAL_MAY_IMPORT and package not in sys.stdlib_module_names:
            yield source.at(line, f"credential imports {name}, but only {', '.join(sorted(CREDENTIAL_MAY_IMPORT))}")
        if package in IMPURE:
            yield source.at(line, f"credential imports {name}; it is pure")
    for call in _calls(source, {"open", "io.open"}):
        yield source.at(call.lineno, "credential opens a file; it is pure")


def strayed_libraries(source: Source) -> Iterator[str]:
    """Each heavy library has its homes."""
    if source.floor is None:
        return
    for line, name in imports(source):
        homes = HOMES.get(name.split(".")[0])
        if homes is not None and not source.lives_in(homes):
            yield source.at(line, f"{name} is imported outside its home: {', '.join(homes)}")


def imports_by_name(source: Source) -> Iterator[str]:
    """An import hidden in a string would pass by every rule here."""
    if source.floor is not None:
        for call in _calls(source, {"__import__", "import_module", "importlib.import_module"}):
            yield source.at(call.lineno, "imports by name; write an import statement")


def import_graph(sources: Sequence[Source]) -> dict[str, set[str]]:
    """Which of our modules imports which when it is first imported."""
    known = {source.module for source in sources}
    return {
        source.module: {
            module
            for _, name in imports(source, at_run_time=True)
            for module in [name if name in known else name.rpartition(".")[0]]
            if module in known and module != source.module
        }
        for source in sources
    }


def import_cycle(sources: Sequence[Source]) -> str:
    """One cycle of imports at run time, written as a chain; empty when there is none."""
    try:
        TopologicalSorter(import_graph(sources)).prepare()
    except CycleError as error:
        return " <- ".join(error.args[1])
    return ""


def ways_to_signing(sources: Sequence[Source]) -> Iterator[str]:
    """The verifier reaches no module that signs, directly or through another."""
    graph = import_graph(sources)
    for source in sources:  # imports inside functions count here too
        for _, name in imports(source):
            graph[source.module] |= {known for known in graph if name == known or name.startswith(f"{known}.")}
    for start in (source.module for source in sources if source.package == "verifier"):
        ways = {start: start}
        waiting = [start]
        while waiting:
            for module in sorted(graph[(here := waiting.pop())] - ways.keys()):
                ways[module] = f"{ways[here]} -> {module}"
                waiting.append(module)
                if any(module == side or module.startswith(f"{side}.") for side in SIGNING_SIDE):
                    yield ways[module]


# ---- statements -------------------------------------------------------------------------------------------------


def _calls(source: Source, names: set[str]) -> Iterator[ast.Call]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in names:
            yield node


def broad_excepts(source: Source) -> Iterator[str]:
    """Nothing is caught that has no name, but in the two outermost handlers."""
    allowed = 1 if source.path in BROAD_EXCEPT else 0
    found = [node.lineno for node in ast.walk(source.tree) if isinstance(node, ast.ExceptHandler) and _is_broad(node)]
    found += [call.lineno for call in _calls(source, {"suppress", "contextlib.suppress"}) if _catches_all(*call.args)]
    for line in sorted(found)[allowed:]:
        yield source.at(line, "catches everything; name what can happen")


def _is_broad(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or _catches_all(handler.type)


def _catches_all(*types: ast.expr) -> bool:
    names = {ast.unparse(node) for type_ in types for node in ast.walk(type_) if isinstance(node, ast.expr)}
    return bool(names & {"Exception", "BaseException"})


def prints(source: Source) -> Iterator[str]:
    """Only the command line and the benchmarks talk."""
    if not source.lives_in(PRINTS):
        for call in _calls(source, {"print", "pprint", "pprint.pprint"}):
            yield source.at(call.lineno, "prints; only the command line may")


def clocks_and_chance(source: Source) -> Iterator[str]:
    """Up to floor 2 time is passed in, and chance is drawn only where keys and nonces are made."""
    if source.floor is None or source.floor > 2:
        return
    makes_secrets = source.package == "keys" or source.path == "registry/vault.py"
    for call in (node for node in ast.walk(source.tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        if name in CLOCKS or ".".join(name.split(".")[-2:]) in CLOCKS:
            yield source.at(call.lineno, f"reads the clock with {name}; take `now` as an argument")
        elif not makes_secrets and (name in CHANCE or name.split(".")[0] in CHANCE_MODULES):
            yield source.at(call.lineno, f"draws chance with {name}; take it as an argument")


def environment_reads(source: Source) -> Iterator[str]:
    """Only the service reads the environment; everybody else gets arguments."""
    if source.floor is not None and source.package != "service":
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node) in {"os.environ", "os.getenv"}:
                yield source.at(node.lineno, "reads the environment; take it as an argument")


# ---- errors -----------------------------------------------------------------------------------------------------


def unfit_errors(sources: Sequence[Source]) -> Iterator[str]:
    """Every error of ours has a code of its own and a sentence in each language."""
    known = {"Error": False}  # name of class -> does it change what its constructor takes
    codes: dict[str, str] = {}
    waiting = [(source, node) for source in sources for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)]
    waiting = [(source, node) for source, node in waiting if node.name != "Error"]
    while ready := [pair for pair in waiting if _parents(pair[1]) & known.keys()]:
        waiting = [pair for pair in waiting if pair not in ready]
        for source, node in ready:
            parent_changes = any(known.get(parent, False) for parent in _parents(node))
            own = next((one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
            known[node.name] = parent_changes or own is not None
            yield from _unfit_code(source, node, codes)
            if own is not None and not parent_changes and not _gives_two_sentences(own):
                yield source.at(own.lineno, f"{node.name} must call super().__init__(en, zh)")


def _parents(node: ast.ClassDef) -> set[str]:
    return {ast.unparse(parent).rpartition(".")[2] for parent in node.bases}


def _unfit_code(source: Source, node: ast.ClassDef, codes: dict[str, str]) -> Iterator[str]:
    code = next((value for value in map(_assigned_code, node.body) if value), "")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code):
        yield source.at(node.lineno, f"{node.name} needs a code of its own, lower-case words with hyphens")
    elif code in codes:
        yield source.at(node.lineno, f"{node.name} has the code of {codes[code]}: {code}")
    else:
        codes[code] = node.name


def _assigned_code(statement: ast.stmt) -> str:
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    else:
        return ""
    is_code = any(isinstance(target, ast.Name) and target.id == "code" for target in targets)
    value = statement.value
    return value.value if is_code and isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def _gives_two_sentences(constructor: ast.FunctionDef) -> bool:
    calls = [node for node in ast.walk(constructor) if isinstance(node, ast.Call)]
    return any(
        ast.unparse(call.func) == "super().__init__" and len(call.args) + len(call.keywords) == 2 for call in calls
    )


# ---- words ------------------------------------------------------------------------------------------------------

_UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
_IGNORES = re.compile(r"type:\s*ignore|noqa|mypy:\s*ignore-errors|mypy:\s*disable|pylint:\s*disable")
_WITH_CODE = re.compile(r"(type: ignore\[[a-z, -]+\]|noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*)(?P<reason>.*)")
_REGISTRIES = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs\.org|registry\.yarnpkg\.com|npmmirror\.com|(deb|security)\.debian\.org"
    r"|(archive|security)\.ubuntu\.com|(static|index)\.crates\.io|proxy\.golang\.org|sum\.golang\.org"
    r"|(pypi|mirrors)\.[a-z.]+\.edu\.cn|mirrors?\.[a-z]+\.com|pkgs\.dev\.azure\.com|artif[a]ctory|/simple/?\s*$",
    re.IGNORECASE,
)
_MACHINE_PATHS = re.compile(r"(?<![\w./~$}-])(/(work|root|tmp)/\w|/(home|Users)/\w+)|\b[A-Z]:\\Users\\")


def unfinished(source: Source) -> Iterator[str]:
    """What is not done stands in an issue, not in the code."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    notes = [*source.comments()]
    notes += [(1, ast.get_docstring(node) or "") for node in ast.walk(source.tree) if isinstance(node, documented)]
    for line, note in notes:
        if found := _UNFINISHED.search(note):
            yield source.at(line, f"{found.group()} belongs in an issue")


def bare_ignores(source: Source) -> Iterator[str]:
    """A silenced checker is told which rule, and the reader why."""
    for line, comment in source.comments():
        if not _IGNORES.search(comment):
            continue
        match = _WITH_CODE.search(comment)
        if match is None or comment.startswith("# ruff:"):
            yield source.at(line, "silences a whole checker; name the code")
        elif not re.search(r"\w\w", match["reason"]):
            yield source.at(line, "silences a checker without a reason on the line")


def long_files(source: Source) -> Iterator[str]:
    """A file is read in one sitting."""
    lines = source.text.count("\n")
    if lines > MAX_LINES and not source.lives_in(LONG_FILES):
        yield source.at(MAX_LINES + 1, f"{lines} lines, over {MAX_LINES}; split it by what it is about")


def empty_names(source: Source) -> Iterator[str]:
    """A name says what is inside."""
    for part in PurePosixPath(source.path.removesuffix(".py")).parts:
        if part in EMPTY_NAMES or set(part.split("_")) & (EMPTY_NAMES - {"base", "data", "info"}):
            yield source.at(1, f"{part!r} does not say what is inside")


def foreign_places(path: str, text: str) -> Iterator[str]:
    """No file depends on where it was written: no registry's host, no path of one machine."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := _REGISTRIES.search(line) or _MACHINE_PATHS.search(line):
            yield f"{path}:{number}: names {found.group()!r}, a place that others do not have"
