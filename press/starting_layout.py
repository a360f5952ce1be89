"""A first ``template.toml`` for a designer's page: the boxes of another template, brought to its size.

Meant to be edited: text sizes and positions are those of the other template,
not of the artwork.
"""

import re
from collections.abc import Callable

_SMALLEST_MODULE_MM = 0.411
_LEAST_VERSION = 12  # of the QR symbol: what a bundled template's samples need, a name included
_QUIET = 4
_LEAST_SIZE = 4.0  # points

_BOX = re.compile(r"^(\w*box|\w*plain) = \[([^\]]*)\]$", re.MULTILINE)
_SIZE = re.compile(r"^((?:label_)?(?:one_line_|min_)?size) = ([0-9.]+)$", re.MULTILINE)
_LENGTH = re.compile(r"^(radius|char_height|bottom_y|bottom_height|(?:label_)?column) = ([0-9.]+)$", re.MULTILINE)
_PAGE = re.compile(r"^page_mm = \[([0-9.]+), *([0-9.]+)\]$", re.MULTILINE)
_ARTWORK = re.compile(r'^artwork = "[^"]*"$', re.MULTILINE)
_TITLE_LINES = re.compile(r"\A(?:#[^\n]*\n)*")


def starting_layout(like: str, name: str, *, artwork: str, width: float, height: float) -> str:
    """Write a ``template.toml`` for a page of another size.

    Args:
        like: ``template.toml`` of the template to begin with.
        name: of that template, named in the first line.
        artwork: file name of the page's drawing.
        width: of the page, millimetres.
        height: likewise.
    """
    page = _PAGE.search(like)
    if page is None:
        raise ValueError("a template.toml has page_mm on a line of its own")
    across, down = width / float(page[1]), height / float(page[2])
    if abs(across - 1) < 0.005 and abs(down - 1) < 0.005:  # the same paper, but for rounding
        across = down = 1.0
    both = min(across, down)
    text = like
    if both != 1 or across != down:
        text = _BOX.sub(_scaled_box(across, down), text)
        text = _SIZE.sub(lambda one: f"{one[1]} = {max(_LEAST_SIZE, round(float(one[2]) * both, 1)):g}", text)
        text = _LENGTH.sub(lambda one: f"{one[1]} = {round(float(one[2]) * both, 2):g}", text)
        text = _square(text, "qr", both, across)
        text = _square(text, "seal", both, across)
    text = _PAGE.sub(f"page_mm = [{round(width, 2):g}, {round(height, 2):g}]", text, count=1)
    text = _ARTWORK.sub(f'artwork = "{artwork}"', text, count=1)
    head = (
        f"# Begun from the template {name}: every box, size and text below is to be brought to the artwork.\n"
        "# docs/template.md explains every key; `yinzheng template preview --boxes` shows where the boxes are.\n"
    )
    return head + _TITLE_LINES.sub("", text, count=1)


def _scaled_box(across: float, down: float) -> Callable[[re.Match[str]], str]:
    def write(one: re.Match[str]) -> str:
        x, y, width, height = (float(number) for number in one[2].split(","))
        numbers = (x * across, y * down, width * across, height * down)
        return f"{one[1]} = [{', '.join(f'{round(number, 3):g}' for number in numbers)}]"

    return write


def _square(text: str, table: str, both: float, across: float) -> str:
    """Make the box of a table square again about its middle, and the QR code's version one that phones can read."""
    start = text.index(f"[{table}]")
    end = text.find("\n[", start)
    part = text[start:end]
    box = _BOX.search(part)
    if box is None:
        raise ValueError(f"[{table}] has its box on a line of its own")
    x, y, width, height = (float(number) for number in box[2].split(","))
    side = width / across * both
    if table == "qr":
        version = max(_LEAST_VERSION, int((side / _SMALLEST_MODULE_MM - 17 - 2 * _QUIET) // 4))
        version = min(version, int(re.search(r"^version = (\d+)$", part, re.MULTILINE)[1]))  # type: ignore[index]  # a template has it
        side = max(side, (17 + 4 * version + 2 * _QUIET) * _SMALLEST_MODULE_MM)
        part = re.sub(r"^version = \d+$", f"version = {version}", part, flags=re.MULTILINE)
    numbers = (x + (width - side) / 2, y + (height - side) / 2, side, side)
    part = _BOX.sub(f"box = [{', '.join(f'{round(number, 3):g}' for number in numbers)}]", part, count=1)
    return text[:start] + part + text[end:]
