"""A template as a whole: it loads, both layouts compile, and every sample prints as a conforming certificate."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from credential.errors import Error, InputError
from press.conformance import check_document, require_conformance
from press.fonts import FontLibrary
from press.issuer_look import IssuerLook
from press.samples import SamplePress
from press.template import Template
from press.template_file import load_template

_FOUND_RIGHT: Final[set[tuple[bytes, IssuerLook]]] = set()
"""What this process has found right: digests of templates with the looks of issuers, of which there are few."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong.

    Attributes:
        sample: which sample shows it; empty for the template as a whole.
        clause: of ISO 19005-3 (PDF/A-3), ISO 14289-1 (PDF/UA-1) or ISO 32000-1; or our error's code.
        en: one sentence.
        zh: the same in Chinese.
    """

    sample: str
    clause: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class TemplateReport:
    """What ``template check`` says.

    Attributes:
        findings: empty when all is well.
        samples: names of the samples that were printed.
        qr_budget: bytes that a message in the QR code may have; 0 when unknown.
        prefix_bytes: length of the prefix, with and without photo.
        tail_bytes: longest tail beside its photo.
    """

    findings: tuple[Finding, ...]
    samples: tuple[str, ...]
    qr_budget: int
    prefix_bytes: tuple[int, ...]
    tail_bytes: int


def check_template(folder: Path, fonts: FontLibrary) -> TemplateReport:
    """Load a template, compile both layouts, print every sample and check each document.

    Never raises for a fault of the template: it becomes a finding.
    """
    try:
        template = load_template(folder)
        samples = SamplePress(template, fonts)
        return _check_samples(template, samples)
    except Error as error:
        return TemplateReport((Finding("", error.code, error.en, error.zh),), (), 0, (), 0)


def _check_samples(template: Template, samples: SamplePress) -> TemplateReport:
    findings: list[Finding] = []
    printed: list[str] = []
    longest = 0
    prefixes = {photo: samples.press.prefix(photo) for photo in template.layouts}
    if not samples.samples:
        findings.append(Finding("", "no-samples", "the folder samples holds none", "samples 目录中没有样例"))
    for name, sample in samples.samples.items():
        problems = samples.press.check(sample.record)
        findings += [Finding(name, problem.code, problem.en, problem.zh) for problem in problems]
        if problems:
            continue
        document = samples.print(name).document
        findings += [Finding(name, one.clause, one.en, one.zh) for one in check_document(document)]
        photo = sample.record.photo
        longest = max(longest, len(document) - len(prefixes[photo is not None].content) - len(photo or b""))
        printed.append(name)
    lengths = tuple(len(prefix.content) for prefix in prefixes.values())
    return TemplateReport(tuple(findings), tuple(printed), samples.press.qr_budget, lengths, longest)


def require_conforming_look(
    template: Template, look: IssuerLook, fonts: FontLibrary, *, cache_folder: Path | None = None
) -> None:
    """Print one sample of each layout as an issuer's certificates will look, and check it, before any is numbered.

    The key is one of the moment, and nothing is kept. A sample that does not fit
    this issuer's page is passed over: what is to be issued was laid out by itself.

    Raises:
        NonconformingDocument: certificates of this template and issuer would not be what they say.
        BadTemplate: the samples make no sense, or the artwork does not compile.
    """
    if (template.digest, look) in _FOUND_RIGHT:
        return
    samples = SamplePress(template, fonts, look=look, cache_folder=cache_folder)
    by_layout = {sample.record.photo is not None: name for name, sample in samples.samples.items()}
    for name in by_layout.values():
        with suppress(InputError):
            require_conformance(samples.print(name).document)
    _FOUND_RIGHT.add((template.digest, look))
