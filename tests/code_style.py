"""How code is written here, as functions from source text to complaints; `test_architecture.py` applies them."""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from tests.architecture import Source, calls, imports

BROAD_EXCEPT = ("service/cli/__init__.py", "service/problems.py", "verifier/reading_tasks.py")  # one handler each
PRINTS = ("service/cli/", "bench/")
MAX_LINES = 400
LONG_FILES = ("registry/migrations/versions/",)  # a migration is never edited, so never split
EMPTY_NAMES = {"util", "utils", "helper", "helpers", "manager", "managers", "base", "common", "data", "info", "misc"}
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
CHANCE = {"os.urandom", "uuid.uuid1", "uuid.uuid4", "uuid4"}
CHANCE_MODULES = {"random", "secrets"}

# ---- statements -------------------------------------------------------------------------------------------------


def broad_excepts(source: Source) -> Iterator[str]:
    """Nothing is caught that has no name, but in the outermost handlers and the sandbox."""
    allowed = 1 if source.path in BROAD_EXCEPT else 0
    found = [node.lineno for node in ast.walk(source.tree) if isinstance(node, ast.ExceptHandler) and _is_broad(node)]
    found += [call.lineno for call in calls(source, {"suppress", "contextlib.suppress"}) if _catches_all(*call.args)]
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
        for call in calls(source, {"print", "pprint", "pprint.pprint"}):
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
        elif not makes_secrets and (name in CHANCE or name.rpartition(".")[0] in CHANCE_MODULES):
            yield source.at(call.lineno, f"draws chance with {name}; take it as an argument")
    for line, name in imports(source):
        if not makes_secrets and name.rpartition(".")[0] in CHANCE_MODULES:
            yield source.at(line, f"draws chance with {name}; take it as an argument")


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
            if own is not None and not parent_changes:
                yield from _unfit_sentences(source, node.name, own)


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


def _unfit_sentences(source: Source, name: str, constructor: ast.FunctionDef) -> Iterator[str]:
    calls = [node for node in ast.walk(constructor) if isinstance(node, ast.Call)]
    supers = [call for call in calls if ast.unparse(call.func) == "super().__init__"]
    if not supers or any(len(call.args) + len(call.keywords) != 2 for call in supers):
        yield source.at(constructor.lineno, f"{name} must call super().__init__(en, zh)")
        return
    for sentence in [*supers[0].args, *(keyword.value for keyword in supers[0].keywords)]:
        if _written(sentence).endswith((".", "。")):
            yield source.at(sentence.lineno, f"{name}: a sentence goes without its full stop")
    if len(supers[0].args) == 2 and _written(supers[0].args[1]) and not _CHINESE.search(_written(supers[0].args[1])):
        yield source.at(supers[0].lineno, f"{name}: the second sentence is not Chinese")


def _written(sentence: ast.expr) -> str:
    """The words that stand in the source; empty for a sentence that is made elsewhere."""
    if isinstance(sentence, ast.Constant | ast.JoinedStr):
        parts = sentence.values if isinstance(sentence, ast.JoinedStr) else [sentence]
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
    return ""


# ---- words ------------------------------------------------------------------------------------------------------

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
_IGNORES = re.compile(r"type:\s*ignore|noqa|mypy:\s*ignore-errors|mypy:\s*disable|pylint:\s*disable")
_WITH_CODE = re.compile(r"(type: ignore\[[a-z, -]+\]|noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*)(?P<reason>.*)")
# Brackets in the words, so that this file does not name what it looks for.
_REGISTRIES = re.compile(
    r"py[p]i\.org|pytho[n]hosted|registry\.np[m]js|npm[j]s\.|registry\.yar[n]pkg|npm[m]irror|(deb|security)\.debia[n]\."
    r"|(archive|security)\.ubunt[u]\.|(static|index)\.crate[s]\.io|proxy\.golan[g]\."
    r"|(py[p]i|mirrors)\.[a-z.]+\.edu\.cn|mirrors?\.[a-z]+\.com|pkgs\.dev\.azur[e]|artif[a]ctory|/simple/?\s*$",
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
        if match is None:
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
