"""A content stream as the rules of conformance see it: operators, marks, and what text is shown.

Drawings have tens of thousands of numbers and no text; of those only operators
and names are looked at, without a parser.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pikepdf

PAINTING = frozenset({"Tj", "TJ", "'", '"', "Do", "sh", "EI", "f", "F", "f*", "B", "B*", "b", "b*", "S", "s"})
_SHOWING = frozenset({"Tj", "TJ", "'", '"'})
# Operators whose last operand is a name, and in which resources it stands (ISO 32000-1, 7.8.3).
CATEGORIES = {
    "gs": "/ExtGState",
    "Do": "/XObject",
    "cs": "/ColorSpace",
    "CS": "/ColorSpace",
    "sh": "/Shading",
    "scn": "/Pattern",
    "SCN": "/Pattern",
    "Tf": "/Font",
}
_NAMED = re.compile(rb"/([^\s/]+)\s+([A-Za-z]+)(?=\s|$)")
_NAMES = re.compile(rb"/\S+")
_STATES = re.compile(rb"[qQ]")


@dataclass(slots=True)
class Content:
    """What one content stream does.

    Attributes:
        operators: each once.
        named: operator and name of each step that names a resource or an intent.
        depth: the deepest nesting of q and Q; -1 when they do not balance.
        mcids: marked-content numbers with their tags, in order.
        faults: of marking: painting outside any mark, marks inside artifacts and the like.
        shown: by name of font, the strings shown in it.
    """

    operators: set[str] = field(default_factory=set)
    named: set[tuple[str, str]] = field(default_factory=set)
    depth: int = 0
    mcids: list[tuple[int, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    shown: dict[str, list[bytes]] = field(default_factory=dict)


def read_content(owner: Any, parts: Sequence[bytes]) -> Content:
    """Read what a page or a form draws.

    Args:
        owner: the page, or the form's stream.
        parts: its content, decoded; several streams are one content (ISO 32000-1, 7.8.2).
    """
    whole = b"\n".join(parts)
    # Strings, dictionaries and pictures in line need a parser; what has none of them is a drawing.
    if any(mark in whole for mark in (b"(", b"<", b"[/", b"BI", b"%")):
        return _Reader().read(pikepdf.parse_content_stream(owner))
    return _read_drawing(whole)


@lru_cache(maxsize=8)
def _read_drawing(whole: bytes) -> Content:
    """Read a drawing without text or marks; those of a template are the same in all its certificates."""
    content = Content()
    content.operators = {step.decode("latin-1") for step in set(whole.split()) if step[:1].isalpha()}
    content.named = {
        (operator.decode("latin-1"), "/" + name.decode("latin-1")) for name, operator in set(_NAMED.findall(whole))
    }
    # Outside names, no operator but these two has such a letter.
    content.depth = _depth(_STATES.findall(_NAMES.sub(b"", whole) if b"/" in whole else whole), b"q")
    return content


def _depth(steps: Sequence[object], push: object) -> int:
    deepest = now = 0
    for step in steps:
        now += 1 if step == push else -1
        deepest = max(deepest, now)
        if now < 0:
            return -1
    return -1 if now else deepest


class _Reader:
    def __init__(self) -> None:
        self.content = Content()
        self.marks: list[str] = []  # "artifact", "tagged" or "", of each open mark
        self.states: list[str] = []
        self.nesting: list[str] = []
        self.font = ""

    def read(self, instructions: Sequence[Any]) -> Content:
        content = self.content
        for instruction in instructions:
            operator = str(instruction.operator)
            operands = instruction.operands
            content.operators.add("BI" if operator == "INLINE IMAGE" else operator)
            if operator in {"BDC", "BMC"}:
                self.open(operator, operands)
            elif operator == "EMC":
                self.close()
            elif operator in {"q", "Q"}:
                self.turn(operator)
            elif operator in PAINTING or operator == "INLINE IMAGE":
                self.paint(operator)
            if operator in CATEGORIES or operator == "ri":
                self.name(operator, operands)
            if operator in _SHOWING:
                self.show(operands)
        if self.marks:
            content.faults.append("a mark is not closed")
        content.depth = _depth(self.nesting, "q")
        return content

    def open(self, operator: str, operands: Any) -> None:
        tag = str(operands[0]).lstrip("/")
        properties: Any = operands[1] if operator == "BDC" else {}
        number = properties.get("/MCID") if isinstance(properties, pikepdf.Dictionary) else None
        if number is not None:
            self.content.mcids.append((int(number), tag))
            if "artifact" in self.marks:
                self.content.faults.append(f"{tag} {int(number)} is inside an artifact")
            elif "tagged" in self.marks:
                self.content.faults.append(f"{tag} {int(number)} is inside other tagged content")
        elif tag == "Artifact" and "tagged" in self.marks:
            self.content.faults.append("an artifact is inside tagged content")
        self.marks.append("tagged" if number is not None else "artifact" if tag == "Artifact" else "")

    def close(self) -> None:
        if self.marks:
            self.marks.pop()
        else:
            self.content.faults.append("a mark is closed that was not opened")

    def turn(self, operator: str) -> None:
        """Save or restore the state; the font is a part of it (ISO 32000-1, table 52)."""
        self.nesting.append(operator)
        if operator == "q":
            self.states.append(self.font)
        elif self.states:
            self.font = self.states.pop()

    def paint(self, operator: str) -> None:
        if not {"artifact", "tagged"} & set(self.marks):
            self.content.faults.append(f"{operator} paints outside any mark")

    def name(self, operator: str, operands: Any) -> None:
        names = [str(operand) for operand in operands if isinstance(operand, pikepdf.Name)]
        if names:
            self.content.named.add((operator, names[-1]))
        if operator == "Tf" and names:
            self.font = names[-1]

    def show(self, operands: Any) -> None:
        last = operands[-1]
        pieces = list(last) if isinstance(last, pikepdf.Array) else [last]
        texts = [bytes(piece) for piece in pieces if isinstance(piece, pikepdf.String)]
        self.content.shown.setdefault(self.font, []).extend(texts)
