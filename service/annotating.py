"""Give a clerk her file back with its problems in it, checked as the issuer's own press would print it."""

from dataclasses import dataclass
from pathlib import Path

from intake.annotated import AnnotatedCopy
from service.already_issued import check_for
from service.checking import CheckReport
from service.house import House


@dataclass(frozen=True, slots=True)
class Annotated:
    """A check and what was written of it.

    Attributes:
        report: what was found, layout included.
        copy: whether the file is a coloured copy or a list, and what its reader has to know.
    """

    report: CheckReport
    copy: AnnotatedCopy


def annotated(  # noqa: PLR0913 - a check has as many, and this one writes
    house: House, file: Path, *, photos: Path | None, issuer: str, template: str, to: Path
) -> Annotated:
    """Check a file for an issuer and write its annotated copy, or the list of its problems.

    Args:
        house: of the installation.
        file: the spreadsheet; not trusted, its name tells nothing.
        photos: a zip of portraits, or None.
        issuer: id of the issuer whose certificates they would be.
        template: name of the template.
        to: must end in ``.xlsx`` and not exist; it holds personal data and gets mode 0600.

    Raises:
        UnknownIssuer: there is no such issuer.
        InputError: the file or the archive as a whole is refused, or ``to`` cannot be written.
    """
    report = check_for(house, file, photos=photos, issuer=issuer, template=template)
    return Annotated(report, house.reader.annotate(file, report, to=to))
