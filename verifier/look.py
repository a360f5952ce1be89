"""What a page shows: its QR codes and its text, as untrusted as the file; runs in the sandbox's children."""

from dataclasses import dataclass

from credential.qr import BadQrText, UnknownQrFormat, parse_qr_text
from press.look import Paper, open_paper
from verifier.symbol import is_picture, open_picture, read_symbols

_PAGE_DPI = 200
_SQUARES = 4  # of a page that are drawn one by one; ours has one picture that is a square


@dataclass(frozen=True, slots=True)
class Look:
    """What the first page shows: untrusted text to compare with what was signed.

    Attributes:
        symbols: texts of its QR codes.
        text: of the page, in drawing order.
        is_readable: False when the page or picture could not be drawn within the limits.
        is_whole: False when it ended at the first code of our form: there may be others, and no text was read.
    """

    symbols: tuple[str, ...] = ()
    text: str = ""
    is_readable: bool = True
    is_whole: bool = True


def is_our_code(text: str) -> bool:
    """Whether a scanned text has the form of our QR codes; says nothing of what it is worth."""
    try:
        parse_qr_text(text)
    except (BadQrText, UnknownQrFormat):
        return False
    return True


def look_at(document: bytes, *, ends_at_ours: bool = False) -> Look:
    """Draw the first page, or open a picture, and read its QR codes and its text.

    Args:
        document: a PDF, PNG or JPEG, not trusted; what it makes the readers raise passes through.
        ends_at_ours: draw only the squares of a PDF first, and all of it where none is a code of ours.
    """
    if is_picture(document):
        return Look(read_symbols(open_picture(document)))
    with open_paper(document) as paper:
        if ends_at_ours and (symbols := _first_of_ours(paper)):
            return Look(symbols, is_whole=False)
        return Look(read_symbols(paper.draw(_PAGE_DPI)), paper.text())


def _first_of_ours(paper: Paper) -> tuple[str, ...]:
    for square in paper.draw_squares(_PAGE_DPI, _SQUARES):
        symbols = read_symbols(square)
        if any(map(is_our_code, symbols)):
            return symbols
    return ()
