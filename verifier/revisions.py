"""Account for every byte that follows a signed revision."""

import re

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import SuspiciousModification

from verifier.signed_range import has_only_line_ends

_TRAILER_KEYS = frozenset(
    {"/Size", "/Prev", "/Root", "/Info", "/ID", "/Type", "/W", "/Index", "/Length", "/Filter", "/DecodeParms"}
)
_OBJECT_END = re.compile(rb"[\0\t\n\f\r ]*+endobj")
_SPACE = re.compile(rb"[\0\t\n\f\r ]*+")
_TABLE = re.compile(
    rb"xref[ \r\n]++(?:\d{1,10} \d{1,10}[ \r\n]++(?:\d{10} \d{5} [nf][ \r\n]{2})*+)++trailer[\0\t\n\f\r ]*+(?=<<)"
)
# Some programs put their name in one comment line before ``startxref``; it is not part of what is shown.
_REVISION_END = re.compile(
    rb"[\0\t\n\f\r ]*+(?:%(?!%EOF)[\x20-\x7e]{0,80}[\r\n]++)?startxref[ \t\r\n]++(\d{1,12})[ \t]*+[\r\n]++%%EOF[\r\n]*+"
)


def check_update_bytes(document: bytes, reader: PdfFileReader, signed_revision: int, signed_end: int) -> None:
    """Check that every byte behind the signed revision belongs to a revision that was compared.

    The comparison sees what cross-reference tables name. What they do not name
    (objects between objects, comments, an update without a table) is found by
    another program's repair, so nothing but white space may stand between the
    objects of a later revision, its table, its trailer and its end.

    Raises:
        SuspiciousModification: there are other bytes, or a later revision's
            table calls something current that stands in the signed part.
    """
    position = signed_end
    for revision in range(signed_revision + 1, reader.xrefs.total_revisions):
        position = _check_revision(document, reader, revision, position)
    if not has_only_line_ends(document, position):
        raise SuspiciousModification("bytes follow the end of the last revision")


def _check_revision(document: bytes, reader: PdfFileReader, revision: int, start: int) -> int:
    """Walk through the bytes of one revision; returns the offset behind it."""
    info = reader.xrefs.get_xref_container_info(revision)
    position = start
    locations = reader.xrefs.get_xref_data(revision).standard_xrefs
    for number, (generation, offset) in sorted(locations.items(), key=lambda item: item[1][1]):
        if info.stream_ref is not None and number == info.stream_ref.idnum:
            continue
        _expect_space(document, position, offset)
        _, position = _read_at(document, reader, number, generation, offset)
    _expect_space(document, position, info.declared_startxref)
    start_of_table = _behind_space(document, info.declared_startxref)
    if info.stream_ref is not None:
        ref = info.stream_ref
        trailer, position = _read_at(document, reader, ref.idnum, ref.generation, start_of_table)
    else:
        table = _TABLE.match(document, start_of_table)
        if table is None:
            raise SuspiciousModification("a cross-reference table holds other bytes than entries")
        reader.stream.seek(table.end())
        trailer = generic.DictionaryObject.read_from_stream(
            reader.stream,
            generic.TrailerReference(reader),  # type: ignore[no-untyped-call] # pyHanko leaves it untyped
        )
        position = reader.stream.tell()
    if not isinstance(trailer, generic.DictionaryObject) or not trailer.keys() <= _TRAILER_KEYS:
        raise SuspiciousModification("a later trailer holds unknown keys")
    ending = _REVISION_END.match(document, position)
    if ending is None or int(ending.group(1)) != info.declared_startxref:
        raise SuspiciousModification("a later revision does not end with its own startxref and %%EOF")
    return ending.end()


def _read_at(document: bytes, reader: PdfFileReader, number: int, generation: int, offset: int) -> tuple[object, int]:
    """Read the object that stands exactly at an offset; gives it and the offset behind its ``endobj``.

    pyHanko skips comments before and behind an object, so both ends are looked at here.
    """
    header = re.compile(rb"%d[\0\t\n\f\r ]++%d[\0\t\n\f\r ]++obj[\0\t\n\f\r ]*+" % (number, generation))
    match = header.match(document, offset)
    if match is None:
        raise SuspiciousModification("a later cross-reference entry does not lead to its object")
    stream = reader.stream
    stream.seek(match.end())
    value: object = generic.read_object(stream, generic.Reference(number, generation, reader))
    end = _OBJECT_END.match(document, stream.tell())
    if end is None:
        raise SuspiciousModification("an object of a later revision holds more than one value")
    return value, end.end()


def _behind_space(document: bytes, position: int) -> int:
    match = _SPACE.match(document, position)
    return match.end() if match else position


def _expect_space(document: bytes, start: int, end: int) -> None:
    if end < start or not _SPACE.fullmatch(document, start, end):
        raise SuspiciousModification("bytes in a later revision belong to none of its objects")
