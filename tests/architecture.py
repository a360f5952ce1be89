"""Where things are and what may import what, as functions from source text to complaints.

`test_architecture.py` applies them, and those of `code_style.py`. A complaint is one line, `path:line: what is wrong`,
so that an editor can jump to it.
"""

import ast
import io
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
    "holder": 3,
    "service": 4,
}
BESIDE = ("tests", "bench")  # may import anything, and nothing imports them

CREDENTIAL_MAY_IMPORT = {"asn1crypto", "credential", "cbor2", "cryptography"}
IMPURE = {"os", "pathlib", "random", "secrets", "shutil", "socket", "sqlite3", "subprocess", "tempfile", "time"}
SIGNING_SIDE = ("keys", "press.cms", "press.press", "press.tail")

# A document, one signature of it, what it carries, and what came after it was signed; evidence that is appended.
PDF_READERS = (
    "keys/long_term.py",
    "verifier/document.py",
    "verifier/signature.py",
    "verifier/carried.py",
    "verifier/revisions.py",
    "verifier/updates.py",
)
WEB = (
    "issuer/api.py",
    "issuer/api/",
    "verifier/api.py",
    "verifier/pages.py",
    "holder/api.py",
    "holder/pages.py",
    "service/",
)
HOMES: Mapping[str, tuple[str, ...]] = {
    "alembic": ("registry/",),
    "fastapi": WEB,
    "fontTools": ("press/",),
    "httpx": ("keys/timestamp.py", "service/"),
    "jinja2": ("service/rendering.py",),
    "limits": ("service/limits.py",),
    "obstore": ("registry/s3_blobs.py", "registry/log/s3_folder.py"),
    "openpyxl": ("intake/",),
    "pikepdf": ("press/",),
    "pkcs11": ("keys/pkcs11_signer.py",),
    "psycopg": ("registry/",),
    "pydantic_settings": ("service/settings.py",),
    "pyhanko": PDF_READERS,
    "pyhanko_certvalidator": PDF_READERS,
    "pypdfium2": ("press/look.py",),
    "python_calamine": ("intake/",),
    "qrcode": ("press/symbol.py",),
    "rich": ("service/cli/",),
    "shamir_mnemonic": ("keys/shares.py",),
    "sqlalchemy": ("registry/",),
    "sqlmodel": ("registry/",),
    "starlette": WEB,
    "typer": ("service/cli/",),
    "typst": ("press/",),
    "uvicorn": ("service/",),
    "xlsxwriter": ("intake/",),
    "zxingcpp": ("verifier/symbol.py",),
}


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the root of the project, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    def syntax_errors(self) -> Iterator[str]:
        try:
            ast.parse(self.text, self.path)
        except SyntaxError as error:
            yield self.at(error.lineno or 1, f"is not Python: {error.msg}")

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


def calls(source: Source, names: set[str]) -> Iterator[ast.Call]:
    """Every call of one of these names, as they are written."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in names:
            yield node


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
    """Floor 0 knows the standard library, ASN.1, CBOR and cryptography, and no files, network, clock or chance."""
    if source.package != "credential":
        return
    for line, name in imports(source):
        package = name.split(".")[0]
        if package not in CREDENTIAL_MAY_IMPORT and package not in sys.stdlib_module_names:
            yield source.at(line, f"credential imports {name}, but only {', '.join(sorted(CREDENTIAL_MAY_IMPORT))}")
        if package in IMPURE:
            yield source.at(line, f"credential imports {name}; it is pure")
    for call in calls(source, {"open", "io.open"}):
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
        for call in calls(source, {"__import__", "import_module", "importlib.import_module"}):
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
