"""Say at the check already which rows have a certificate, since approval will refuse them."""

from dataclasses import replace
from pathlib import Path

from credential.problem import Problem, RowOutcome
from credential.schema import FieldKind
from issuer.numbering import ALREADY_ISSUED, already_issued
from issuer.office import live_key
from registry.batches import find_standing
from service import batches
from service.checking import CheckReport
from service.house import House


def check_for(house: House, file: Path, *, photos: Path | None, issuer: str, template: str) -> CheckReport:
    """Check a file, and ask the registry what of it is issued, or numbered, already.

    What is to be submitted is checked by ``batches.check`` instead: the same sheet sent
    again must be found as the batch that it is, with the rows that it had.

    Args:
        house: of the installation.
        file: the spreadsheet; not trusted.
        photos: a zip of portraits, or None.
        issuer: id of the issuer whose certificates they would be.
        template: name of the template; empty for the issuer's default.

    Returns:
        The report; a row whose certificate exists is skipped, with its serial.

    Raises:
        UnknownIssuer: there is no such issuer.
        InputError: the file or the archive as a whole is refused.
    """
    report = batches.check(house, file, photos=photos, issuer=issuer, template=template)
    found = house.issuer(issuer)
    schema = house.templates.current(template or found.settings.template).schema
    keys = {record.row: live_key(house.vault, found.id, schema, record) for record in report.records}
    with house.database.reading() as session:
        standing = find_standing(session, keys.values())
    if not standing:
        return report
    name = next((one.key for one in schema.fields if one.kind is FieldKind.NAME), "")
    place = (report.sheet, report.headings.get(name, ("", "")))
    issued = [_problem(place, row, standing[key]) for row, key in keys.items() if key in standing]
    rows = {one.row for one in issued}
    return replace(
        report,
        records=tuple(record for record in report.records if record.row not in rows),
        problems=tuple(sorted((*report.problems, *issued), key=lambda one: (one.row == 0, one.row))),
    )


def _problem(place: tuple[str, tuple[str, str]], row: int, serial: str) -> Problem:
    sheet, (column, heading) = place
    return Problem(sheet, row, column, heading, RowOutcome.SKIPPED, ALREADY_ISSUED, *already_issued(serial))
