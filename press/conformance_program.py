"""What an embedded font says of itself: the tables of a TrueType program, and the characters of its codes."""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

_TABLES = (b"glyf", b"head", b"hhea", b"hmtx", b"loca", b"maxp")
_BLOCK = re.compile(rb"begin(bfchar|bfrange)(.*?)end\1", re.DOTALL)
_PAIR = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]*)>")
_RANGE = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*(?:<([0-9A-Fa-f]*)>|\[([^\]]*)\])")
_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Program:
    """An embedded TrueType program.

    Attributes:
        fault: what is wrong with its tables; empty when they are sound, and only then the rest is filled in.
        glyphs: how many.
        advances: by glyph, in 1/1000 em.
    """

    fault: str
    glyphs: int = 0
    advances: tuple[float, ...] = ()


def read_program(program: bytes) -> Program:
    """Read an embedded TrueType program's tables and sums (OpenType 1.9; ISO 32000-1, 9.9)."""
    try:
        tables = _tables(program)
        return _measure(tables)
    except ValueError as fault:
        return Program(str(fault))
    except (struct.error, IndexError, ZeroDivisionError):
        return Program("has tables that are cut short or do not fit together")


def _tables(program: bytes) -> dict[bytes, bytes]:
    tables = {}
    (count,) = struct.unpack_from(">H", program, 4)
    for place in range(count):
        tag, total, offset, length = struct.unpack_from(">4s3I", program, 12 + 16 * place)
        table = program[offset : offset + length]
        # head holds what makes the sum of the whole come out, and is summed without it.
        if len(table) != length or (tag != b"head" and _sum(table) != total):
            raise ValueError(f"table {tag.decode('latin-1')} is cut short or has another checksum")
        tables[tag] = table
    missing = [tag.decode("ascii") for tag in _TABLES if tag not in tables]
    if missing:
        raise ValueError(f"has no table {missing[0]}")
    return tables


def _sum(table: bytes) -> int:
    padded = table + bytes(-len(table) % 4)
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}I", padded)
    return sum(words) & _MASK


def _measure(tables: Mapping[bytes, bytes]) -> Program:
    (glyphs,) = struct.unpack_from(">H", tables[b"maxp"], 4)
    (em,) = struct.unpack_from(">H", tables[b"head"], 18)
    (is_long,) = struct.unpack_from(">h", tables[b"head"], 50)
    (measured,) = struct.unpack_from(">H", tables[b"hhea"], 34)
    places = struct.unpack_from(f">{glyphs + 1}{'I' if is_long else 'H'}", tables[b"loca"])
    end = places[-1] * (1 if is_long else 2)
    if list(places) != sorted(places) or end > len(tables[b"glyf"]):
        raise ValueError("has glyphs outside its table glyf")
    advances = [pair[0] * 1000 / em for pair in struct.iter_unpack(">Hh", tables[b"hmtx"][: 4 * measured])]
    advances += [advances[-1]] * (glyphs - len(advances))
    return Program("", glyphs, tuple(advances))


def read_unicode_map(cmap: bytes) -> dict[int, str]:
    """Read a ToUnicode CMap: what each code says (ISO 32000-1, 9.10.3)."""
    known: dict[int, str] = {}
    for kind, block in _BLOCK.findall(cmap):
        if kind == b"bfchar":
            known |= {int(code, 16): _text(value) for code, value in _PAIR.findall(block)}
            continue
        for first, last, value, values in _RANGE.findall(block):
            # A range does not go beyond its first code's high byte (Adobe technical note 5014, 7).
            codes = range(int(first, 16), min(int(last, 16), int(first, 16) | 0xFF) + 1)
            if values:
                known |= dict(zip(codes, map(_text, re.findall(rb"<([0-9A-Fa-f]*)>", values)), strict=False))
            else:
                start = int(value or b"0", 16)
                known |= {code: _text(b"%0*X" % (len(value), start + code - codes[0])) for code in codes}
    return known


def _text(digits: bytes) -> str:
    try:
        return bytes.fromhex(digits.decode("ascii")).decode("utf-16-be")
    except ValueError:
        return ""
