"""Write text that came from outside so that no spreadsheet program takes it for a formula.

For every file of ours that a spreadsheet program may open: error lists, annotated
copies, CSV exports. The danger is CSV injection (OWASP): ``=HYPERLINK(...)`` or
``=cmd|' /C calc'!A0`` in a name, run on the machine of whoever opens the list.
"""

import unicodedata

#: Excel refuses a workbook with a longer text in one cell.
MAX_CELL_CHARACTERS = 32_767

# What begins a formula in Excel, WPS, LibreOffice (and Lotus: @), also in full width, which WPS and Excel turn
# into the narrow one, and the minus signs that an input method offers for it.
_STARTERS = frozenset("=+-@＝＋－＠﹦﹢﹣﹫−")
# Before a formula's first character these are passed over, or begin a new cell.
_BREAKS = frozenset("\t\r\n\v\f")
_QUOTE = "'"


def is_formula_like(text: str) -> bool:
    """Tell whether a spreadsheet program might evaluate a text that it reads from a CSV file."""
    for char in text:
        if char in _STARTERS or char in _BREAKS:
            return True
        if not char.isspace() and unicodedata.category(char) not in {"Cf", "Cc"}:
            return False
    return False


def safe_text(text: str) -> str:
    """Put an apostrophe before a text that looks like a formula; every other text stays as it is.

    The apostrophe is the spreadsheet programs' own mark for "this is text". For a
    CSV file quote every field as well, so that no separator inside one begins another.

    Args:
        text: of a cell; not trusted.

    Returns:
        At most 32,767 characters, cut with an ellipsis.
    """
    shown = _QUOTE + text if is_formula_like(text) else text
    return shown if len(shown) <= MAX_CELL_CHARACTERS else shown[: MAX_CELL_CHARACTERS - 1] + "…"
