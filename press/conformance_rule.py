"""What a rule of conformance is, and a certificate opened so that rules can look at it.

A rule says what is wrong and by which clause, and lists what breaks it in a
document. Everything that several rules need is worked out once, in ``Examined``.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any, TypeVar

import pikepdf

from press.conformance_content import Content, read_content

_Result = TypeVar("_Result")
# Where the data of a stream begins (ISO 32000-1, 7.3.8.1).
STREAM = re.compile(rb">>\s*stream\r?\n")


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that a conforming certificate does not do.

    Attributes:
        name: in lower-case words with hyphens; names the rule in tests and docs.
        clauses: of ISO 19005-3 (PDF/A-3), ISO 14289-1 (PDF/UA-1) or ISO 32000-1 (PDF 1.7), the first one foremost.
        en: what is wrong where it is broken.
        zh: the same in Chinese.
        find: lists what breaks it; objects, names and numbers, the same in every language.
    """

    name: str
    clauses: tuple[str, ...]
    en: str
    zh: str
    find: "Callable[[Examined], Iterable[str]]"


class Examined:
    """A certificate opened for examination.

    Attributes:
        raw: the whole file.
        pdf: the same, opened by a library that did not write it.
        root: the document catalog.
        objects: the indirect objects, by number.
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.pdf = pikepdf.open(BytesIO(raw))
        self.root: Any = self.pdf.Root
        self._done: dict[Any, Any] = {}
        self.objects: dict[int, Any] = {one.objgen[0]: one for one in self.pdf.objects}

    def close(self) -> None:
        """Let go of the file."""
        self.pdf.close()

    @property
    def strings(self) -> list[tuple[str, Any]]:
        """Every string, each with the place where it is written."""
        return self._gathered.strings

    @property
    def arrays(self) -> list[tuple[str, Any]]:
        """Every array, with its place."""
        return self._gathered.arrays

    @cached_property
    def _gathered(self) -> "_Gathered":
        gathered = _Gathered()
        for number, one in self.objects.items():
            gathered.take(f"object {number}", one)
        return gathered

    def having(self, *keys: str) -> Iterator[tuple[str, Any]]:
        """List the dictionaries with one of these keys, direct ones and those of streams too, with their places."""
        for key in keys:
            yield from self._gathered.having.get(key, ())

    def once(self, work: "Callable[[Examined], _Result]") -> "_Result":
        """Do what several rules need, once."""
        if work not in self._done:
            self._done[work] = work(self)
        done: _Result = self._done[work]
        return done

    @cached_property
    def streams(self) -> dict[int, Any]:
        """The streams, by number of object."""
        return {number: one for number, one in self.objects.items() if isinstance(one, pikepdf.Stream)}

    def of_type(self, name: str) -> Iterator[tuple[str, Any]]:
        """List the dictionaries that say they are of a type, as ``/Font``."""
        return ((place, one) for place, one in self.having("/Type") if one.get("/Type") == name)

    def of_subtype(self, *names: str) -> Iterator[tuple[str, Any]]:
        """List the streams of a subtype, as ``/Image``."""
        return (
            (f"object {number}", one) for number, one in self.streams.items() if str(one.get("/Subtype", "")) in names
        )

    @cached_property
    def pages(self) -> list[Any]:
        """The pages."""
        return [page.obj for page in self.pdf.pages]

    @cached_property
    def page_contents(self) -> list[Content]:
        """What each page draws, forms not looked into."""
        return [read_content(page, [one.read_bytes() for one in _parts(page)]) for page in self.pages]

    @cached_property
    def contents(self) -> list[tuple[str, Any, Content]]:
        """What each page and each form draws: its place, its resources or None, its content."""
        found = [
            (f"page {number}", page.get("/Resources"), content)
            for number, (page, content) in enumerate(zip(self.pages, self.page_contents, strict=True), 1)
        ]
        found += [
            (place, form.get("/Resources"), read_content(form, [form.read_bytes()]))
            for place, form in self.of_subtype("/Form")
        ]
        return found

    @cached_property
    def offsets(self) -> Mapping[int, int]:
        """Where the cross-reference table says each object begins; empty where there is no classic table."""
        start = re.search(rb"startxref\s+(\d+)\s+%%EOF\s*\Z", self.raw)
        table = None if start is None else re.compile(rb"xref\s+0 (\d+)\s+").match(self.raw, int(start[1]))
        if table is None:
            return {}
        rows = self.raw[table.end() : table.end() + 20 * int(table[1])]
        found = {}
        for number in range(len(rows) // 20):
            row = rows[20 * number : 20 * number + 20]
            if row[17:18] == b"n":
                found[number] = int(row[:10])
        return found

    @cached_property
    def written(self) -> Mapping[int, bytes]:
        """The bytes of each object, up to where the next one or the cross-reference table begins."""
        starts = sorted(self.offsets.values())
        end = self.raw.rfind(b"xref", 0, self.raw.rfind(b"startxref"))
        following = dict(zip(starts, [*starts[1:], end], strict=True)) if starts else {}
        return {number: self.raw[start : following[start]] for number, start in self.offsets.items()}

    @cached_property
    def syntax(self) -> Mapping[int, bytes]:
        """The bytes of each object without the data of its stream."""
        return {
            number: STREAM.split(written, maxsplit=1)[0] if number in self.streams else written
            for number, written in self.written.items()
        }


def _parts(page: Any) -> list[Any]:
    contents = page.get("/Contents", [])
    return list(contents) if isinstance(contents, pikepdf.Array) else [contents]


class _Gathered:
    """What a file holds, each thing once: what is referred to is gathered where it is, not where it is used."""

    def __init__(self) -> None:
        self.having: dict[str, list[tuple[str, Any]]] = {}
        self.arrays: list[tuple[str, Any]] = []
        self.strings: list[tuple[str, Any]] = []

    def take(self, place: str, value: Any) -> None:
        if isinstance(value, pikepdf.Dictionary | pikepdf.Stream):
            members: Any = value.items()  # numbers and truths come as Python's own
            for key, member in members:
                self.having.setdefault(key, []).append((place, value))
                if isinstance(member, pikepdf.Object) and not member.is_indirect:
                    self.take(f"{place} {key}", member)
        elif isinstance(value, pikepdf.Array):
            self.arrays.append((place, value))
            members = value
            for member in members:
                if isinstance(member, pikepdf.Object) and not member.is_indirect:
                    self.take(place, member)
        elif isinstance(value, pikepdf.String):
            self.strings.append((place, value))


def tagged(element: Any) -> str:
    """Name the structure type of an element, without its slash."""
    return str(element.get("/S", "")).lstrip("/") if isinstance(element, pikepdf.Dictionary) else ""
